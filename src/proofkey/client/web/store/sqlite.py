"""Sessions in a SQLite file, for the processes of one machine (the standard library's driver, rollback journal).

1. Statements run in one thread of their own, never in the event loop; each is one transaction.
2. `synchronous=FULL`: what was answered survives a crash. Processes take turns at the file's lock.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from proofkey.client.web.store.contract import StoreUnavailable
from proofkey.client.web.store.sql import SCHEMA, SqlStore

LOCKED_FOR = 10.0
"""Seconds to wait for another process's turn."""


class SqliteStore(SqlStore):
    """Sessions in the file *path*, which where it is missing is made, readable by its owner alone.

    >>> from proofkey.client.web import SqliteStore
    >>> SqliteStore("sessions.db").path.name
    'sessions.db'
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    async def open(self) -> None:
        """Open the file. What a parent process opened is left to it."""
        if self._thread is not None and self._process == os.getpid():
            return
        self._thread, self._process, self._connection = ThreadPoolExecutor(1, "proofkey-sessions"), os.getpid(), None
        try:
            await self._in_thread(self._connect)
        except StoreUnavailable:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the file."""
        thread, self._thread = self._thread, None
        if thread is not None and self._process == os.getpid():
            await asyncio.get_running_loop().run_in_executor(thread, self._disconnect)
            thread.shutdown()

    async def _run(self, statement: str, *arguments: Any) -> Sequence[Sequence[Any]]:
        rows: list[Any] = await self._in_thread(self._execute, statement.replace("$", "?"), arguments)
        return rows

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        if self._thread is None:
            raise StoreUnavailable("the store is not open")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except (sqlite3.Error, OSError) as failure:
            raise StoreUnavailable(str(failure)) from failure

    def _connect(self) -> None:
        self.path.touch(mode=0o600)
        self._connection = sqlite3.connect(self.path, timeout=LOCKED_FOR, isolation_level=None)
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA:
            self._connection.execute(statement.format(bytes="BLOB"))
        self._connection.execute("COMMIT")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _execute(self, statement: str, arguments: Sequence[Any]) -> list[Any]:
        if self._connection is None:
            raise sqlite3.OperationalError("the file is not open")
        return self._connection.execute(statement, arguments).fetchall()
