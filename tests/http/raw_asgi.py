"""Calling the application with bytes that no HTTP client would send, and what must hold of every answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from proofkey.server.app import App
from tests.engine import APP, ISSUER

CLEAR = frozenset({200, 204, 303, 400, 401, 403, 404, 405, 413, 415, 429})
FORM = (b"content-type", b"application/x-www-form-urlencoded")
WELCOME = (ISSUER, APP, "http://127.0.0.1", "http://[::1]", "com.example.demo:/callback")


@dataclass(frozen=True)
class Answer:
    """One answer, whole."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The first header called *name*."""
        return next((value for found, value in self.headers if found == name), None)


async def call(
    app: App,
    method: str,
    path: str,
    query: bytes = b"",
    headers: Iterable[tuple[bytes, bytes]] = (),
    chunks: Sequence[bytes] = (b"",),
) -> Answer:
    """Send one request as a server would hand it over: names in lower case, the body in *chunks*."""
    messages: list[Any] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False
    waiting = iter(messages)
    sent: list[Any] = []

    async def receive() -> Any:
        return next(waiting, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in headers],
        "client": ("192.0.2.9", 9),
    }
    await app(scope, receive, send)
    start, *bodies = sent
    return Answer(start["status"], start["headers"], b"".join(message["body"] for message in bodies))


def is_clear(answer: Answer) -> None:
    """A clear answer: no failure of ours, a length that is right, no split header, and no foreign redirect."""
    assert answer.status in CLEAR, answer
    length = None if answer.status == 204 else str(len(answer.body)).encode()  # RFC 9110 §8.6
    assert length == answer.header(b"content-length"), answer
    for name, value in answer.headers:
        assert not set(b"\r\n\0") & {*name, *value}, answer
    location = answer.header(b"location")
    assert (location is not None) == (answer.status == 303)
    assert location is None or location.decode("ascii").startswith(WELCOME), answer
