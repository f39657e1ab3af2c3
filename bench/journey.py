"""What is measured, request by request: the flow, a refresh, userinfo, introspection. Each answer is checked as it comes."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.sign_in import Browser, with_query
from bench.subjects import Application, Running
from bench.wire import Answer, Connection, basic, get, post_form


class WrongAnswer(Exception):
    """The server under test did not do what is measured: its figure would mean nothing."""


@dataclass(slots=True)
class Attempt:
    """The secrets of one sign-in, made before the clock starts (RFC 7636 §4.1, RFC 6749 §10.12)."""

    verifier: str
    challenge: str
    state: str
    nonce: str


@dataclass(slots=True)
class Issued:
    """What one flow gave."""

    attempt: Attempt
    id_token: str
    access_token: str
    refresh_token: str


def make_attempt() -> Attempt:
    verifier = secrets.token_urlsafe(32)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return Attempt(verifier, challenge, secrets.token_urlsafe(12), secrets.token_urlsafe(12))


class Journey:
    """One signed-in person with one application at one server."""

    def __init__(self, running: Running, application: Application) -> None:
        self.running = running
        self.application = application
        self.metadata: dict[str, Any] = running.metadata
        self.origin = self.metadata["token_endpoint"]
        self.authority = urlsplit(self.origin).netloc
        self.cookie = ""
        secret = application.client_secret
        self.credentials = {"Authorization": basic(application.client_id, secret)} if secret else {}
        self.named = {} if secret else {"client_id": application.client_id}
        self.asked = {
            "response_type": "code",
            "client_id": application.client_id,
            "redirect_uri": application.redirect_uri,
            "scope": running.scope,
            "code_challenge_method": "S256",
        }

    def path(self, endpoint: str) -> str:
        return urlsplit(str(self.metadata[f"{endpoint}_endpoint"])).path

    def connect(self) -> Connection:
        return Connection(self.origin)

    async def sign_in(self) -> None:
        """Walk the pages once; afterwards /authorize answers with a code."""
        user = self.running.announced["user"]
        connection = self.connect()
        browser = Browser(connection, user["username"], user["password"])
        url = with_query(self.metadata["authorization_endpoint"], self.asked | self.proof(make_attempt()))
        await browser.visit(url, self.application.redirect_uri)
        self.cookie = browser.cookie
        connection.close()

    @staticmethod
    def proof(attempt: Attempt) -> dict[str, str]:
        return {"state": attempt.state, "nonce": attempt.nonce, "code_challenge": attempt.challenge}

    async def flow(self, connection: Connection, attempt: Attempt) -> Issued:
        """GET /authorize with the cookie, POST /token with the verifier."""
        return await self.redeem(connection, attempt, await self.ask_code(connection, attempt))

    async def ask_code(self, connection: Connection, attempt: Attempt) -> str:
        target = with_query(self.path("authorization"), self.asked | self.proof(attempt))
        answer = await connection.send(get(self.authority, target, {"Cookie": self.cookie}))
        return self.read_code(answer, attempt)

    async def redeem(self, connection: Connection, attempt: Attempt, code: str) -> Issued:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.application.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        tokens = await self.post(connection, "token", form)
        return Issued(attempt, tokens["id_token"], tokens["access_token"], tokens["refresh_token"])

    async def refresh(self, connection: Connection, refresh_token: str) -> str:
        """Spend a refresh token; returns its successor, which must be another one."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        tokens = await self.post(connection, "token", form)
        if tokens["refresh_token"] == refresh_token or not tokens["access_token"]:
            raise WrongAnswer("the refresh token did not rotate")
        return str(tokens["refresh_token"])

    async def userinfo(self, connection: Connection, access_token: str) -> None:
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = await connection.send(get(self.authority, self.path("userinfo"), headers))
        if answer.status != 200 or "email" not in json.loads(answer.body):
            raise WrongAnswer(f"userinfo answered {answer.status}: {answer.body[:300]!r}")

    async def introspect(self, connection: Connection, access_token: str) -> None:
        if (await self.post(connection, "introspection", {"token": access_token}))["active"] is not True:
            raise WrongAnswer("a live access token was introspected as inactive")

    async def post(self, connection: Connection, endpoint: str, form: dict[str, str]) -> dict[str, Any]:
        request = post_form(self.authority, self.path(endpoint), form | self.named, self.credentials)
        answer = await connection.send(request)
        if answer.status != 200:
            raise WrongAnswer(f"{endpoint} answered {answer.status}: {answer.body[:300]!r}")
        members: dict[str, Any] = json.loads(answer.body)
        return members

    def read_code(self, answer: Answer, attempt: Attempt) -> str:
        location = answer.header("location")
        if not location.startswith(self.application.redirect_uri):
            raise WrongAnswer(f"authorize answered {answer.status}, not with a redirect to the application")
        sent = parse_qs(urlsplit(location).query)
        if sent.get("state") != [attempt.state] or "code" not in sent:
            raise WrongAnswer(f"authorize redirected without code, or with another state: {sorted(sent)}")
        return sent["code"][0]
