"""Signing in to a web application: two redirects, one session, and no token in the browser."""

from __future__ import annotations

from proofkey.client.web import SignIn
from tests.client.web.web_app import browser_of


async def test_a_person_signs_in_and_comes_to_the_page_they_wanted(app: SignIn) -> None:
    async with browser_of(app) as alice:
        assert "/notes nobody" == (await alice.go("/notes")).text
        assert "/notes Alice" == (await alice.sign_in("/notes")).text
        assert "/other Alice" == (await alice.go("/other")).text


async def test_the_session_endpoint_tells_claims_and_no_token(app: SignIn) -> None:
    async with browser_of(app) as alice:
        assert {"signed_in": False} == await alice.session()
        await alice.sign_in()
        told = await alice.session()
    assert {"signed_in", "claims", "expires_at", "csrf"} == set(told)
    assert set() == {"nonce", "at_hash", "aud", "sid"} & set(told["claims"])
    assert "alice@demo.example" == told["claims"]["email"]
