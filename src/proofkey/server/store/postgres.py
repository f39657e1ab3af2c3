"""The PostgreSQL driver: a small pool, one transaction per script, run again where that is safe (`synchronous_commit=on`).

1. A serialization failure or deadlock has undone everything: the script runs again, a few times.
2. A lost connection may have lost the answer of a commit: the script runs once more on a new connection. Scripts
   recognise their own earlier work, so the caller of a commit that did happen still hears that it won.
3. What is still unanswered then is `StoreUnavailable`, never swallowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]

from proofkey.server.store import migrations
from proofkey.server.store.contract import StoreUnavailable
from proofkey.server.store.statement import Answer, Interrupted, Row, Script, Statement, Values

_Result = TypeVar("_Result")
_CONNECTIONS = 8
_TRIES = 10
_MIGRATION_LOCK = 0x50726F6F66  # any number that nobody else in this database locks
_INVALID_INDEXES = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
_SETTINGS = {
    "application_name": "proofkey",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "jit": "off",
}
_CONFLICTS = (Interrupted, asyncpg.exceptions.TransactionRollbackError)
_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.OperatorInterventionError,
)
_UNAVAILABLE = (
    *_LOST,
    *_CONFLICTS,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.InvalidAuthorizationSpecificationError,
    asyncpg.exceptions.InvalidCatalogNameError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    asyncpg.exceptions.PostgresSystemError,
)


class PostgresDatabase:
    """One PostgreSQL database at *url* (libpq's form, RFC 3986)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._texts: dict[Statement, str] = {}
        self._pool: Any = None

    async def open(self) -> None:
        """Connect and migrate; the tables are made where there are none."""
        try:
            pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=_CONNECTIONS,
                timeout=10,
                command_timeout=30,
                server_settings=_SETTINGS,
                reset=_leave_as_it_is,
            )
        except _UNAVAILABLE as problem:
            raise StoreUnavailable(f"PostgreSQL: {problem}") from problem
        self._pool = pool
        try:
            await self._answered(self._migrate)
        except BaseException:
            await self.close()
            raise

    async def _migrate(self, connection: Any) -> None:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
            await connection.execute(migrations.REMEMBER)
            newest = await connection.fetchval(migrations.NEWEST)
            for text in migrations.statements_after(newest, migrations.find_migrations()):
                await connection.execute(text)

    async def close(self) -> None:
        """Wait for what is under way, then let every connection go."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def read(self, statement: Statement, values: Values) -> list[Row]:
        """One look-up outside any transaction."""
        text = self._text(statement)

        async def look_up(connection: Any) -> list[Row]:
            rows: list[Row] = await connection.fetch(text, *values)
            return rows

        try:
            return await self._answered(look_up)
        except (asyncpg.exceptions.DataError, UnicodeEncodeError):  # NUL or a lone surrogate: no row can hold it
            return []

    async def write(self, script: Callable[..., Script[Answer]], *arguments: Any) -> Answer:
        """One transaction."""

        async def run(connection: Any) -> Answer:
            async with connection.transaction():
                return await self._run(connection, script(*arguments))

        return await self._answered(run)

    async def _run(self, connection: Any, script: Script[Answer]) -> Answer:
        try:
            statement, values = next(script)
            while True:
                rows = await connection.fetch(self._text(statement), *values)
                statement, values = script.send(rows)
        except StopIteration as stop:
            answer: Answer = stop.value
            return answer

    async def check(self, counts: Mapping[str, Statement]) -> tuple[str, ...]:
        """Indexes that PostgreSQL itself holds invalid, and *counts*, which read every table that a flow writes."""

        async def look(connection: Any) -> tuple[str, ...]:
            findings = [f"invalid index {row[0]}" for row in await connection.fetch(_INVALID_INDEXES)]
            for finding, statement in counts.items():
                count = await connection.fetchval(self._text(statement))
                findings += [f"{count} {finding}"] if count else []
            return tuple(findings)

        return await self._answered(look)

    async def _answered(self, attempt: Callable[[Any], Awaitable[_Result]]) -> _Result:
        """Run *attempt* with a connection, again after a conflict, and once more after a lost connection."""
        pool = self._pool
        if pool is None:
            raise StoreUnavailable("the store is closed")
        lost = False
        for left in reversed(range(_TRIES)):
            try:
                async with pool.acquire() as connection:
                    return await attempt(connection)
            except _UNAVAILABLE as problem:
                if _is_the_callers(problem):
                    raise
                again = isinstance(problem, _CONFLICTS) or (isinstance(problem, _LOST) and not lost)
                if not again or not left:
                    raise StoreUnavailable(f"PostgreSQL: {problem}") from problem
                if isinstance(problem, _LOST):
                    lost = True
                    await pool.expire_connections()
                else:
                    await asyncio.sleep(0.005 * (_TRIES - left))
        raise AssertionError("the last try either answers or raises")

    def _text(self, statement: Statement) -> str:
        text = self._texts.get(statement)
        if text is None:
            text = self._texts[statement] = statement.numbered("$", typed=True)
        return text


def _is_the_callers(problem: BaseException) -> bool:
    """asyncpg counts values that do not fit a column among its interface errors; those are ValueErrors, too."""
    return isinstance(problem, ValueError)


async def _leave_as_it_is(connection: Any) -> None:
    """Nothing of ours outlives its transaction, so the round trip that resets a session is spared."""
    if connection.is_in_transaction():
        await connection.reset()
