"""A logout token that arrives while the sign-in it names is redeemed (OpenID Connect Back-Channel Logout 1.0 §2.7)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import pytest

from proofkey.client.web import MemoryStore, SessionStore, SqliteStore
from tests.client.web.browser import WebBrowser
from tests.client.web.test_logout_token import Receiver
from tests.client.web.web_app import browser_of
from tests.guard.sample_issuer import KEY, SampleIssuer
from tests.listening import bind, listening, url_of


class RedeemingIssuer(SampleIssuer):
    """Gives tokens to whoever asks, once it may answer."""

    def __init__(self, issuer: str) -> None:
        super().__init__(issuer)
        self.nonce, self.may_answer, self.is_asked = "", True, False
        self.revoked: list[str] = []
        self.sid: dict[str, Any] = {"sid": "s1"}
        self.metadata |= {f"{name}_endpoint": f"{issuer}/{name}" for name in ("authorization", "token", "revocation")}
        self.metadata["code_challenge_methods_supported"] = ["S256"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as issuers do."""
        if scope["method"] == "GET":
            await super().__call__(scope, receive, send)
            return
        form = parse_qs((await receive())["body"].decode())
        self.revoked += form.get("token", [])
        self.is_asked = True
        while not self.may_answer:
            await asyncio.sleep(0.005)
        about = self.claims(aud="notes", **self.sid, nonce=self.nonce, iat=self.now, exp=self.now + 300)
        told = {"access_token": "a", "token_type": "Bearer", "id_token": KEY.sign("JWT", about), "refresh_token": "r"}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})


@pytest.fixture
def issuer() -> Iterator[RedeemingIssuer]:
    """One that listens."""
    listener = bind()
    redeeming = RedeemingIssuer(url_of(listener))
    with listening(redeeming, listener):
        yield redeeming


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SessionStore:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "sessions.db")


async def come_back(browser: WebBrowser, receiver: Receiver, issuer: RedeemingIssuer) -> httpx2.Response:
    """What a sign-in comes to."""
    away = dict(parse_qsl(urlsplit((await browser.go("/auth/login")).headers["location"]).query))
    issuer.nonce, issuer.now = away["nonce"], receiver.clock() // 1_000
    return await browser.go(f"/auth/callback?code=c&state={away['state']}")


@pytest.mark.parametrize("sid", ["s1", None])
async def test_a_sign_in_that_the_issuer_ended_while_it_was_redeemed_is_none(
    issuer: RedeemingIssuer, store: SessionStore, sid: str | None
) -> None:
    receiver = Receiver(issuer, store=store, key=bytes(32))
    async with browser_of(receiver.app) as alice:
        issuer.may_answer = False
        coming_back = asyncio.ensure_future(come_back(alice, receiver, issuer))
        while not issuer.is_asked:
            await asyncio.sleep(0.005)
        assert (200, "") == await receiver.post(receiver.token(sid=sid), alice)
        issuer.may_answer = True
        answer = await coming_back
        assert (400, True) == (answer.status_code, "[signed_out_meanwhile]" in answer.text)
        assert "You were signed out while this sign-in was under way." in answer.text
        assert ({"signed_in": False}, ["r"]) == (await alice.session(), issuer.revoked)
        receiver.clock.turn(1)
        assert 303 == (await come_back(alice, receiver, issuer)).status_code
        assert (await alice.session())["signed_in"], "signing in again is another sign-in"
    await receiver.app.close()


async def test_who_signed_in_without_a_sid_is_signed_out_by_name(issuer: RedeemingIssuer, store: SessionStore) -> None:
    receiver = Receiver(issuer, store=store, key=bytes(32))
    for sid in ({}, {"sid": ""}):
        issuer.sid = sid
        async with browser_of(receiver.app) as alice:
            await come_back(alice, receiver, issuer)
            assert (await alice.session())["signed_in"]
            receiver.clock.turn(1)
            assert (200, "") == await receiver.post(receiver.token(jti=f"b{sid}", sid="s1", sub="bob"), alice)
            assert (200, "") == await receiver.post(receiver.token(jti=f"n{sid}", sid="s1", sub=None), alice)
            assert (await alice.session())["signed_in"], "that may be somebody else"
            assert (200, "") == await receiver.post(receiver.token(jti=f"a{sid}", sid="s1"), alice)
            assert {"signed_in": False} == await alice.session()
    await receiver.app.close()
