"""An issuer for the guard's tests: real keys, real metadata, a count of who asked, and everything about it can go wrong."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

from proofkey import jose
from proofkey.protocol.records import MINUTE, seconds

NOON = 1_800_000_000_000
KEY = jose.SigningKey(jose.generate_key("ES256"), "ES256")
OTHER_KEY = jose.SigningKey(jose.generate_key("ES256"), "ES256")
RSA_KEY = jose.SigningKey(jose.generate_key("RS256"), "RS256")


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        """The moment it shows, in milliseconds."""
        return self.now

    def turn(self, forward_for: int) -> None:
        """Move on by that many milliseconds."""
        self.now += forward_for


class SampleIssuer:
    """Metadata and keys under *issuer*, as an ASGI application."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.keys = [KEY, RSA_KEY]
        self.asked: Counter[str] = Counter()
        self.metadata: dict[str, Any] = {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/jwks",
            "introspection_endpoint": f"{issuer}/introspect",
        }
        self.known: dict[str, dict[str, Any]] = {}
        """What introspection says of a token; of others it says that they are not active."""
        self.introspection_status = 200
        self.questions: list[tuple[str, str]] = []
        self.only_openid = False
        self.padding = 0
        self.under_way, self.most_under_way = 0, 0
        """Questions about tokens: now, and at most."""
        self.answers_after = 0.0
        """Seconds until an answer."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a GET for metadata or keys, or a POST for introspection."""
        path = scope["path"]
        self.asked[path] += 1
        self.under_way += path.endswith("/introspect")
        await asyncio.sleep(self.answers_after)
        status, body = 404, b"{}"
        if path.endswith("/jwks"):
            status, body = 200, json.dumps(jose.jwk_set(self.keys)).encode() + b" " * self.padding
        elif path.endswith("/introspect"):
            status, body = self.introspection_status, json.dumps(await self._introspect(scope, receive)).encode()
            self.under_way -= 1
        elif path.endswith("/openid-configuration") or (".well-known" in path and not self.only_openid):
            status, body = 200, json.dumps(self.metadata).encode()
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": body})

    async def _introspect(self, scope: Any, receive: Any) -> dict[str, Any]:
        asked = await receive()
        if asked["type"] == "http.disconnect":  # nobody waits any more
            return {}
        (token,) = parse_qs(asked["body"].decode())["token"]
        self.most_under_way = max(self.most_under_way, self.under_way)
        self.questions.append((dict(scope["headers"])[b"authorization"].decode(), token))
        return self.known.get(token, {"active": False})

    def fetches(self) -> int:
        """How often the keys were asked for."""
        return sum(count for path, count in self.asked.items() if path.endswith("/jwks"))

    def claims(self, now: int = NOON, **changed: Any) -> dict[str, Any]:
        """The claims of a good access token; `None` takes one out."""
        good = {
            "iss": self.issuer,
            "aud": "https://api.example",
            "sub": "alice",
            "client_id": "spa",
            "scope": "notes:read",
            "iat": seconds(now),
            "exp": seconds(now + 5 * MINUTE),
            "jti": "1",
        }
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def token(self, key: jose.SigningKey = KEY, typ: str = "at+jwt", **changed: Any) -> str:
        """A signed access token."""
        return key.sign(typ, self.claims(**changed))
