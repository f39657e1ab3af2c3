"""A request's body on its way to an API: streamed, bounded, and kept where it is small enough to be sent twice.

Who takes the body to its end is also who can hear of a browser that leaves afterwards (ASGI 3: `http.disconnect`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from proofkey.client.web.api import Api
from proofkey.client.web.message import Request
from proofkey.protocol.errors import InvalidRequest
from proofkey.protocol.records import SECOND

KEPT = 65_536


class BodyTooLarge(InvalidRequest):
    """More than the API takes: 413."""


class LengthRequired(InvalidRequest):
    """A body in chunks, behind a server that does not say where it ends: 411."""


class RequestBody:
    """The body of *request*, as long and as slow as *api* takes one.

    `start` reads the first part. A body that ends within `KEPT` bytes can be sent any number of times, a longer one once.
    """

    def __init__(self, request: Request, api: Api) -> None:
        self._receive = request.receive
        self._declared = request.header("content-length") or ""
        self._limit = api.max_request
        self._timeout = api.timeout_for / SECOND
        self._first = b""
        self._more = True
        self._taken = asyncio.Event()
        self._sent = False

    async def start(self) -> None:
        """Read what may be kept. Raises `InvalidRequest`."""
        while self._more and len(self._first) <= KEPT:
            self._first += await self._next(len(self._first))

    async def _next(self, so_far: int) -> bytes:
        try:
            async with asyncio.timeout(self._timeout):
                message = await self._receive()
        except TimeoutError:
            raise InvalidRequest("proxied_body_too_slow", "The body does not go on") from None
        if message["type"] == "http.disconnect":
            raise InvalidRequest("proxied_body_incomplete", "The body ended before its length")
        self._more = message.get("more_body", False)
        if not self._more:
            self._taken.set()
        chunk: bytes = message.get("body", b"")
        if so_far + len(chunk) > self._limit:
            raise BodyTooLarge("proxied_body_too_large", "The body is larger than this API takes")
        return chunk

    @property
    def is_whole(self) -> bool:
        """True where it was read to its end, so that it can be sent again."""
        return not self._more

    @property
    def can_be_sent(self) -> bool:
        """False for a streamed body that was sent already."""
        return self.is_whole or not self._sent

    def content(self) -> bytes | AsyncIterator[bytes]:
        """What to send."""
        self._sent = True
        return self._first if self.is_whole else self._stream()

    def length(self) -> list[tuple[bytes, bytes]]:
        """The header for a streamed body whose length was declared; others tell their length by themselves."""
        streamed = not self.is_whole and self._declared.isascii() and self._declared.isdigit()
        return [(b"content-length", self._declared.encode("ascii"))] if streamed else []

    async def _stream(self) -> AsyncIterator[bytes]:
        size = len(self._first)
        yield self._first
        while self._more:
            chunk = await self._next(size)
            size += len(chunk)
            if chunk:
                yield chunk

    @asynccontextmanager
    async def until_left(self) -> AsyncIterator[None]:
        """Stop the block, in silence, when the browser leaves: servers swallow what is sent to nobody."""
        try:
            async with asyncio.timeout(None) as stay:
                watching = asyncio.create_task(self._watch(stay))
                try:
                    yield
                finally:
                    watching.cancel()
        except TimeoutError:
            if not stay.expired():
                raise

    async def _watch(self, stay: asyncio.Timeout) -> None:
        """A server that tells of no browser leaving, but of a body without end, is asked no more; nor one that fails."""
        await self._taken.wait()
        with suppress(Exception):
            if (await self._receive())["type"] == "http.disconnect":
                stay.reschedule(asyncio.get_running_loop().time())
