"""An API of the test's own, listening for real: remembers what it was sent and answers what it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from proofkey.protocol.base64url import decode_base64url
from tests.listening import bind, listening


@dataclass
class Sent:
    """One request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for sent, value in self.headers if sent == name]

    @property
    def token(self) -> str:
        """The access token."""
        return self.all("authorization")[0].partition(" ")[2]


@dataclass
class Reply:
    """What is answered; *after* is sent in pieces."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("content-type", "application/json")])
    body: bytes = b'{"notes": []}'
    pieces: int = 1


@dataclass
class SampleApi:
    """`sent` are the requests in their order; `reply` makes the answer."""

    url: str = ""
    sent: list[Sent] = field(default_factory=list)
    reply: Callable[[Sent], Reply] = lambda _sent: Reply()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        target = scope["raw_path"].decode() + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        self.sent.append(Sent(scope["method"], target, headers, body))
        reply = self.reply(self.sent[-1])
        raw = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        for _ in range(reply.pieces - 1):
            await send({"type": "http.response.body", "body": reply.body, "more_body": True})
        await send({"type": "http.response.body", "body": reply.body})


@contextmanager
def sample_api() -> Iterator[SampleApi]:
    """An API that listens as long as the block runs."""
    api = SampleApi()
    with listening(api, bind()) as url:
        api.url = url
        yield api


def echo(sent: Sent) -> Reply:
    """Tell the caller what arrived."""
    return Reply(body=json.dumps({"target": sent.target, "size": len(sent.body)}).encode())


def payload_of(token: str) -> bytes:
    """What a JWT says, unverified."""
    return decode_base64url(token.split(".")[1])
