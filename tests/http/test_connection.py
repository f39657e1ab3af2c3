"""What one connection may cost: trailers, endless requests, clients that say half and wait, and too many of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from proofkey.server import connection, listen

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
SIZED = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
MEGABYTE = 1_048_576


class Answering:
    """An application that reads the body and answers; what it was asked is kept."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.body = b"ok"
        self.wait_for = 0.0
        self.port = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.scopes.append(scope)
        while scope["path"] != "/unread":
            message = await receive()
            if message["type"] == "http.disconnect" or not message["more_body"]:
                break
        await asyncio.sleep(self.wait_for)
        length = str(len(self.body)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": self.body})


@pytest_asyncio.fixture
async def app() -> AsyncIterator[Answering]:
    """The application, listening."""
    answering, bound = Answering(), listen.bind("127.0.0.1", 0)
    ready, stop = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(listen.serve([listen.Listener(answering, [bound])], on_ready=ready.set, stop=stop))
    await asyncio.wait_for(ready.wait(), 10)
    answering.port = listen.port_of(bound)
    yield answering
    stop.set()
    await asyncio.wait_for(serving, 10)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience of a fifth of a second, and a sweep at every tick."""
    monkeypatch.setattr(connection, "PATIENCE", 0.2)
    monkeypatch.setattr(listen, "SWEEP_EVERY", 1)


class Client:
    """A connection that sends what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, sent: bytes) -> None:
        self.writer.write(sent)
        await self.writer.drain()

    async def answer(self) -> bytes:
        """The head of the next answer, and its body `ok`."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\nok"), 10)

    async def rest(self) -> bytes:
        """Everything until the server hangs up."""
        received = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await asyncio.wait_for(self.reader.read(65_536), 10):
                received += chunk
        return received


@contextlib.asynccontextmanager
async def connected(app: Answering) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", app.port))
    try:
        yield client
    finally:
        client.writer.close()
        with contextlib.suppress(ConnectionError):
            await client.writer.wait_closed()


async def test_trailers_are_dropped(app: Answering) -> None:
    async with connected(app) as client:
        await client.send(CHUNKED + b"3\r\nabc\r\n0\r\n" + b"x: y\r\n" * 10_000 + b"\r\n")
        assert (await client.answer()).startswith(b"HTTP/1.1 200 ")
        await client.send(GET)
        assert (await client.answer()).startswith(b"HTTP/1.1 200 ")
    assert [
        [(b"host", b"x"), (b"transfer-encoding", b"chunked")],
        [(b"host", b"x")],
    ] == [scope["headers"] for scope in app.scopes]


@pytest.mark.parametrize("endless", [b"x: y\r\n" * 10_000, b"x" * 65_536], ids=["fields", "one field"])
async def test_endless_trailers_end_the_connection(
    app: Answering, monkeypatch: pytest.MonkeyPatch, endless: bytes
) -> None:
    monkeypatch.setattr(connection, "MAX_REQUEST", MEGABYTE)
    sent = 0
    async with connected(app) as client:
        await client.send(CHUNKED + b"0\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 64 * MEGABYTE:
                await client.send(endless)
                sent += len(endless)
    assert sent < 32 * MEGABYTE


async def test_a_body_that_nobody_reads_ends_the_connection(app: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_REQUEST", MEGABYTE)
    sent = 0
    async with connected(app) as client:
        await client.send(b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n")
        await client.answer()
        with contextlib.suppress(ConnectionError):
            while sent < 64 * MEGABYTE:
                await client.send(b"x" * 65_536)
                sent += 65_536
    assert sent < 32 * MEGABYTE


async def test_requests_on_one_connection_are_counted_one_by_one(
    app: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_REQUEST", 100_000)
    async with connected(app) as client:
        for _ in range(4):
            await client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n" + b"x" * 60_000)
            assert (await client.answer()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("owed", [b"", b"\r\n", b"GE", GET[:-2], SIZED + b"a", CHUNKED + b"3\r\nabc\r\n0\r\n"])
async def test_who_says_half_is_not_waited_for(app: Answering, owed: bytes) -> None:
    async with connected(app) as client:
        await client.send(owed)
        assert b"" == await client.rest()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("owed", [b"\r\n", b"GE", SIZED + b"a"])
async def test_who_says_half_after_an_answer_is_not_waited_for(app: Answering, owed: bytes) -> None:
    async with connected(app) as client:
        await client.send(GET)
        await client.answer()
        await client.send(owed)
        assert b"" == await client.rest()


@pytest.mark.usefixtures("impatient")
async def test_progress_a_byte_at_a_time_is_none(app: Answering) -> None:
    sent = 0
    async with connected(app) as client:
        await client.send(SIZED)
        with contextlib.suppress(ConnectionError):
            while sent < 90:
                await client.send(b"a")
                sent += 1
                await asyncio.sleep(0.05)
    assert sent < 90


@pytest.mark.usefixtures("impatient")
async def test_who_does_not_read_is_not_waited_for(app: Answering) -> None:
    app.body = bytes(48 * MEGABYTE)
    async with connected(app) as client:
        await client.send(GET)
        await asyncio.sleep(1)
        read = 0
        with contextlib.suppress(ConnectionError):
            while chunk := await asyncio.wait_for(client.reader.read(65_536), 10):
                read += len(chunk)
        assert read < 48 * MEGABYTE


@pytest.mark.usefixtures("impatient")
async def test_who_waits_for_us_and_who_comes_back_is_waited_for(app: Answering) -> None:
    app.wait_for = 0.7
    async with connected(app) as client:
        for _ in range(2):
            await client.send(GET)
            assert (await client.answer()).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(0.7)


async def test_the_oldest_that_waits_for_its_client_makes_room(app: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 4)
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(app)) for _ in range(4)]
        app.wait_for = 1.0
        await clients[0].send(GET)
        await clients[1].send(GET[:9])
        while not app.scopes:
            await asyncio.sleep(0.01)
        newest = await stack.enter_async_context(connected(app))
        assert b"" == await clients[1].rest()
        for client in (newest, *clients[2:]):
            await client.send(GET)
        for client in (newest, clients[0], *clients[2:]):
            assert (await client.answer()).startswith(b"HTTP/1.1 200 ")


async def test_where_everybody_waits_for_us_the_newest_has_no_room(
    app: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 1)
    app.wait_for = 0.5
    async with connected(app) as first:
        await first.send(GET)
        while not app.scopes:
            await asyncio.sleep(0.01)
        async with connected(app) as second:
            assert b"" == await second.rest()
        assert (await first.answer()).startswith(b"HTTP/1.1 200 ")
