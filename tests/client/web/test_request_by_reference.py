"""A request that the browser only names: the issuer fetches it from the application (RFC 9101)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest

from proofkey.jose import KeySet, SigningKey, generate_key, jwk_set, verify_jwt
from tests.client.web.browser import WebBrowser
from tests.client.web.web_app import REDIRECT_URI, browser_of, sign_in_at
from tests.dev_server import DevServer

KEY = SigningKey(generate_key("RS256"), "RS256")


async def begin(browser: WebBrowser) -> dict[str, str]:
    """What the browser carries to the issuer."""
    return dict(parse_qsl(urlsplit((await browser.go("/auth/login")).headers["location"]).query))


async def test_the_browser_carries_a_name_and_the_issuer_fetches_the_request_signed(web_dev: DevServer) -> None:
    app = sign_in_at(web_dev, request_by_reference=True, request_key=KEY)
    async with browser_of(app) as alice, browser_of(app) as issuer:
        carried = await begin(alice)
        assert {"client_id", "response_type", "scope", "request_uri"} == set(carried)
        answers = [await issuer.go(carried["request_uri"]) for _ in range(2)]
        assert ["application/oauth-authz-req+jwt"] * 2 == [answer.headers["content-type"] for answer in answers]
        claims = verify_jwt(answers[1].text, KeySet.from_jwks(jwk_set([KEY])), expected_typ="oauth-authz-req+jwt")
        assert (REDIRECT_URI, web_dev.issuer, "S256") == (
            claims["redirect_uri"],
            claims["aud"],
            claims["code_challenge_method"],
        )
        envelope = {"iss", "aud", "iat", "exp", "jti"}
        asked = urlencode({name: value for name, value in claims.items() if name not in envelope})
        landed = await alice.follow(await alice.go(f"{web_dev.issuer}/oauth2/authorize?{asked}"))
        assert "/ Alice" == landed.text
    await app.close()


async def test_without_a_key_the_request_is_not_signed(web_dev: DevServer) -> None:
    app = sign_in_at(web_dev, request_by_reference=True)
    async with browser_of(app) as alice:
        token = (await alice.go((await begin(alice))["request_uri"])).text
    assert "none" == jwt.get_unverified_header(token)["alg"]
    await app.close()


@pytest.mark.parametrize("query", ["", "?id=", "?id=guessed", "?id=a&id=b"])
async def test_a_name_that_was_not_given_is_no_request(web_dev: DevServer, query: str) -> None:
    app = sign_in_at(web_dev, request_by_reference=True)
    async with browser_of(app) as anybody:
        assert 404 == (await anybody.go(f"/auth/request{query}")).status_code
        assert 405 == (await anybody.fetch("POST", f"/auth/request{query}")).status_code
    await app.close()


async def test_a_request_ends_with_its_login(web_dev: DevServer) -> None:
    now: list[int] = [1_800_000_000_000]
    app: Any = sign_in_at(web_dev, request_by_reference=True, clock=lambda: now[0])
    async with browser_of(app) as alice:
        request_uri = (await begin(alice))["request_uri"]
        now[0] += 14 * 60_000
        assert 200 == (await alice.go(request_uri)).status_code
        now[0] += 2 * 60_000
        assert 404 == (await alice.go(request_uri)).status_code
    await app.close()
