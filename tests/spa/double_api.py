"""An API's double for the browser tests: takes any bearer token it was not told to refuse, and asks for step-up where told to."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from proofkey.guard.asgi import Receive, Scope, Send

REFUSED = b'Bearer error="invalid_token", error_description="The access token is not accepted any more"'


@dataclass(slots=True)
class DoubleApi:
    """`GET /…` answers what was asked. `seen` are the authorization headers, in order; `refused` the tokens of times past."""

    seen: list[str] = field(default_factory=list)
    proofs: list[str] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    refuses_all: bool = False
    moved_to: str = ""
    step_up: str = ""
    step_up_met: Any = None

    def forget(self) -> None:
        """As it was in the beginning."""
        self.seen.clear()
        self.proofs.clear()
        self.accepted.clear()
        self.refused.clear()
        self.refuses_all, self.moved_to, self.step_up, self.step_up_met = False, "", "", None

    def refuse_all_so_far(self) -> None:
        """Every token that was accepted until now is refused from now on."""
        self.refused |= set(self.accepted)
        self.accepted.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "OPTIONS":
            await _answer(send, 204, None)
            return
        sent = dict(scope["headers"]).get(b"authorization", b"").decode()
        self.seen.append(sent)
        self.proofs += [dict(scope["headers"])[b"dpop"].decode()] if b"dpop" in dict(scope["headers"]) else []
        token = sent.partition(" ")[2]
        if scope["path"] == "/moved":
            await _answer(send, 307, {}, location=self.moved_to.encode())
        elif not token or token in self.refused or self.refuses_all:
            await _answer(send, 401, {"error": "invalid_token"}, REFUSED)
        elif scope["path"].startswith("/vault") and self.step_up and not self.step_up_met(token):
            await _answer(send, 401, {"error": "insufficient_user_authentication"}, self.step_up.encode())
        else:
            self.accepted[token] += 1
            await _answer(send, 200, {"path": scope["path"], "method": scope["method"]})


async def _answer(
    send: Send, status: int, content: Any, challenge: bytes | None = None, location: bytes | None = None
) -> None:
    body = b"" if content is None else json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-headers", b"authorization, dpop, content-type, x-own"),
        (b"access-control-allow-methods", b"GET, POST, PUT"),
        (b"access-control-expose-headers", b"WWW-Authenticate, DPoP-Nonce"),
        (b"access-control-max-age", b"600"),
    ]
    for name, value in ((b"www-authenticate", challenge), (b"location", location)):
        if value is not None:
            headers.append((name, value))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
