"""The client of a test: begins authorization requests with a verifier of its own and calls the issuer's endpoints."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx2

from tests.attempt import ALL_SCOPES, Attempt
from tests.dev_server import DevServer
from tests.person import Person, client_of


class RelyingParty:
    """An application of the demo as its own program would be. Use as an async context manager."""

    def __init__(self, server: DevServer, name: str = "spa", scope: str = ALL_SCOPES) -> None:
        registered = server.application(name)
        self.server = server
        self.scope = scope
        self.client_id: str = registered["client_id"]
        self.client_secret: str | None = registered.get("client_secret")
        self.redirect_uri: str = next(iter(registered["redirect_uris"]), "")
        self.http = client_of(server, limits=httpx2.Limits(max_connections=60))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    def begin(self, **changed: str) -> Attempt:
        """A new sign-in."""
        return Attempt(self.client_id, **{"redirect_uri": self.redirect_uri, "scope": self.scope, **changed})

    async def post(self, endpoint: str, parameters: dict[str, str], at: DevServer | None = None) -> httpx2.Response:
        """Call an endpoint, authenticated as this client is (RFC 6749 §2.3.1)."""
        url = f"{(at or self.server).here}/oauth2/{endpoint}"
        if self.client_secret is not None:
            return await self.http.post(url, data=parameters, auth=(self.client_id, self.client_secret))
        return await self.http.post(url, data={"client_id": self.client_id, **parameters})

    async def token(self, parameters: dict[str, str], at: DevServer | None = None) -> httpx2.Response:
        """The token endpoint's answer."""
        return await self.post("token", parameters, at)

    async def refresh(self, refresh_token: str, at: DevServer | None = None, **more: str) -> httpx2.Response:
        """The token endpoint's answer to a refresh token (RFC 6749 §6)."""
        return await self.token({"grant_type": "refresh_token", "refresh_token": refresh_token, **more}, at)

    async def userinfo(self, access_token: str, at: DevServer | None = None) -> httpx2.Response:
        """Whom the token speaks of (OpenID Connect Core §5.3)."""
        url = f"{(at or self.server).here}/oauth2/userinfo"
        return await self.http.get(url, headers={"authorization": f"Bearer {access_token}"})

    async def code_for(self, person: Person, **changed: str) -> tuple[Attempt, str]:
        """A code that *person* brought back, and the sign-in it belongs to."""
        attempt = self.begin(**changed)
        answer = await person.go_through(attempt.query)
        assert (attempt.state, self.server.issuer) == (answer["state"], answer["iss"])
        return attempt, answer["code"]

    async def tokens_for(self, person: Person, **changed: str) -> dict[str, Any]:
        """The tokens of a whole sign-in by *person*."""
        attempt, code = await self.code_for(person, **changed)
        response = await self.token(attempt.redemption(code))
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()
        return tokens


async def is_active(server: DevServer, token: str) -> bool:
    """What introspection tells the application `service`, which the sample API is registered for (RFC 7662 §2.2)."""
    async with client_of(server) as http:
        response = await http.post(
            f"{server.here}/oauth2/introspect", data={"token": token}, auth=server.secret_of("service")
        )
    assert response.status_code == 200, response.text
    active: bool = response.json()["active"]
    return active
