"""The client of a test: begins authorization requests with a verifier of its own and calls the issuer's endpoints."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2

from tests.dev_server import DevServer
from tests.person import Person, client_of

ALL_SCOPES = "openid profile email notes:read notes:write"


def s256(code_verifier: str) -> str:
    """The challenge of *code_verifier* (RFC 7636 §4.2), written here a second time on purpose."""
    return base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode("ascii")).digest()).rstrip(b"=").decode()


@dataclass(slots=True)
class Attempt:
    """One sign-in from the client's side."""

    client_id: str
    redirect_uri: str
    scope: str = ALL_SCOPES
    code_verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def query(self) -> dict[str, str]:
        """The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3)."""
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": s256(self.code_verifier),
            "code_challenge_method": "S256",
        }

    def redemption(self, code: str) -> dict[str, str]:
        """The token request (RFC 6749 §4.1.3)."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "code_verifier": self.code_verifier,
        }


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
