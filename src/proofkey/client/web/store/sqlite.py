"""Sessions in a SQLite file, for the processes of one machine (the standard library's driver, rollback journal).

1. Statements run in two threads, never in the event loop: who is looked up does not wait behind what is written.
2. All that waits to be written is one transaction: a crowd that begins to sign in costs one commit, not one each.
3. `synchronous=FULL`: what was answered survives a crash. Processes take turns at the file's lock.
4. No write-ahead log: before SQLite 3.51.3, 3.50.7 and 3.44.6 processes that share one can corrupt the file
   (https://sqlite.org/wal.html#walresetbug), and few systems have those.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from proofkey.client.web.store.contract import StoreUnavailable
from proofkey.client.web.store.sql import SCHEMA, SqlStore

ANSWER_WITHIN = 10.0
LOCKED_FOR = 10.0
"""Seconds to wait for another process's turn."""
LOOKED_AGAIN_AFTER = 0.001
"""Seconds between two tries of a look-up while somebody commits."""
OTHERS = 0o077
Rows: TypeAlias = list[Any]

_log = logging.getLogger("proofkey.client.web")


class SqliteStore(SqlStore):
    """Sessions in the file *path*, which where it is missing is made, readable by its owner alone.

    One that is there is taken as it is; where it is open to others the log warns.

    >>> from proofkey.client.web import SqliteStore
    >>> SqliteStore("sessions.db").path.name
    'sessions.db'
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._connections: tuple[_Connection, _Connection] | None = None
        self._process = 0

    async def open(self) -> None:
        """Open the file. What a parent process opened is left to it. Raises `StoreUnavailable`."""
        if self._connections is not None and self._process == os.getpid():
            return
        self._connections, self._process = (
            (_Connection(self.path, 0.0), _Connection(self.path, LOCKED_FOR)),
            os.getpid(),
        )
        try:
            await asyncio.gather(*(self._run(statement.format(bytes="BLOB")) for statement in SCHEMA))
        except StoreUnavailable:
            await self.close()
            raise
        if os.name == "posix" and self.path.stat().st_mode & OTHERS:
            _log.warning("%s is open to others, who could end sessions or bring them back: chmod 600", self.path)

    async def close(self) -> None:
        """Close the file."""
        connections, self._connections = self._connections, None
        if connections is not None and self._process == os.getpid():
            for connection in connections:
                await connection.close()

    async def _run(self, statement: str, *arguments: Any) -> Sequence[Sequence[Any]]:
        if self._connections is None:
            raise StoreUnavailable("the store is not open")
        reading, writing = self._connections
        statement = statement.replace("$", "?")
        begun = reading.read if statement.startswith("SELECT") else writing.write
        try:
            async with asyncio.timeout(ANSWER_WITHIN):  # for those before it in the thread, too
                return await asyncio.wrap_future(begun(statement, arguments))
        except (sqlite3.Error, OSError) as failure:  # TimeoutError is an OSError
            raise StoreUnavailable(str(failure) or type(failure).__name__) from failure


@dataclass(frozen=True, slots=True)
class _Write:
    """A statement that waits, and the rows that it comes to."""

    statement: str
    arguments: Sequence[Any]
    rows: Future[Rows] = field(default_factory=Future)


class _Connection:
    """One connection to the file at *path*, and the thread it is used in; SQLite waits for locks *locked_for* seconds."""

    def __init__(self, path: Path, locked_for: float) -> None:
        self._path = path
        self._locked_for = locked_for
        self._thread = ThreadPoolExecutor(1, "proofkey-sessions")
        self._opened: sqlite3.Connection | None = None
        self._waiting: deque[_Write] = deque()

    def read(self, statement: str, arguments: Sequence[Any]) -> Future[Rows]:
        """Begin a look-up."""
        return self._thread.submit(self._look_up, statement, arguments)

    def write(self, statement: str, arguments: Sequence[Any]) -> Future[Rows]:
        """Have it written with whatever else waits by then."""
        write = _Write(statement, arguments)
        self._waiting.append(write)
        self._thread.submit(self._write_waiting)
        return write.rows

    async def close(self) -> None:
        """Bring what was begun to its end, and let go."""
        await asyncio.wrap_future(self._thread.submit(self._let_go))
        self._thread.shutdown()

    def _open(self) -> sqlite3.Connection:
        if self._opened is None:
            self._path.touch(mode=0o600)
            self._opened = sqlite3.connect(self._path, timeout=self._locked_for, isolation_level=None)
            self._opened.execute("PRAGMA synchronous=FULL")
        return self._opened

    def _let_go(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def _look_up(self, statement: str, arguments: Sequence[Any]) -> Rows:
        """Its rows, between two commits: SQLite itself waits in ever longer naps, and sleeps through what busy writers leave."""
        until = time.monotonic() + LOCKED_FOR
        while True:
            try:
                return self._open().execute(statement, arguments).fetchall()
            except sqlite3.OperationalError as failure:
                if getattr(failure, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                    raise
            time.sleep(LOOKED_AGAIN_AFTER)

    def _write_waiting(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        writes = [write for write in waiting if write.rows.set_running_or_notify_cancel()]
        for write, outcome in zip(writes, self._commit(writes), strict=True):
            if isinstance(outcome, Exception):
                write.rows.set_exception(outcome)
            else:
                write.rows.set_result(outcome)

    def _commit(self, writes: Sequence[_Write]) -> list[Rows | Exception]:
        """The rows of each, once all are committed."""
        if not writes:
            return []
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                return [_attempt(connection, write) for write in writes]
        except Exception as failure:  # whoever waits hears of it
            return [failure] * len(writes)


def _attempt(connection: sqlite3.Connection, write: _Write) -> Rows | Exception:
    """Its rows; a statement that fails fails its caller alone, unless it took the transaction with it."""
    try:
        return connection.execute(write.statement, write.arguments).fetchall()
    except Exception as failure:
        if not connection.in_transaction:
            raise
        return failure
