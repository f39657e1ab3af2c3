"""A wire between a store and PostgreSQL that can be cut at the worst moment: after COMMIT, before its answer arrives."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

_COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""CommandComplete of a COMMIT (PostgreSQL's frontend/backend protocol, message formats)."""


class CuttingProxy:
    """Forwards 127.0.0.1:*port* to PostgreSQL's own port; `cut_next` loses the answer of the next COMMIT."""

    def __init__(self, database_port: int) -> None:
        self._database_port = database_port
        self._tasks: set[asyncio.Task[None]] = set()
        self._armed = False
        self.cuts = 0
        self.port = 0

    async def open(self) -> None:
        """Listen on a port of the system's choice."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Hang up."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_next(self) -> None:
        """From here on the next answer to a COMMIT is lost, and its connection with it."""
        assert not self._armed
        self._armed = True

    async def _connect(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        database_reader, database_writer = await asyncio.open_connection("127.0.0.1", self._database_port)
        try:
            done, pending = await asyncio.wait(
                {
                    asyncio.ensure_future(_forward(reader, database_writer)),
                    asyncio.ensure_future(self._answer(database_reader, writer)),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )
            for side in pending:
                side.cancel()
            await asyncio.gather(*done, *pending, return_exceptions=True)
        finally:
            for end in (writer, database_writer):
                end.transport.abort()
            self._tasks.discard(task)

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        while piece := await reader.read(65_536):
            if self._armed and _COMMITTED in piece:
                self._armed = False
                self.cuts += 1
                return
            writer.write(piece)
            await writer.drain()


async def _forward(reader: StreamReader, writer: StreamWriter) -> None:
    while piece := await reader.read(65_536):
        writer.write(piece)
        await writer.drain()
