"""A small HTTP/1.1 client over one kept-alive connection (RFC 9112): ready-made bytes out, one parsed answer in."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

import httptools

TIMEOUT = 30.0
"""Seconds after which an answer is given up."""


@dataclass(slots=True)
class Answer:
    """One response."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The first header of this name (lower case), or an empty string."""
        wanted = name.encode()
        return next((value.decode("latin-1") for key, value in self.headers if key == wanted), "")


class Connection(asyncio.Protocol):
    """One connection, one request at a time; opened again where the server closed it."""

    def __init__(self, origin: str) -> None:
        parts = urlsplit(origin)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.authority = parts.netloc
        self.transport: asyncio.Transport | None = None
        self.waiting: asyncio.Future[Answer] | None = None

    async def send(self, request: bytes) -> Answer:
        """The answer to *request*. Raises ConnectionError when the server hangs up, TimeoutError when it is silent."""
        if self.transport is None or self.transport.is_closing():
            await asyncio.get_running_loop().create_connection(lambda: self, self.host, self.port)
        assert self.transport is not None
        self.answer = Answer()
        self.parser = httptools.HttpResponseParser(self)
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await asyncio.wait_for(self.waiting, TIMEOUT)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, received: bytes) -> None:
        self.parser.feed_data(received)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(exc or ConnectionResetError("the server hung up"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self.answer.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.answer.body += body

    def on_message_complete(self) -> None:
        self.answer.status = self.parser.get_status_code()
        if not self.parser.should_keep_alive():
            self.close()
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(self.answer)


def get(authority: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The bytes of a GET."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\n{lines}\r\n".encode("latin-1")


def post_form(authority: str, target: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    """The bytes of a POST of a form."""
    body = urlencode(fields).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\n{lines}"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def basic(client_id: str, client_secret: str) -> str:
    """The Authorization header of a confidential client (RFC 6749 §2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
    return "Basic " + b64encode(pair.encode()).decode("ascii")
