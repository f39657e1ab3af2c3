"""What an issuer publishes, read: whose document counts, and answers that are worth no more than none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from proofkey import jose
from proofkey.guard import Introspection, IssuerUnavailable, ResourceServer, TrustedIssuer
from proofkey.guard.fetched import COOL_DOWN_FOR, IDLE_FOR
from tests.guard.asking import AUDIENCE, asking, issuers
from tests.guard.sample_issuer import KEY, Clock, SampleIssuer
from tests.listening import bind, listening, url_of
from tests.protocol.refusals import refused


@pytest.fixture
def issuer() -> Iterator[SampleIssuer]:
    with issuers() as (only,):
        yield only


class ForeignAtFirst:
    """A host whose first address of metadata always answers for its root issuer."""

    def __init__(self, inner: SampleIssuer) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if "oauth-authorization-server" not in scope["path"]:
            await self.inner(scope, receive, send)
            return
        body = json.dumps({"issuer": "https://root.example", "jwks_uri": "https://root.example/jwks"}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


async def test_metadata_of_another_issuer_at_the_first_address_hide_nothing() -> None:
    """They must not be used (RFC 8414 §3.3), and so say nothing of those at the other."""
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(ForeignAtFirst(sample), listener):
        server = ResourceServer(sample.issuer, audience=AUDIENCE, clock=Clock())
        assert "alice" == (await server.admit(asking(sample.token()))).subject


@pytest.mark.parametrize("endpoint", ["https://a..b/introspect", f"https://{'a' * 64}.example/introspect"])
async def test_an_address_that_no_host_can_have_is_an_outage(issuer: SampleIssuer, endpoint: str) -> None:
    issuer.metadata["introspection_endpoint"] = endpoint
    trusted = TrustedIssuer(issuer.issuer, introspection=Introspection("api", "secret"))
    with pytest.raises(IssuerUnavailable):
        await ResourceServer(trusted, audience=AUDIENCE, clock=Clock()).admit(asking("opaque"))


def unusable() -> list[list[dict[str, Any]]]:
    return [[], [{**KEY.public_jwk, "use": "enc"}], [{**KEY.public_jwk, "d": "AAAA"}], [{"kty": "oct", "k": "AAAA"}]]


@pytest.mark.parametrize("keys", unusable(), ids=["none", "encryption", "private", "secret"])
async def test_where_the_last_key_was_withdrawn_nothing_opens_and_nobody_throws_a_token_away(
    issuer: SampleIssuer, keys: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have been stolen, or taken out by mistake."""
    clock = Clock()
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=clock)
    await server.admit(asking(issuer.token()))
    with monkeypatch.context() as broken:
        broken.setattr(jose, "jwk_set", lambda _: {"keys": keys})
        clock.turn(IDLE_FOR)
        good = asking(KEY.sign("at+jwt", issuer.claims(clock.now)))
        with refused(IssuerUnavailable, "issuer_without_keys"):
            await server.admit(good)
        assert (2, [f"keys of {issuer.issuer}: none verifies signatures"]) == (issuer.fetches(), caplog.messages)
        with refused(IssuerUnavailable, "issuer_without_keys"):
            await ResourceServer(issuer.issuer, audience=AUDIENCE, clock=clock).admit(good)
    clock.turn(COOL_DOWN_FOR)
    assert "alice" == (await server.admit(good)).subject
