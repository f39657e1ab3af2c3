"""Ten thousand requests that end before a sign-in, or in a refusal, leave no byte behind (law 3)."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.attempt import Attempt
from tests.dev_server import DevServer, StartDev
from tests.journeys.declaration import write_declaration
from tests.person import Person
from tests.relying_party import RelyingParty
from tests.wire import Answer, Connection, get, post_form

REQUESTS = 10_000
CONNECTIONS = 8
CODES_LIVE_FOR = "3s"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and how its answer must begin: a status, and what its address or body holds."""

    why: str
    request: bytes
    status: int
    holds: str

    def check(self, answer: Answer) -> None:
        """Refuse an answer that means the request was not what it claims to be."""
        said = answer.header("location") or answer.body.decode()
        assert (self.status, True) == (answer.status, self.holds in said), (self.why, answer.status, said[:500])


class Asker:
    """Builds requests to one server."""

    def __init__(self, server: DevServer) -> None:
        at = urlsplit(server.here)
        self.authority, self.path = at.netloc, at.path

    def authorize(self, why: str, query: Mapping[str, str], status: int, holds: str, cookies: str = "") -> Asked:
        """GET /authorize."""
        headers = {"Cookie": cookies} if cookies else {}
        target = f"{self.path}/oauth2/authorize?{urlencode(query)}"
        return Asked(why, get(self.authority, target, headers), status, holds)

    def token(self, why: str, form: Mapping[str, str], error: str, basic: tuple[str, str] | None = None) -> Asked:
        """POST /token."""
        headers = {"Authorization": "Basic " + b64encode(":".join(basic).encode()).decode()} if basic else {}
        status = 401 if error == "invalid_client" else 400
        request = post_form(self.authority, f"{self.path}/oauth2/token", form, headers)
        return Asked(why, request, status, f'"error":"{error}"')


def authorize_requests(ask: Asker, attempt: Attempt, cookies: str) -> Iterator[Asked]:
    """Authorization requests of every outcome, signed in and not."""
    query = attempt.query
    more = {**query, "scope": f"{query['scope']} offline_access"}
    yield ask.authorize("nobody signed in", query, 200, 'name="password"')
    yield ask.authorize("signed in and allowed", query, 303, "?code=", cookies)
    yield ask.authorize("signed in, not yet allowed", more, 200, 'name="decision"', cookies)
    yield ask.authorize("silent, nobody signed in", {**query, "prompt": "none"}, 303, "error=login_required")
    yield ask.authorize("silent, signed in", {**query, "prompt": "none"}, 303, "?code=", cookies)
    yield ask.authorize("silent, not allowed", {**more, "prompt": "none"}, 303, "error=consent_required", cookies)
    yield ask.authorize("sign in again", {**query, "prompt": "login"}, 200, 'name="password"', cookies)
    yield ask.authorize("plain", {**query, "code_challenge_method": "plain"}, 303, "error=invalid_request", cookies)
    yield ask.authorize("a scope nobody has", {**query, "scope": "openid root"}, 303, "error=invalid_scope", cookies)
    yield ask.authorize("token flow", {**query, "response_type": "token"}, 303, "error=unsupported_response_type")
    yield ask.authorize("foreign address", {**query, "redirect_uri": "https://evil.example/"}, 400, "redirect_uri")
    yield ask.authorize("unknown client", {**query, "client_id": "nobody"}, 400, "client_id")
    twice = f"{ask.path}/oauth2/authorize?{urlencode(query)}&client_id=spa"
    yield Asked("a parameter sent twice", get(ask.authority, twice, {}), 400, "client_id")


@dataclass(frozen=True, slots=True)
class Material:
    """What a thief or a clumsy client may have in hand."""

    attempt: Attempt
    spent: str
    expired: tuple[Attempt, str]
    refresh_token: str


