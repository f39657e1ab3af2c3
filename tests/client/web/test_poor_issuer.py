"""An issuer that answers late, refuses, or says what nobody can keep: what a person's sign-in and sign-out come to."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from proofkey.client.conversation import Conversation
from proofkey.client.issuer import Issuer, SignedIn
from proofkey.client.messages import ResponseRefused
from proofkey.client.protocol import Tokens
from proofkey.client.web import SignIn, StoredSession, TokensUnavailable
from proofkey.client.web.session import Contents, session_key_of
from proofkey.clock import wall_clock
from tests.client.web.clock import HOUR
from tests.client.web.sample_api import Reply, SampleApi, sample_api
from tests.client.web.test_logout_token import Receiver, issuer
from tests.client.web.test_web_sealing import ALICE, NEW, sealing
from tests.client.web.web_app import browser_of, sign_in_at
from tests.dev_server import DevServer
from tests.guard.sample_issuer import KEY, SampleIssuer
from tests.listening import bind, url_of

__all__ = ["issuer"]

SCOPE = "openid profile offline_access"


@pytest.fixture
def endpoint() -> Iterator[SampleApi]:
    """In place of one of the issuer's."""
    with sample_api() as api:
        yield api


@asynccontextmanager
async def sign_in_with(server: DevServer, *, userinfo: bool = False, **endpoints: str) -> AsyncIterator[SignIn]:
    """The application, at an issuer that names these endpoints."""
    app = sign_in_at(server, scope=SCOPE, userinfo=userinfo)
    site = (await app.opened()).site
    metadata = await site.network.run(site.issuer.discover())
    site.issuer._metadata._kept = dataclasses.replace(metadata, **endpoints), site.clock()  # type: ignore[arg-type]
    yield app
    await app.close()


async def signed_out(app: SignIn) -> str:
    """Where a person comes to who signs out."""
    async with browser_of(app) as alice:
        await alice.sign_in()
        async with asyncio.timeout(8):
            answer = await alice.fetch("POST", "/auth/logout", x_csrf_token=(await alice.session())["csrf"])
        assert {"signed_in": False} == await alice.session()
    location: str = answer.json()["location"]
    return location


async def test_a_refused_revocation_keeps_nobody_from_the_issuer_s_sign_out(
    web_dev: DevServer, endpoint: SampleApi
) -> None:
    endpoint.reply = lambda _sent: Reply(503, body=b"{}")
    async with sign_in_with(web_dev, revocation_endpoint=endpoint.url) as app:
        assert "/oauth2/logout?" in await signed_out(app)
    assert 1 == len(endpoint.sent)


async def test_a_revocation_that_is_not_answered_keeps_nobody_either(web_dev: DevServer) -> None:
    with bind() as silent:
        silent.listen()
        async with sign_in_with(web_dev, revocation_endpoint=url_of(silent)) as app:
            assert "/oauth2/logout?" in await signed_out(app)


@pytest.mark.parametrize("claim", ["1180591620717411303424", '"\\ud800"', '[{"a": -9223372036854775809}]'])
async def test_claims_that_nobody_can_keep_are_refused_and_the_grant_goes_back(
    web_dev: DevServer, endpoint: SampleApi, claim: str
) -> None:
    urls = {"userinfo_endpoint": endpoint.url, "revocation_endpoint": f"{endpoint.url}/revoke"}
    async with sign_in_with(web_dev) as plain, browser_of(plain) as alice:
        await alice.sign_in()
        subject = (await alice.session())["claims"]["sub"]
    body = f'{{"sub": {json.dumps(subject)}, "claim": {claim}}}'.encode()
    endpoint.reply = lambda sent: Reply(body=b"" if sent.target == "/revoke" else body)
    async with sign_in_with(web_dev, userinfo=True, **urls) as app, browser_of(app) as alice:
        page = await alice.sign_in()
        assert (502, True) == (page.status_code, "[answer_unkeepable]" in page.text)
        assert {"signed_in": False} == await alice.session()
    assert ["/", "/revoke"] == [sent.target for sent in endpoint.sent]
    assert parse_qs(endpoint.sent[1].body.decode())["token"]


def without_sid(issuer: Issuer) -> None:
    """As if its ID tokens did not say which of its sessions it is."""
    believe = issuer.believe

    def told(tokens: Tokens, **asked: Any) -> Conversation[SignedIn]:
        signed_in = yield from believe(tokens, **asked)
        return dataclasses.replace(signed_in, claims={n: v for n, v in (signed_in.claims or {}).items() if n != "sid"})

    issuer.believe = told  # type: ignore[method-assign]


