"""One WSGI request, told as ASGI does, between the thread that answers it and the event loop (PEP 3333, ASGI 3).

1. The body is read in the thread that the server gave this request: a slow browser keeps that one alone. Of one that came in
   chunks only the server knows the end: it says whether its input ends there (`wsgi.input_terminated`), else nothing is read.
2. Whatever becomes of the event loop's side, the thread that waits for it hears of it.
"""

from __future__ import annotations

import asyncio
import queue
import re
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from proofkey.client.web.message import Message, Scope
from proofkey.client.web.request_body import LengthRequired

CHUNK = 65_536
UNTIL_ITS_END, UNKNOWN = -1, -2
"""How long a body is that came in chunks."""
WAITING = 8
"""How many pieces of an answer wait for the server to take them."""
_AUTHORITY = re.compile(rb"\A[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
"""What an absolute-form target (RFC 9112 §3.2.2) has before its path."""


class Exchange:
    """The request in *environ*, and the messages of its answer."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.scope = read_scope(environ)
        self._input = environ["wsgi.input"]
        self._left = _length_of(environ)
        self._given_up: Future[None] = Future()
        self._messages: queue.Queue[Message | BaseException | _Reading] = queue.Queue(WAITING)
        self._is_given_up = self._is_told = False

    async def run(self, app: Callable[..., Awaitable[None]]) -> None:
        """Let *app* answer; its failure is the answer where it has one."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception as failure:  # raised again in the thread that waits for the answer, if one does
            if not self._is_given_up:
                await self._put(failure)

    async def receive(self) -> Message:
        """The next piece of the body, which the request's own thread reads; then that nobody waits. Raises `Refusal`."""
        if self._left == UNKNOWN:
            raise LengthRequired("length_missing", "This server takes no body without Content-Length")
        if self._left:
            reading = _Reading(CHUNK if self._left == UNTIL_ITS_END else min(CHUNK, self._left))
            await self._put(reading)
            return self._took(await asyncio.wrap_future(reading.read))
        if not self._is_told:
            self._is_told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.wrap_future(self._given_up)
        return {"type": "http.disconnect"}

    def _took(self, body: bytes | None) -> Message:
        if body is None or (not body and self._left != UNTIL_ITS_END):
            return {"type": "http.disconnect"}
        if self._left != UNTIL_ITS_END:
            self._left -= len(body)
        elif not body:
            self._left = 0
        self._is_told = self._left == 0
        return {"type": "http.request", "body": body, "more_body": self._left != 0}

    async def send(self, message: Message) -> None:
        """Hand over a piece of the answer."""
        await self._put(message)

    async def _put(self, message: Message | BaseException | _Reading) -> None:
        while not self._is_given_up:
            try:
                self._messages.put_nowait(message)
            except queue.Full:
                await asyncio.sleep(0.005)
            else:
                break
        if self._is_given_up:
            raise ConnectionResetError("the server gave the answer up")

    def ended(self, running: Future[None]) -> None:
        """`run` came to its end; where it was stopped (the sign-in was closed), nothing else would tell the thread."""
        if running.cancelled():
            self._take_all()
            self._messages.put_nowait(ConnectionResetError("the sign-in was closed"))

    def _take_all(self) -> None:
        """What waits for the thread is in vain."""
        with suppress(queue.Empty):
            while True:
                message = self._messages.get_nowait()
                if isinstance(message, _Reading):
                    message.fill(None)

    def next_message(self) -> Message:
        """Wait for a piece of the answer, and read the body meanwhile. Raises what the application raised."""
        while isinstance(message := self._messages.get(), _Reading):
            message.fill(self._read(message.size))
        if isinstance(message, BaseException):
            raise message
        return message

    def _read(self, size: int) -> bytes | None:
        try:
            body: bytes = self._input.read(size)
        except OSError:  # the browser went away: servers say so with errors of this family, and of their own
            return None
        return body

    def __iter__(self) -> Iterator[bytes]:
        """The rest of the answer, piece by piece."""
        more = True
        while more:
            message = self.next_message()
            more = message.get("more_body", False)
            yield message.get("body", b"")

    def close(self) -> None:
        """Nobody wants more of the answer (PEP 3333: servers call it, whatever happened)."""
        if not self._is_given_up and self._given_up.set_running_or_notify_cancel():
            self._given_up.set_result(None)
        self._is_given_up = True
        self._take_all()


class _Reading:
    """A wish for a piece of the body of at most *size* bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.read: Future[bytes | None] = Future()

    def fill(self, body: bytes | None) -> None:
        """Grant it, where somebody still waits; None where the body broke off."""
        if self.read.set_running_or_notify_cancel():
            self.read.set_result(body)


def _length_of(environ: dict[str, Any]) -> int:
    if "chunked" in str(environ.get("HTTP_TRANSFER_ENCODING", "")).lower():
        return UNTIL_ITS_END if environ.get("wsgi.input_terminated") else UNKNOWN
    declared = environ.get("CONTENT_LENGTH") or "0"
    return int(declared) if declared.isascii() and declared.isdigit() else 0


def read_scope(environ: dict[str, Any]) -> Scope:
    """The ASGI scope of a WSGI request."""
    path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": path.decode("utf-8", "replace"),
        "raw_path": _raw_path(environ, path),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": _headers(environ),
        "client": (environ.get("REMOTE_ADDR", ""), 0),
    }


def _raw_path(environ: dict[str, Any], path: bytes) -> bytes:
    """The path as it was sent, where the server tells it and it is the path it decoded."""
    for name in ("RAW_URI", "REQUEST_URI"):
        sent = _AUTHORITY.sub(b"", str(environ.get(name, "")).partition("?")[0].encode("latin-1", "replace"))
        if sent.startswith(b"/") and unquote_to_bytes(sent) == path:
            return sent
    return quote(path).encode("ascii")


def _headers(environ: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    named = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
    named |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    return [
        (name.lower().replace("_", "-").encode("latin-1"), str(value).encode("latin-1"))
        for name, value in named.items()
    ]
