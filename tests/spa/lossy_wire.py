"""A wire between browser and issuer that loses answers: the issuer has acted, and the browser never hears of it.

It sits where the issuer's public address is, passes every byte on, writes down what the token endpoint was asked and what
it answered, adds headers to pages, and (where told to) cuts the connection: before the answer's first byte, or in the middle
of its body.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

TOKEN_PATH = "/oauth2/token"
Loses = Callable[["Exchange"], bool]


@dataclass(slots=True)
class Exchange:
    """One token request and what became of it. `answer` is what the issuer said, heard or not."""

    path: str
    asked: dict[str, str]
    headers: dict[str, str]
    status: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    is_lost: bool = False

    @property
    def grant_type(self) -> str:
        """Which kind of request it was."""
        return self.asked.get("grant_type", "")


class Dice:
    """Loses a share of the refresh answers, by seeded chance."""

    def __init__(self, share: float, seed: int = 7) -> None:
        self._share = share
        self._random = random.Random(seed)

    def __call__(self, exchange: Exchange) -> bool:
        return exchange.grant_type == "refresh_token" and self._random.random() < self._share


@dataclass(slots=True)
class LossyWire:
    """The wire. `exchanges` are the token requests in the order of their answers; `loses` decides which answers go astray."""

    to_port: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    loses: Loses = lambda _exchange: False
    delay: float = 0.0
    page_headers: bytes = b""
    _flip: bool = False
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    def refreshes(self, since: int = 0) -> list[Exchange]:
        """The refresh requests after the first *since* token requests."""
        return [each for each in self.exchanges[since:] if each.grant_type == "refresh_token"]

    def redemptions(self, since: int = 0) -> list[Exchange]:
        """The code redemptions after the first *since* token requests."""
        return [each for each in self.exchanges[since:] if each.grant_type == "authorization_code"]

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the browser."""
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._pass_one(reader, writer, up_reader, up_writer):
                pass
        for each in (writer, up_writer):
            each.close()
            with suppress(ConnectionError):
                await each.wait_closed()

    async def hang_up(self) -> None:
        """Let go of whoever still waits for an answer."""
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections)

    async def _pass_one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> bool:
        head, body = await read_message(reader)
        up_writer.write(head + body)
        await up_writer.drain()
        answer_head, answer_body = await read_message(up_reader, is_bodyless=head.startswith(b"HEAD"))
        if b"content-type: text/html" in answer_head.lower():
            answer_head = answer_head[:-2] + self.page_headers + b"\r\n"
        exchange = self._note(head, body, answer_head, answer_body)
        if exchange and self.delay:
            await asyncio.sleep(self.delay)
        if exchange and self.loses(exchange):
            exchange.is_lost = True
            self._flip = not self._flip
            if self._flip:
                writer.write(answer_head + answer_body[: len(answer_body) // 2])
                await writer.drain()
            return False
        writer.write(answer_head + answer_body)
        await writer.drain()
        return True

    def _note(self, head: bytes, body: bytes, answer_head: bytes, answer_body: bytes) -> Exchange | None:
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if method != "POST" or not path.endswith(TOKEN_PATH):
            return None
        answer = json.loads(answer_body) if answer_body else {}
        asked = dict(parse_qsl(body.decode()))
        exchange = Exchange(path, asked, headers_of(head), int(answer_head.split(b" ", 2)[1]), answer)
        self.exchanges.append(exchange)
        return exchange


def headers_of(head: bytes) -> dict[str, str]:
    """The headers of a message, names in lower case."""
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


async def read_message(reader: asyncio.StreamReader, *, is_bodyless: bool = False) -> tuple[bytes, bytes]:
    """Head and body of one HTTP/1.1 message with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    headers = headers_of(head)
    assert "chunked" not in headers.get("transfer-encoding", ""), head
    length = 0 if is_bodyless else int(headers.get("content-length", 0))
    return head, await reader.readexactly(length)


@asynccontextmanager
async def lossy_wire() -> AsyncIterator[tuple[int, LossyWire]]:
    """A wire that listens on both loopback addresses; its port, and the wire, which is yet to be told where it leads."""
    wire = LossyWire()
    server = await asyncio.start_server(wire.connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    other = await asyncio.start_server(wire.connect, "::1", port)
    try:
        yield port, wire
    finally:
        for listener in (server, other):
            listener.close()
        await wire.hang_up()
