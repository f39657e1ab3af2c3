"""What is measured, request by request: the flow, a refresh, userinfo, introspection. Each answer is checked as it comes.

All that can be made before the clock starts is made before: whole requests, up to the code that only the server knows.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from bench.sign_in import Browser, with_query
from bench.subjects import Application, Running
from bench.wire import Answer, Connection, basic, form_head, get, with_body


class WrongAnswer(Exception):
    """The server under test did not do what is measured: its figure would mean nothing."""


class Tokens(msgspec.Struct):
    """A token response; all three tokens must be there."""

    id_token: str
    access_token: str
    refresh_token: str


class Rotation(msgspec.Struct):
    """The answer to a refresh; servers need not send a new ID token."""

    access_token: str
    refresh_token: str


READ_TOKENS = msgspec.json.Decoder(Tokens)
READ_ROTATION = msgspec.json.Decoder(Rotation)


@dataclass(slots=True)
class Attempt:
    """One sign-in made ready: its secrets (RFC 7636 §4.1, RFC 6749 §10.12) and its requests, the code left open."""

    nonce: str
    state: bytes
    authorize: bytes
    token_form: bytes


@dataclass(slots=True)
class Issued:
    """What one flow gave."""

    attempt: Attempt
    tokens: Tokens


class Journey:
    """One signed-in person with one application at one server."""

    def __init__(self, running: Running, application: Application) -> None:
        self.running = running
        self.application = application
        self.metadata: dict[str, Any] = running.metadata
        self.origin = str(self.metadata["token_endpoint"])
        self.authority = urlsplit(self.origin).netloc
        self.cookie = ""
        secret = application.client_secret
        self.credentials = {"Authorization": basic(application.client_id, secret)} if secret else {}
        self.named = b"" if secret else urlencode({"client_id": application.client_id}).encode() + b"&"
        self.heads = {
            name: form_head(self.authority, self.path(name), self.credentials) for name in ("token", "introspection")
        }
        self.return_address = application.redirect_uri.encode()

    def path(self, endpoint: str) -> str:
        return urlsplit(str(self.metadata[f"{endpoint}_endpoint"])).path

    def connect(self) -> Connection:
        return Connection(self.origin)

    def ask(self, state: str, nonce: str, verifier: str) -> dict[str, str]:
        """The authorization request (RFC 7636 §4.3)."""
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return {
            "response_type": "code",
            "client_id": self.application.client_id,
            "redirect_uri": self.application.redirect_uri,
            "scope": self.running.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }

    async def sign_in(self) -> None:
        """Walk the pages once; afterwards /authorize answers with a code."""
        user = self.running.announced["user"]
        connection = self.connect()
        browser = Browser(connection, user["username"], user["password"])
        asked = self.ask(secrets.token_urlsafe(12), secrets.token_urlsafe(12), secrets.token_urlsafe(32))
        await browser.visit(with_query(self.metadata["authorization_endpoint"], asked), self.application.redirect_uri)
        self.cookie = browser.cookie
        connection.close()

    def attempt(self) -> Attempt:
        """Fresh secrets, and the requests that carry them."""
        state, nonce, verifier = (secrets.token_urlsafe(size) for size in (12, 12, 32))
        target = with_query(self.path("authorization"), self.ask(state, nonce, verifier))
        form = {
            "grant_type": "authorization_code",
            "redirect_uri": self.application.redirect_uri,
            "code_verifier": verifier,
        }
        authorize = get(self.authority, target, {"Cookie": self.cookie})
        token_form = self.named + urlencode(form).encode() + b"&code="
        return Attempt(nonce, b"state=" + state.encode(), authorize, token_form)

    async def flow(self, connection: Connection, attempt: Attempt) -> Issued:
        """GET /authorize with the cookie, POST /token with the verifier."""
        return await self.redeem(connection, attempt, await self.ask_code(connection, attempt))

    async def ask_code(self, connection: Connection, attempt: Attempt) -> bytes:
        """The code as it stands in the redirect, which is also how a form spells it."""
        answer = await connection.send(attempt.authorize)
        location = answer.header(b"location").encode()
        address, _, query = location.partition(b"?")
        fields = query.split(b"&")
        if address != self.return_address or attempt.state not in fields:
            raise WrongAnswer(f"authorize answered {answer.status}, not with a redirect to the application")
        return next(field for field in fields if field.startswith(b"code="))[5:]

    async def redeem(self, connection: Connection, attempt: Attempt, code: bytes) -> Issued:
        answer = await self.post(connection, "token", attempt.token_form + code)
        return Issued(attempt, READ_TOKENS.decode(answer.body))

    async def refresh(self, connection: Connection, refresh_token: str) -> str:
        """Spend a refresh token; returns its successor, which must be another one."""
        form = urlencode({"grant_type": "refresh_token", "refresh_token": refresh_token}).encode()
        successor = READ_ROTATION.decode((await self.post(connection, "token", self.named + form)).body).refresh_token
        if successor == refresh_token:
            raise WrongAnswer("the refresh token did not rotate")
        return successor

    def userinfo_request(self, access_token: str) -> bytes:
        return get(self.authority, self.path("userinfo"), {"Authorization": f"Bearer {access_token}"})

    async def userinfo(self, connection: Connection, request: bytes) -> None:
        answer = await connection.send(request)
        if answer.status != 200 or b'"email"' not in answer.body:
            raise WrongAnswer(f"userinfo answered {answer.status}: {answer.body[:300]!r}")

    async def introspect(self, connection: Connection, access_token: str) -> None:
        answer = await self.post(connection, "introspection", self.named + b"token=" + access_token.encode())
        if msgspec.json.decode(answer.body)["active"] is not True:
            raise WrongAnswer("a live access token was introspected as inactive")

    async def post(self, connection: Connection, endpoint: str, form: bytes) -> Answer:
        answer = await connection.send(with_body(self.heads[endpoint], form))
        if answer.status != 200:
            raise WrongAnswer(f"{endpoint} answered {answer.status}: {answer.body[:300]!r}")
        return answer