async def test_which_of_the_issuer_s_sessions_it_is_the_id_token_says_alone(
    web_dev: DevServer, endpoint: SampleApi
) -> None:
    async with sign_in_with(web_dev) as plain, browser_of(plain) as alice:
        await alice.sign_in()
        subject = (await alice.session())["claims"]["sub"]
    endpoint.reply = lambda _sent: Reply(body=json.dumps({"sub": subject, "sid": "of-userinfo"}).encode())
    async with sign_in_with(web_dev, userinfo=True, userinfo_endpoint=endpoint.url) as app, browser_of(app) as alice:
        site = (await app.opened()).site
        without_sid(site.issuer)
        await alice.sign_in()
        now, about = site.clock(), session_key_of(web_dev.issuer, "sid", "of-userinfo")
        await site.store.end_sessions(about, notice=b"n" * 32, signed_in_by=now, until=now + HOUR, now=now)
        assert (await alice.session())["signed_in"]


class Kept(msgspec.Struct, frozen=True):
    """Something to keep."""

    claims: dict[str, Any]


@pytest.mark.parametrize("claim", [2**64, "\ud800", -(2**63) - 1])
def test_sealing_refuses_what_cannot_be_kept(claim: object) -> None:
    with pytest.raises(ResponseRefused, match="answer_unkeepable"):
        sealing(NEW).close_session(ALICE, Kept({"claim": claim}))


@asynccontextmanager
async def signed_in_at(issuer: SampleIssuer, endpoint: SampleApi) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """What renews the token of a session that began with the nonce n1."""
    issuer.metadata["token_endpoint"] = endpoint.url
    receiver = Receiver(issuer)
    site, now, key = (await receiver.app.opened()).site, receiver.clock(), b"k" * 32
    contents = Contents("alice", {"sub": "alice", "nonce": "n1"}, now, "openid", {}, "the-refresh-token", None)
    sealed = site.sealing.close_session(key, contents)
    await receiver.store.start_session(
        StoredSession(key, None, b"s" * 32, sealed, idle_until=now + HOUR, until=now + HOUR), now=now
    )
    yield lambda: site.renewal(site, key, None)
    await receiver.app.close()


def tokens_with(issuer: SampleIssuer, **claims: str) -> Reply:
    """The answer to a refresh, with an ID token of now."""
    now = wall_clock() // 1_000
    about = {"iss": issuer.issuer, "aud": "notes", "sub": "alice", "iat": now, "exp": now + 60, **claims}
    tokens = {"access_token": "renewed", "token_type": "Bearer", "expires_in": 60, "id_token": KEY.sign("JWT", about)}
    return Reply(body=json.dumps(tokens).encode())


async def test_a_refreshed_id_token_of_another_sign_in_is_not_believed(
    issuer: SampleIssuer, endpoint: SampleApi, caplog: pytest.LogCaptureFixture
) -> None:
    async with signed_in_at(issuer, endpoint) as renew:
        endpoint.reply = lambda _sent: tokens_with(issuer, nonce="of-another")
        with pytest.raises(TokensUnavailable) as refused:
            await renew()
        assert "id_token_nonce_of_another" == refused.value.detail
        endpoint.reply = lambda _sent: tokens_with(issuer, nonce="n1")
        assert "renewed" == await renew()


async def test_what_the_keys_address_says_is_no_word_about_the_refresh_token(
    issuer: SampleIssuer, endpoint: SampleApi
) -> None:
    endpoint.reply = lambda _sent: Reply(status=500, body=b'{"error": "invalid_grant"}')
    issuer.metadata["jwks_uri"] = endpoint.url
    async with signed_in_at(issuer, endpoint) as renew:
        for _ in range(2):
            with pytest.raises(TokensUnavailable, match="refresh_unanswered"):
                await renew()


async def test_an_answer_that_is_none_is_asked_for_again_whatever_it_was(
    issuer: SampleIssuer, endpoint: SampleApi
) -> None:
    endless = Reply(body=b" " * 2_000_000)
    endpoint.reply = lambda _sent: endless if len(endpoint.sent) == 1 else tokens_with(issuer)
    async with signed_in_at(issuer, endpoint) as renew:
        assert "renewed" == await renew()
    assert 2 == len(endpoint.sent)