def token_requests(ask: Asker, have: Material) -> Iterator[Asked]:
    """Token requests that are refused and are no replay."""
    sent = have.attempt.redemption(have.spent)
    late, too_late = have.expired
    refresh = {"grant_type": "refresh_token", "client_id": "spa", "refresh_token": have.refresh_token}
    forged = have.refresh_token[:-2] + ("AA" if have.refresh_token[-2:] != "AA" else "BA")
    yield ask.token("another verifier", {**sent, "code_verifier": "x" * 43}, "invalid_grant")
    yield ask.token("no verifier", {**sent, "code_verifier": ""}, "invalid_grant")
    yield ask.token("another client", {**sent, "client_id": "native"}, "invalid_grant")
    yield ask.token("another address", {**sent, "redirect_uri": "http://127.0.0.1:1/"}, "invalid_grant")
    yield ask.token("no address", {**sent, "redirect_uri": ""}, "invalid_request")
    yield ask.token("no code of ours", {**sent, "code": "x" * 270}, "invalid_grant")
    yield ask.token("a code, changed", {**sent, "code": have.spent[:-2] + "AA"}, "invalid_grant")
    yield ask.token("an expired code", late.redemption(too_late), "invalid_grant")
    yield ask.token("a public client with a secret", {**sent, "client_secret": "s"}, "invalid_client")
    yield ask.token("an unknown client", {**sent, "client_id": "nobody"}, "invalid_client")
    yield ask.token("a wrong secret", {**sent, "client_id": ""}, "invalid_client", ("web", "wrong"))
    yield ask.token("an unknown grant", {**sent, "grant_type": "password"}, "unsupported_grant_type")
    yield ask.token("no grant type", {"code": have.spent}, "invalid_request")
    yield ask.token("a forged refresh token", {**refresh, "refresh_token": forged}, "invalid_grant")
    yield ask.token("garbage as refresh token", {**refresh, "refresh_token": "x" * 72}, "invalid_grant")
    yield ask.token("another client's refresh token", {**refresh, "client_id": "native"}, "invalid_grant")
    yield ask.token("more scope than granted", {**refresh, "scope": "openid offline_access root"}, "invalid_scope")


def fingerprints(data: Path) -> dict[str, str]:
    """SHA-256 of the database and of its write-ahead log."""
    return {name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in ("proofkey.db", "proofkey.db-wal")}


async def ask_all(server: DevServer, asked: list[Asked]) -> None:
    """Send everything over a few connections at once, and check every answer."""
    waiting = iter(asked)

    async def keep_asking(connection: Connection) -> None:
        for each in waiting:
            each.check(await connection.send(each.request))
        connection.close()

    await asyncio.gather(*(keep_asking(Connection(server.here)) for _ in range(CONNECTIONS)))


async def prepare(spa: RelyingParty, alice: Person) -> Material:
    """Sign in once, redeem one code, and let another one expire."""
    attempt, code = await spa.code_for(alice)
    tokens: dict[str, Any] = (await spa.token(attempt.redemption(code))).json()
    expired = await spa.code_for(alice)
    await asyncio.sleep(float(CODES_LIVE_FOR.rstrip("s")))
    return Material(attempt, code, expired, tokens["refresh_token"])


async def test_ten_thousand_requests_that_are_no_sign_in_change_no_byte(start_dev: StartDev, tmp_path: Path) -> None:
    server = start_dev("--config", str(write_declaration(tmp_path, code=CODES_LIVE_FOR)))
    ask = Asker(server)
    async with RelyingParty(server) as spa, Person(server) as alice:
        have = await prepare(spa, alice)
        cookies = "; ".join(f"{name}={value}" for name, value in alice.http.cookies.items())
        kinds = [*authorize_requests(ask, have.attempt, cookies), *token_requests(ask, have)]
        before = fingerprints(server.data)

        await ask_all(server, list(islice(cycle(kinds), REQUESTS)))

        assert before == fingerprints(server.data)
        await spa.tokens_for(alice)
        assert before != fingerprints(server.data)
