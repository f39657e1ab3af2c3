"""The SQLite driver: one writer thread that commits for everybody waiting, and reads beside it (WAL, `synchronous=FULL`).

1. Whatever waits is one transaction: one sync of the disk acknowledges all of it.
2. A call that fails takes nobody along: the batch is undone and everyone in it runs alone.
3. Reads run on a connection of their own in the caller's thread: a point look-up costs less than waking another thread.
4. One connection per process checkpoints: the writer's.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import apsw

from proofkey.server.store import migrations
from proofkey.server.store.contract import StoreUnavailable
from proofkey.server.store.statement import Answer, Interrupted, Row, Script, Statement, Values

_Result = TypeVar("_Result")
OLDEST_SQLITE = (3, 51, 3)
_BATCH = 256
_GATHER_FOR = 0.001  # seconds, about what the disk takes to sync
_TRIES = 3
_TRIES_TO_OPEN = 100
_SETTINGS = (
    "PRAGMA synchronous=FULL; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"
    "PRAGMA wal_autocheckpoint=4000"  # 16 MB: a page that changes again is copied back once
)
_UNAVAILABLE = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.IOError,
    apsw.FullError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.ReadOnlyError,
    apsw.PermissionsError,
    apsw.AuthError,
    apsw.ProtocolError,
    apsw.NoMemError,
    apsw.ConnectionClosedError,
)


@dataclass(slots=True)
class _Call:
    """One waiting writer: what to run, and whom to tell."""

    script: Callable[..., Script[Any]]
    arguments: tuple[Any, ...]
    answer: asyncio.Future[Any]
    result: Any = None
    failure: Exception | None = None


def refuse_old_sqlite(version: str) -> None:
    """Versions before 3.51.3 can corrupt a database whose WAL is reset while another process checkpoints."""
    if tuple(int(part) for part in version.split(".")) < OLDEST_SQLITE:
        raise StoreUnavailable(f"SQLite {version} is older than 3.51.3, which mends the WAL-reset bug: upgrade apsw")


class SqliteDatabase:
    """One SQLite file. Several processes may use it; they take turns at its writer lock, waiting *busy_for* ms at a time."""

    def __init__(self, path: Path, busy_for: int = 2_000) -> None:
        refuse_old_sqlite(apsw.sqlite_lib_version())
        self._path = path
        self._busy_for = busy_for
        self._queue: SimpleQueue[_Call | None] = SimpleQueue()
        self._texts: dict[Statement, str] = {}
        self._shared = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._writer: apsw.Cursor
        self._reader: apsw.Cursor

    async def open(self) -> None:
        """Create the file where there is none (mode 0600, which its -wal and -shm take on) and migrate it."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._writer = _retry_while_busy(self._connect, _TRIES_TO_OPEN).cursor()
            _retry_while_busy(self._log_ahead, _TRIES_TO_OPEN)
            _retry_while_busy(self._migrate, _TRIES_TO_OPEN)
            reader = _retry_while_busy(self._connect, _TRIES_TO_OPEN)
            _run_all(reader.cursor(), "PRAGMA wal_autocheckpoint=0; PRAGMA query_only=ON")
            self._reader = reader.cursor()
        except (OSError, *_UNAVAILABLE) as problem:
            raise StoreUnavailable(f"{self._path}: {problem}") from problem
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write_for_everybody, name="proofkey-store", daemon=True)
        self._thread.start()

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(self._busy_for)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # without it every new value of :now would plan anew
        _run_all(connection.cursor(), _SETTINGS)
        return connection

    def _log_ahead(self) -> None:
        mode = _run_all(self._writer, "PRAGMA journal_mode=WAL")[0][0]
        if mode != "wal":
            raise StoreUnavailable(
                f"{self._path}: the file system allows no write-ahead log (journal_mode stays {mode})"
            )

    def _migrate(self) -> None:
        self._begin()
        try:
            _run_all(self._writer, migrations.REMEMBER)
            newest = _run_all(self._writer, migrations.NEWEST)[0][0]
            for text in migrations.statements_after(newest, migrations.find_migrations()):
                _run_all(self._writer, text.replace("/* clustered */", "WITHOUT ROWID"))
            self._commit()
        except BaseException:
            self._roll_back()
            raise

    async def close(self) -> None:
        """Commit what is queued, then close both connections; the last one to close empties the WAL."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._queue.put(None)
        await asyncio.to_thread(thread.join)
        self._reader.connection.close()
        self._writer.connection.close()

    async def read(self, statement: Statement, values: Values) -> list[Row]:
        """One look-up outside any transaction: it sees everything that is committed, by any process."""
        try:
            return self._reader.execute(self._text(statement), values).fetchall()  # type: ignore[return-value]
        except UnicodeEncodeError:
            return []
        except _UNAVAILABLE as problem:
            raise StoreUnavailable(str(problem)) from problem

    async def write(self, script: Callable[..., Script[Answer]], *arguments: Any) -> Answer:
        """Queue the script for the next commit."""
        if self._thread is None:
            raise StoreUnavailable("the store is closed")
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._queue.put(_Call(script, arguments, answer))
        return await answer

    async def check(self, counts: Mapping[str, Statement]) -> tuple[str, ...]:
        """SQLite's own integrity check, and *counts*, on a connection and thread of their own."""
        return await asyncio.to_thread(self._check, counts)

    def _check(self, counts: Mapping[str, Statement]) -> tuple[str, ...]:
        try:
            connection = self._connect()
            try:
                cursor = connection.cursor()
                _run_all(cursor, "PRAGMA wal_autocheckpoint=0; PRAGMA query_only=ON")
                findings = [row[0] for row in _run_all(cursor, "PRAGMA integrity_check") if row[0] != "ok"]
                for finding, statement in counts.items():
                    count = _run_all(cursor, self._text(statement))[0][0]
                    findings += [f"{count} {finding}"] if count else []
            finally:
                connection.close()
        except _UNAVAILABLE as problem:
            return (str(problem),)
        return tuple(findings)

    def _text(self, statement: Statement) -> str:
        text = self._texts.get(statement)
        if text is None:
            text = self._texts[statement] = statement.numbered("?")
        return text

    # Everything below runs in the writer's thread.

    def _write_for_everybody(self) -> None:
        while batch := self._next_batch():
            try:
                self._run_batch(batch)
            except Exception as problem:
                _fail(batch, problem)
            try:
                self._loop.call_soon_threadsafe(_answer_all, batch)
            except RuntimeError:  # the loop is closed: nobody waits any more, and what was committed stays
                return

    def _next_batch(self) -> list[_Call]:
        """Everyone who waits, at least one; empty once the queue has ended.

        Where the last commit was shared, others are on their way: a moment's wait lets them share this one, too. A
        commit costs as much as several calls, and whoever is alone never waits.
        """
        batch: list[_Call] = []
        call = self._queue.get()
        if self._shared:
            time.sleep(_GATHER_FOR)
        try:
            while call is not None:
                batch.append(call)
                if len(batch) == _BATCH:
                    return batch
                call = self._queue.get_nowait()
        except Empty:
            return batch
        if batch:
            self._queue.put(None)
        return batch

    def _run_batch(self, batch: list[_Call]) -> None:
        self._shared = len(batch) > 1
        try:
            _retry_while_busy(self._begin)
        except apsw.Error as problem:
            _fail(batch, problem)
            return
        try:
            self._finish(batch)
        except Exception:  # whoever caused it will meet it again, alone
            self._roll_back()
            for call in batch:
                self._run_alone(call)

    def _run_alone(self, call: _Call) -> None:
        for _ in range(_TRIES):
            try:
                _retry_while_busy(self._begin)
                self._finish([call])
                call.failure = None
                return
            except Exception as problem:
                call.failure = problem
                self._roll_back()
                if not isinstance(problem, Interrupted):
                    return

    def _finish(self, batch: list[_Call]) -> None:
        for call in batch:
            call.result = self._run(call)
        self._commit()

    def _run(self, call: _Call) -> Any:
        script = call.script(*call.arguments)
        rows: list[Row] | None = None
        try:
            while True:
                statement, values = script.send(rows)  # type: ignore[arg-type]
                text = self._texts.get(statement) or self._text(statement)
                rows = self._writer.execute(text, values).fetchall()  # type: ignore[assignment]
        except StopIteration as stop:
            return stop.value

    def _begin(self) -> None:
        self._roll_back()
        self._writer.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        self._writer.execute("COMMIT")

    def _roll_back(self) -> None:
        if self._writer.connection.in_transaction:
            self._writer.execute("ROLLBACK")


def _run_all(cursor: apsw.Cursor, text: str) -> list[Any]:
    return cursor.execute(text).fetchall()


def _retry_while_busy(attempt: Callable[[], _Result], tries: int = _TRIES) -> _Result:
    """Each try waits for the busy timeout, but where several open a new file, changing its journal is refused at once."""
    for left in reversed(range(tries)):
        try:
            return attempt()
        except (apsw.BusyError, apsw.LockedError):
            if not left:
                raise
            time.sleep(0.05)
    raise AssertionError("the last try either returns or raises")


def _fail(batch: list[_Call], problem: Exception) -> None:
    for call in batch:
        call.failure = problem


def _answer_all(batch: list[_Call]) -> None:
    for call in batch:
        if call.answer.done():  # the caller was cancelled meanwhile; what was written stays written
            continue
        if call.failure is None:
            call.answer.set_result(call.result)
        elif isinstance(call.failure, (Interrupted, *_UNAVAILABLE)):
            unavailable = StoreUnavailable(str(call.failure))
            unavailable.__cause__ = call.failure
            call.answer.set_exception(unavailable)
        else:
            call.answer.set_exception(call.failure)
