"""Rules of a session that hide behind each other: each is seen here with nothing else in front of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from proofkey.client.conversation import Conversation
from proofkey.client.issuer import SignedIn
from proofkey.client.messages import ServerRefused
from proofkey.client.protocol import Tokens
from proofkey.client.web import SESSION, MemoryStore, SignIn, TokensUnavailable
from proofkey.client.web.session import RENEW_BEFORE, Contents
from proofkey.client.web.transaction import hash_cookie
from tests.client.web.browser import WebBrowser
from tests.client.web.sample_api import Reply, SampleApi
from tests.client.web.test_logout_token import issuer
from tests.client.web.test_poor_issuer import endpoint, signed_in_at, tokens_with
from tests.client.web.test_web_attacks import answer_for
from tests.client.web.test_web_refresh import without_refresh_token
from tests.client.web.web_app import ORIGIN, REDIRECT_URI, browser_of, greet, sign_in_at
from tests.dev_server import DevServer
from tests.guard.sample_issuer import SampleIssuer

__all__ = ["endpoint", "issuer"]


async def session_cookie(app: SignIn, browser: WebBrowser) -> tuple[str, str]:
    name = (await app.opened()).site.session_cookie.name
    return name, browser.http.cookies[name]


@pytest.mark.parametrize(("origin", "expected"), [(ORIGIN, "Alice"), ("https://evil.example", None)])
async def test_a_websocket_that_another_origin_opens_has_no_session(
    web_dev: DevServer, origin: str, expected: str | None
) -> None:
    """A browser sends cookies along with any page's WebSocket, and asks nobody (RFC 6455 §10.2)."""
    seen: list[str | None] = []

    async def feed(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope[SESSION].claims["name"] if scope[SESSION] else None)

    async def nothing(_message: Any = None) -> dict[str, Any]:
        return {"type": "websocket.connect"}

    app = sign_in_at(web_dev)
    async with browser_of(app) as alice:
        await alice.sign_in()
        cookie = "=".join(await session_cookie(app, alice))
    headers = [(b"cookie", cookie.encode()), (b"origin", origin.encode())]
    app._app = feed
    await app({"type": "websocket", "path": "/feed", "headers": headers}, nothing, nothing)  # type: ignore[arg-type]
    await app.close()
    assert [expected] == seen


async def test_the_session_that_a_login_began_in_ends_with_it_whatever_cookie_comes_along(app: SignIn) -> None:
    """An answer that is posted by the issuer's page comes without the session's cookie (SameSite=Lax)."""
    async with browser_of(app) as alice, browser_of(app) as attacker:
        await alice.sign_in()
        name, before = await session_cookie(app, alice)
        attacker.http.cookies.set(name, before)
        answer = await answer_for(alice)
        alice.http.cookies.delete(name)
        await alice.go(answer)
        assert (await alice.session())["signed_in"]
        assert {"signed_in": False} == await attacker.session()


async def test_a_session_that_came_after_a_login_was_begun_ends_with_it(app: SignIn) -> None:
    async with browser_of(app) as alice, browser_of(app) as attacker:
        answer = await answer_for(alice)
        await alice.sign_in()
        name, before = await session_cookie(app, alice)
        attacker.http.cookies.set(name, before)
        await alice.go(answer)
        assert before != alice.http.cookies[name]
        assert {"signed_in": False} == await attacker.session()


async def test_nobody_comes_back_from_a_sign_out_that_was_never_begun(app: SignIn) -> None:
    async with browser_of(app) as nobody:
        for query in ("", "?state=", "?state=of-another"):
            page = await nobody.go(f"/auth/logged-out{query}")
            assert (400, True) == (page.status_code, "[logout_state_differs]" in page.text), query


@pytest.mark.parametrize("more", ["&a=1" * 64, "&a=" + "1" * 16_384], ids=["fields", "bytes"])
async def test_an_answer_that_says_too_much_is_none(app: SignIn, more: str) -> None:
    async with browser_of(app) as nobody:
        assert 303 == (await nobody.go("/auth/callback?state=s")).status_code
        page = await nobody.go(f"/auth/callback?state=s{more}")
    assert (400, True) == (page.status_code, "[answer_without_state]" in page.text)


