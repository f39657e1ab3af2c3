"""One HTTP/1.1 connection: how much it may send, how long it may keep us waiting, and how many there may be (RFC 9112).

1. The head of a request is bounded: whoever sends header upon header is told so (431) and costs no memory.
2. What follows the head is bounded, too; fields behind the last chunk are dropped (RFC 9110 §6.5.1): nobody asks for them.
3. A client that owes the rest of a request, or does not read its answer, is cut off after `PATIENCE` and a sweep at most.
4. Where there are too many connections, the oldest that waits for its client makes room for the new one.

The parser itself would collect and wait for ever. Nothing here starts a timer per request.
"""

from __future__ import annotations

import json
from asyncio import Transport
from collections.abc import Iterable
from itertools import count
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 65_536
"""Bytes of request line and headers, above which no more is read."""
MAX_REQUEST = 4 * 1_024 * 1_024
"""Bytes of a whole request; endpoints refuse what is far smaller, in words."""
PATIENCE = 15.0
"""Seconds that one and the same request may be under way to us, or its answer to the client."""
MAX_CONNECTIONS = 900
"""Per listener: below the 1,024 files that a process may usually have open, with room for the database."""
_HEAD_TOO_LONG = "The request line and headers are too long [head_too_long]"
_BODY = json.dumps({"error": "invalid_request", "error_description": _HEAD_TOO_LONG}).encode()
_REFUSE_HEAD = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)
_NUMBERS = count()


class _Nowhere(list[tuple[bytes, bytes]]):
    """A list that stays empty. To ask at each header whether the head is complete would cost more than a microsecond."""

    def append(self, _field: tuple[bytes, bytes], /) -> None:
        """Keep nothing."""


_NOWHERE = _Nowhere()


class Connection(HttpToolsProtocol):
    """HTTP/1.1 within bounds. A scope gets its method when its head is complete."""

    _request: object = None
    _size = 0
    _number = 0
    _waited_for: object = None
    _waits_since = 0.0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take the connection, and let go of another where there are too many."""
        super().connection_made(transport)
        self._number = next(_NUMBERS)
        if len(self.connections) > MAX_CONNECTIONS:
            waiting = [each for each in self.connections if isinstance(each, Connection) and each._may_go]
            min(waiting, key=lambda each: each._number).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and count what belongs to the request that is under way."""
        super().data_received(data)
        scope = self.scope
        if scope is not self._request:
            self._request, self._size = scope, 0
        self._size += len(data)
        if self._size > MAX_HEAD:
            self._bound()

    def _bound(self) -> None:
        is_head = self.scope is not None and "method" not in self.scope
        if self.transport.is_closing():
            return
        if is_head:
            self.transport.write(_REFUSE_HEAD)
        if is_head or self._size > MAX_REQUEST:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Begin the request. Whatever field comes from here on is a trailer, and goes nowhere."""
        super().on_headers_complete()
        self.headers = _NOWHERE

    @property
    def _is_stuck(self) -> bool:
        """Whether bytes of ours wait for a client that does not read."""
        return self.flow.write_paused or self.transport.is_closing()

    @property
    def _is_owed(self) -> bool:
        """Whether nobody but the client can bring this connection forward."""
        cycle = self.cycle
        return bool(cycle is None or cycle.response_complete or cycle.more_body or self._is_stuck)

    @property
    def _may_go(self) -> bool:
        return self._is_owed and not self.transport.is_closing()

    def check_progress(self, now: float) -> None:
        """Hang up where the client has owed us the same request since `PATIENCE` before *now* (the loop's time).

        Between requests uvicorn's keep-alive timer runs; it stops with the next byte, whatever that is.
        """
        is_resting = self.timeout_keep_alive_task is not None and not self._is_stuck
        if is_resting or not self._is_owed:
            self._waited_for = None
            return
        request = self.scope or self
        if request is not self._waited_for:
            self._waited_for, self._waits_since = request, now
        elif now - self._waits_since >= PATIENCE:
            self.transport.abort()


def sweep(connections: Iterable[Any], now: float) -> None:
    """Look after every connection; costs nothing in between."""
    for connection in tuple(connections):
        if isinstance(connection, Connection):
            connection.check_progress(now)
