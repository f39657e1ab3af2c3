"""What the guard costs an API: CPU of one request that is let in, beside what the signature's verification alone takes.

An issuer of this process publishes one ES256 key; the guard fetches it once. Every request brings another token, so that
nothing but keys can have been kept. The same tokens go through two libraries that verify and check the same claims.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from statistics import median
from types import MappingProxyType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import import_key

from bench.report import Line, summarize
from proofkey import jose
from proofkey.guard import Guard, ResourceServer, require
from proofkey.protocol.base64url import decode_octets

AUDIENCE = "https://api.example/notes"
TOKENS = 500
LIVE_FOR = 3_600
ALONE = "ES256 alone"


class Tokens:
    """Access tokens of one issuer, as Proofkey's look, and everything that verifies them."""

    def __init__(self, issuer: str, private_der: bytes, further: Mapping[str, Any]) -> None:
        self.issuer = issuer
        self.key = jose.SigningKey(private_der, "ES256")
        self._public = load_der_public_key(jose.public_part(private_der))
        now = int(time.time())
        claims = {"iss": issuer, "aud": AUDIENCE, "client_id": "9c8a7e1f-spa", "scope": "openid notes:read notes:write"}
        claims |= {"sub": "5f0e2c1b-alice", "iat": now, "exp": now + LIVE_FOR, "auth_time": now, "acr": "pwd"}
        claims |= further
        self.texts = [self.key.sign("at+jwt", {**claims, "jti": f"{number:043}"}) for number in range(TOKENS)]
        self._signed = [split(text) for text in self.texts]

    def verify_alone(self) -> None:
        """Nothing but the cryptography."""
        algorithm = ec.ECDSA(SHA256())
        for message, signature in self._signed:
            self._public.verify(signature, message, algorithm)  # type: ignore[union-attr,call-arg,arg-type]

    def decode_with_pyjwt(self) -> None:
        """PyJWT: signature, issuer, audience and times; no typ, no scope."""
        key = jwt.PyJWK(self.key.public_jwk)
        for text in self.texts:
            jwt.decode(text, key, ["ES256"], audience=AUDIENCE, issuer=self.issuer)

    def decode_with_joserfc(self) -> None:
        """joserfc: signature, issuer, audience and times; no typ, no scope."""
        key = import_key(self.key.public_jwk)
        registry = joserfc_jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer}, aud={"essential": True, "value": AUDIENCE}
        )
        for text in self.texts:
            registry.validate(joserfc_jwt.decode(text, key, algorithms=["ES256"]).claims)


def split(text: str) -> tuple[bytes, bytes]:
    """What was signed, and the signature as the library reads it."""
    message, _, signature = text.encode().rpartition(b".")
    raw = decode_octets(signature)
    return message, encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def answering(documents: dict[str, Any]) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """What answers HTTP requests for *documents* by the end of their path."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        body = json.dumps(next((documents[end] for end in documents if path.endswith(end)), {})).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    return answer


@asynccontextmanager
async def issuing(further: Mapping[str, Any] = MappingProxyType({})) -> AsyncIterator[Tokens]:
    """Tokens of an issuer that answers inside the block; *further* claims go into each."""
    documents: dict[str, Any] = {}
    listener = await asyncio.start_server(answering(documents), "127.0.0.1", 0)
    issuer = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    tokens = Tokens(issuer, jose.generate_key("ES256"), further)
    documents["/keys"] = jose.jwk_set([tokens.key])
    documents["/oauth-authorization-server"] = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"}
    async with listener:
        yield tokens


async def measure_guard(n: int, rounds: int) -> list[Line]:
    """Two figures: the whole of a request, and what is left of it without the signature's verification."""
    async with issuing() as tokens:
        guard = Guard(let_in, ResourceServer(tokens.issuer, audience=AUDIENCE), require("notes:read"))
        requests = [request_with(text) for text in tokens.texts]
        await send_all(guard, requests)
        costs = await take_turns(guard, requests, tokens, max(1, n // TOKENS), rounds)
    lines = summarize("guard", dict.fromkeys(costs, n), costs)
    beyond = [whole - alone for whole, alone in zip(costs["proofkey"], costs[ALONE], strict=True)]
    return [*lines, Line("guard_checks", "proofkey", median(beyond), n * rounds, None, None, min(beyond), max(beyond))]


async def take_turns(
    guard: Guard, requests: list[dict[str, Any]], tokens: Tokens, repeats: int, rounds: int
) -> dict[str, list[float]]:
    """Microseconds of CPU a token, of each subject, round by round; a warming round before."""
    others = {ALONE: tokens.verify_alone, "PyJWT": tokens.decode_with_pyjwt, "joserfc": tokens.decode_with_joserfc}
    costs: dict[str, list[float]] = {"proofkey": [], **{name: [] for name in others}}
    for turn in range(rounds + 1):
        spent = dict.fromkeys(costs, 0)
        for _ in range(repeats):
            began = time.process_time_ns()
            await send_all(guard, requests)
            spent["proofkey"] += time.process_time_ns() - began
            for name, verify in others.items():
                began = time.process_time_ns()
                verify()
                spent[name] += time.process_time_ns() - began
        if turn:
            for name, nanoseconds in spent.items():
                costs[name].append(nanoseconds / 1_000 / repeats / TOKENS)
    return costs


def request_with(token: str) -> dict[str, Any]:
    """The ASGI scope of a usual request."""
    sent = {"host": "api.example", "user-agent": "bench", "accept": "*/*", "authorization": f"Bearer {token}"}
    headers = [(name.encode(), value.encode()) for name, value in sent.items()]
    return {"type": "http", "method": "GET", "path": "/notes", "raw_path": b"/notes", "headers": headers}


async def send_all(guard: Guard, requests: list[dict[str, Any]]) -> None:
    """Every request once. Raises RuntimeError when one is not let in."""
    answers: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        answers.append(message["status"])

    for scope in requests:
        await guard(scope, receive, send)
    if answers != [204] * len(requests):
        raise RuntimeError("the guard did not let a good token in")


async def let_in(_scope: Any, _receive: Any, send: Any) -> None:
    """The guarded application."""
    await send({"type": "http.response.start", "status": 204})