async def test_a_refresh_that_hands_over_another_person_is_not_believed(
    issuer: SampleIssuer, endpoint: SampleApi
) -> None:
    async with signed_in_at(issuer, endpoint) as renew:
        endpoint.reply = lambda _sent: tokens_with(issuer, sub="bob")
        with pytest.raises(TokensUnavailable) as refused:
            await renew()
    assert "id_token_subject_differs" == refused.value.detail


@pytest.mark.parametrize(
    "answer",
    [Reply(400, body=b'{"error": "unauthorized_client"}'), Reply(200, body=b'{"token_type": "Bearer"}')],
    ids=["refused", "unusable"],
)
async def test_after_a_refresh_that_failed_the_next_one_waits_for_nobody(
    issuer: SampleIssuer, endpoint: SampleApi, answer: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is given back: else everybody waits until it ends."""
    monkeypatch.setattr("proofkey.client.web.refresh.PAUSES", (0.0,))
    async with signed_in_at(issuer, endpoint) as renew:
        endpoint.reply = lambda _sent: answer
        with pytest.raises(TokensUnavailable):
            await renew()
        endpoint.reply = lambda _sent: tokens_with(issuer)
        assert "renewed" == await renew()


async def test_a_refused_refresh_ends_no_session_that_another_worker_renewed(
    web_dev: DevServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its refresh token was spent by that one: no wonder that it is refused."""
    store = MemoryStore()
    app = sign_in_at(web_dev, store=store)
    async with browser_of(app) as alice:
        await alice.sign_in()
        site = (await app.opened()).site
        key = hash_cookie((await session_cookie(app, alice))[1])

        def refused_after_another_one(*_: object, **__: object) -> Conversation[SignedIn]:
            stored = store._sessions[key]
            contents = site.sealing.open_session(key, stored.sealed, Contents)
            assert contents is not None
            renewed = contents.renewed(Tokens("of another", 300, None, None, None), "", site.clock())
            sealed = site.sealing.close_session(key, renewed)
            store._sessions[key] = replace(stored, sealed=sealed, version=stored.version + 1)
            yield from ()
            raise ServerRefused("server_refused", code="invalid_grant", told=None)

        monkeypatch.setattr(site.issuer, "refresh", refused_after_another_one)
        first = await site.renewal(site, key, None)
        assert "of another" == await site.renewal(site, key, None, refused=first)
    await app.close()


async def test_a_token_that_nothing_renews_is_used_to_its_end(web_dev: DevServer) -> None:
    app = sign_in_at(web_dev)
    async with browser_of(app) as alice:
        await alice.sign_in()
        site = (await app.opened()).site
        await without_refresh_token(site, expires_at=site.clock() + RENEW_BEFORE - 1)
        _, cookie = await session_cookie(app, alice)
        assert await site.renewal(site, hash_cookie(cookie), None)
    await app.close()


async def test_a_sign_in_is_of_one_event_loop_at_a_time() -> None:
    """Its connections cannot serve two: one that runs elsewhere is told so, one that ended is no obstacle."""
    app = sign_in_of_nobody()

    def in_a_loop_of_its_own() -> None:
        asyncio.run(opened_once(app))

    await asyncio.to_thread(in_a_loop_of_its_own)
    await app.opened()
    with pytest.raises(RuntimeError, match="another event loop"):
        await asyncio.to_thread(in_a_loop_of_its_own)
    await app.close()
    await asyncio.to_thread(in_a_loop_of_its_own)


async def opened_once(app: SignIn) -> None:
    await app.opened()


def sign_in_of_nobody() -> SignIn:
    return SignIn(
        greet, issuer="https://login.example", client_id="web", client_secret="s" * 40, redirect_uri=REDIRECT_URI
    )
