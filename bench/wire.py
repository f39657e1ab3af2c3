"""A small HTTP/1.1 client over one kept-alive connection (RFC 9112): ready-made bytes out, one answer in.

It does as little as it can, because on many machines the generator's core shares its caches and execution units with the
server's, and a busy generator makes the server look dearer.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import cast
from urllib.parse import quote, urlencode, urlsplit

END_OF_HEAD = b"\r\n\r\n"


class Answer:
    """One response: the raw head and body."""

    __slots__ = ("body", "head", "status")

    def __init__(self, head: bytes, body: bytes) -> None:
        self.status = int(head[9:12])
        self.head = head
        self.body = body

    def headers(self, name: bytes) -> list[str]:
        """All values of the header called *name* (lower case)."""
        pairs = (line.partition(b":") for line in self.head.split(b"\r\n")[1:])
        return [value.strip().decode("latin-1") for known, _, value in pairs if known.lower() == name]

    def header(self, name: bytes) -> str:
        """The first of them, or an empty string."""
        return next(iter(self.headers(name)), "")


class Connection(asyncio.Protocol):
    """One connection, one request at a time; opened again where the server closed it."""

    def __init__(self, origin: str) -> None:
        parts = urlsplit(origin)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.authority = parts.netloc
        self.transport: asyncio.Transport | None = None
        self.waiting: asyncio.Future[Answer] | None = None
        self.received = b""
        self.length = -1

    async def send(self, request: bytes) -> Answer:
        """The answer to *request*. Raises ConnectionError when the server hangs up before it is complete."""
        loop = asyncio.get_running_loop()
        if self.transport is None or self.transport.is_closing():
            await loop.create_connection(lambda: self, self.host, self.port)
        assert self.transport is not None
        self.received, self.length = b"", -1
        self.waiting = loop.create_future()
        self.transport.write(request)
        return await self.waiting

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass

    def data_received(self, data: bytes) -> None:
        self.received = self.received + data if self.received else data
        if self.length < 0:
            self.length = measure_answer(self.received)
        if 0 <= self.length <= len(self.received):
            self.finish()

    def finish(self) -> None:
        assert self.waiting is not None
        head, _, body = self.received.partition(END_OF_HEAD)
        if b"onnection: close" in head:
            self.close()
        self.waiting.set_result(Answer(head, body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(exc or ConnectionResetError("the server hung up"))


def measure_answer(received: bytes) -> int:
    """How many bytes the whole answer has; -1 while its head is not complete. Every server here states a length."""
    ends = received.find(END_OF_HEAD)
    if ends < 0:
        return -1
    head = received[:ends].lower()
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if not found:
        raise ValueError(f"an answer without Content-Length: {head[:200]!r}")
    return ends + len(END_OF_HEAD) + int(rest.partition(b"\r\n")[0])


def get(authority: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The bytes of a GET."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\n{lines}\r\n".encode("latin-1")


def form_head(authority: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The head of a POST of a form, up to the value of Content-Length."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\n{lines}"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
    )
    return head.encode("latin-1")


def with_body(head: bytes, body: bytes) -> bytes:
    """The whole POST: *head* is a `form_head`."""
    return b"%b%d\r\n\r\n%b" % (head, len(body), body)


def post_form(authority: str, target: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    """The bytes of a POST of a form."""
    return with_body(form_head(authority, target, headers), urlencode(fields).encode())


def basic(client_id: str, client_secret: str) -> str:
    """The Authorization header of a confidential client (RFC 6749 §2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
    return "Basic " + b64encode(pair.encode()).decode("ascii")
