"""A web application whose people sign in at a provider that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from proofkey.client.dpop import DpopKey
from proofkey.client.web import SignIn
from tests.client.web.web_app import greet
from tests.listening import bind, listening, url_of
from tests.providers.foreign import ForeignProvider
from tests.providers.person import ForeignPerson, FormPost


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Greets, and starts and ends with its server."""
    if scope["type"] != "lifespan":
        await greet(scope, receive, send)
        return
    for moment in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{moment}.complete"})


class Visitor:
    """One person's browser: at the application, which listens on the network, and at the provider."""

    def __init__(self, origin: str, provider: ForeignProvider) -> None:
        self.origin = origin
        self.http = httpx2.AsyncClient(trust_env=False, timeout=30)
        self.person = ForeignPerson(provider.issuer)

    async def sign_in(self, query: str = "") -> str:
        answer = await self.http.get(f"{self.origin}/auth/login{query}")
        for cookie in self.http.cookies.jar:
            cookie.secure = False  # browsers send Secure cookies to this machine over http, too
        return await self._come_back(answer.headers["location"])

    async def sign_out(self) -> str:
        csrf = (await self.session())["csrf"]
        answer = await self.http.post(f"{self.origin}/auth/logout", data={"csrf": csrf})
        return await self._come_back(answer.headers["location"])

    async def _come_back(self, location: str) -> str:
        ended = await asyncio.to_thread(self.person.go, location)
        if isinstance(ended, FormPost):
            answer = await self.http.post(ended.url, data=ended.fields)
        else:
            assert isinstance(ended, str), ended
            answer = await self.http.get(ended)
        if answer.is_redirect:
            answer = await self.http.get(f"{self.origin}{answer.headers['location']}")
        return answer.text

    async def session(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self.http.get(f"{self.origin}/auth/session")).json()
        return told


@asynccontextmanager
async def visiting(
    provider: ForeignProvider, *, metadata: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Visitor]:
    """An application registered at *provider*, listening, and somebody in front of it."""
    listener = bind()
    origin = url_of(listener)
    addresses = {
        "post_logout_redirect_uris": [f"{origin}/auth/logged-out"],
        "backchannel_logout_uri": f"{origin}/auth/backchannel-logout",
        "backchannel_logout_session_required": True,
    }
    redirect_uri = f"{origin}/auth/callback"
    client = provider.register(redirect_uri, public=False, **addresses, **(metadata or {}))
    app = SignIn(
        application,
        issuer=provider.issuer,
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        redirect_uri=redirect_uri,
        **options,
    )
    with listening(app, listener, lifespan="on"):
        visitor = Visitor(origin, provider)
        try:
            yield visitor
        finally:
            await visitor.http.aclose()
            visitor.person.http.close()


@pytest.fixture(params=["oidc_provider", "django_oauth_toolkit"])
def provider(request: pytest.FixtureRequest) -> ForeignProvider:
    found: ForeignProvider = request.getfixturevalue(request.param)
    return found


async def test_a_person_signs_in_and_out(provider: ForeignProvider) -> None:
    async with visiting(provider) as alice:
        assert "/ Alice Example" == await alice.sign_in()
        assert "alice@example.test" == (await alice.session())["claims"]["email"]
        assert "/ nobody" == await alice.sign_out()
        assert {"signed_in": False} == await alice.session()


async def test_claims_come_from_userinfo_where_asked_for(provider: ForeignProvider) -> None:
    async with visiting(provider, userinfo=True) as alice:
        assert "/ Alice Example" == await alice.sign_in()


async def test_the_answer_may_come_as_a_form(oidc_provider: ForeignProvider) -> None:
    async with visiting(oidc_provider, response_mode="form_post") as alice:
        assert "/ Alice Example" == await alice.sign_in()


@pytest.mark.parametrize("nonce_required", [False, True])
async def test_tokens_may_be_bound_to_the_application_s_key(
    oidc_provider: ForeignProvider, nonce_required: bool
) -> None:
    metadata = {"dpop_nonce_required": nonce_required}
    async with visiting(oidc_provider, metadata=metadata, dpop_key=DpopKey.generate(), userinfo=True) as alice:
        assert "/ Alice Example" == await alice.sign_in()


async def test_signing_out_elsewhere_ends_the_session_here(oidc_provider: ForeignProvider) -> None:
    async with visiting(oidc_provider) as alice:
        await alice.sign_in()
        await asyncio.to_thread(alice.person.go, oidc_provider.metadata["end_session_endpoint"])
        assert {"signed_in": False} == await alice.session()


async def test_a_stronger_sign_in_is_asked_for_and_told(oidc_provider: ForeignProvider) -> None:
    async with visiting(oidc_provider) as alice:
        await alice.sign_in()
        await alice.sign_in("?acr_values=urn:example:two-factors&max_age=60")
        claims = (await alice.session())["claims"]
    assert "urn:example:two-factors" == claims["acr"]
    assert "auth_time" in claims
