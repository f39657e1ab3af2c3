"""One kept-alive HTTP/1.1 connection for tests that send thousands of requests (RFC 9112): bytes out, an answer in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """A header, or an empty string."""
        return self.headers.get(name, "")


class Connection:
    """Opened by the first request, and again where the server closed it."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self._host, self._port = at.hostname or "", at.port or 80
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader

    async def send(self, request: bytes) -> Answer:
        """The answer to *request*. Raises OSError where the server is gone, or hangs up before its answer is whole."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(request)
        try:
            answer = await self._read()
        except asyncio.IncompleteReadError:
            raise ConnectionResetError("the server hung up") from None
        if answer.header("connection").lower() == "close":
            self.close()
        return answer

    async def _read(self) -> Answer:
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(status.split(" ", 2)[1]), headers, body)

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def get(authority: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The bytes of a GET."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {target} HTTP/1.1\r\nHost: {authority}\r\n{lines}\r\n".encode("latin-1")


def post_form(authority: str, target: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    """The bytes of a POST of a form."""
    body = urlencode(fields).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, **form}.items())
    return f"POST {target} HTTP/1.1\r\nHost: {authority}\r\n{lines}\r\n".encode("latin-1") + body
