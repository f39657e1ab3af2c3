"""Client libraries that are not ours, unmodified: Authlib on httpx2, and npm's openid-client over http and https."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from tests.attempt import ALL_SCOPES
from tests.dev_server import DevServer, StartDev
from tests.person import Person

NODE = Path(sys.executable).with_name("node")
DRIVER = Path(__file__).with_name("openid_client.mjs")
KINDS = [("spa", "none"), ("native", "none"), ("web", "client_secret_basic"), ("web", "client_secret_post")]


async def address_after(person: Person, url: str) -> str:
    """Where the browser ends up when *person* opens *url*, signs in and allows."""
    page = await person.go_on(await person.http.get(url))
    assert page.status_code == 303, page.text
    address: str = page.headers["location"]
    return address


@pytest.mark.parametrize(("name", "authentication"), KINDS)
async def test_authlib_signs_in_refreshes_introspects_and_revokes(
    dev: DevServer, name: str, authentication: str
) -> None:
    application, at = dev.application(name), f"{dev.issuer}/oauth2"
    client = AsyncOAuth2Client(
        application["client_id"],
        application.get("client_secret"),
        token_endpoint_auth_method=authentication,
        revocation_endpoint_auth_method=authentication,
        scope=ALL_SCOPES,
        redirect_uri=application["redirect_uris"][0],
        code_challenge_method="S256",
    )
    async with client, Person(dev) as alice:
        verifier = secrets.token_urlsafe(48)
        url, state = client.create_authorization_url(f"{at}/authorize", code_verifier=verifier, nonce="a-nonce")
        callback = await address_after(alice, url)
        token = await client.fetch_token(
            f"{at}/token", authorization_response=callback, state=state, code_verifier=verifier
        )
        assert set(ALL_SCOPES.split()) == set(token["scope"].split())
        refreshed = await client.refresh_token(f"{at}/token")
        assert token["access_token"] != refreshed["access_token"]
        claims = (await client.get(f"{at}/userinfo")).json()
        assert ("alice@demo.example", True) == (claims["email"], claims["email_verified"])
        if "client_secret" in application:
            answer = await client.introspect_token(f"{at}/introspect", token=refreshed["access_token"])
            assert (True, claims["sub"]) == (answer.json()["active"], answer.json()["sub"])
        gone = await client.revoke_token(f"{at}/revoke", token=refreshed["refresh_token"])
        assert (200, {}) == (gone.status_code, gone.json())
        with pytest.raises(OAuthError, match="invalid_grant"):
            await client.refresh_token(f"{at}/token", refresh_token=refreshed["refresh_token"])
        assert (await client.get(f"{at}/userinfo")).status_code == 401


@asynccontextmanager
async def openid_client(dev: DevServer, name: str, authentication: str) -> AsyncIterator[Callable[..., Any]]:
    """The driver as a process; what it yields sends it a line, if any, and reads its next one."""
    trust = {"NODE_EXTRA_CA_CERTS": dev.told["ca_file"]} if dev.told["ca_file"] else {}
    process = await asyncio.create_subprocess_exec(
        NODE, DRIVER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={**os.environ, **trust}
    )
    assert process.stdin is not None
    assert process.stdout is not None
    told, heard = process.stdin, process.stdout

    async def talk(expected_step: str, **line: Any) -> dict[str, Any]:
        if line:
            told.write(json.dumps(line).encode() + b"\n")
        said: dict[str, Any] = json.loads(await asyncio.wait_for(heard.readline(), 30) or "{}")
        assert expected_step == said.get("step")
        return said

    application = dev.application(name)
    who: dict[str, Any] = {key: application[key] for key in ("client_id", "client_secret") if key in application}
    who |= {"redirect_uri": application["redirect_uris"][0], "issuer": dev.issuer, "authentication": authentication}
    told.write(
        json.dumps({**who, "scope": ALL_SCOPES, "post_logout_redirect_uri": _after(application)}).encode() + b"\n"
    )
    try:
        yield talk
        assert 0 == await asyncio.wait_for(process.wait(), 10)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _after(application: dict[str, Any]) -> str:
    address: str = application["post_logout_redirect_uris"][0]
    return address


async def walk_through(dev: DevServer, name: str, authentication: str) -> None:
    """The whole life of a sign-in, step by step as the driver tells it."""
    is_confidential = "client_secret" in dev.application(name)
    async with openid_client(dev, name, authentication) as talk, Person(dev) as alice:
        callback = await address_after(alice, (await talk("authorize"))["url"])
        got = await talk("tokens", callback=callback)
        assert ("Alice Adler", dev.issuer) == (got["claims"]["name"], got["claims"]["iss"])
        fresh = (await talk("refreshed"))["tokens"]
        assert (fresh["refresh_token"] == got["tokens"]["refresh_token"]) is is_confidential
        claims = (await talk("userinfo"))["claims"]
        assert (got["claims"]["sub"], "alice@demo.example") == (claims["sub"], claims["email"])
        expected = [{"active": True}, {"active": False}] if is_confidential else [None, None]
        answers = [(await talk(step))["answer"] for step in ("introspected", "revoked")]
        assert expected == [answer and {"active": answer["active"]} for answer in answers]
        refused = await talk("refused")
        assert ("ResponseBodyError", 400, "invalid_grant") == tuple(
            refused["refresh"][key] for key in ("name", "status", "error")
        )
        assert ("WWWAuthenticateChallengeError", "invalid_token") == (
            refused["userinfo"]["name"],
            refused["userinfo"]["challenge"]["error"],
        )
        farewell = await alice.http.get((await talk("sign out"))["url"])
        assert (303, _after(dev.application(name))) == (farewell.status_code, farewell.headers["location"])


@pytest.mark.parametrize(("name", "authentication"), [("spa", "none"), ("web", "basic"), ("web", "post")])
async def test_openid_client_lives_through_a_sign_in(dev: DevServer, name: str, authentication: str) -> None:
    await walk_through(dev, name, authentication)


async def test_openid_client_lives_through_a_sign_in_over_https(start_dev: StartDev) -> None:
    server = start_dev("--tls")
    assert server.issuer.startswith("https://")
    await walk_through(server, "web", "basic")
