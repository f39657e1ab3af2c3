"""Sessions in PostgreSQL, for processes on several machines (asyncpg; install proofkey[postgres])."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from proofkey.client.web.store.contract import StoreUnavailable, unanswered
from proofkey.client.web.store.sql import SCHEMA, SqlStore

if TYPE_CHECKING:
    import asyncpg  # type: ignore[import-untyped]

ANSWER_WITHIN = 10.0
"""Seconds."""
_SCHEMA_LOCK = "SELECT pg_advisory_xact_lock(7302613)"


class PostgresStore(SqlStore):
    """Sessions in the database at *url*, in tables called `proofkey_…`, which are made where they are missing.

    >>> from proofkey.client.web import PostgresStore
    >>> PostgresStore("postgresql://notes@127.0.0.1/notes").connections
    10
    """

    def __init__(self, url: str, *, connections: int = 10) -> None:
        self._url = url
        self.connections = connections
        self._pool: asyncpg.Pool[Any] | None = None

    async def open(self) -> None:
        """Connect. Raises `StoreUnavailable`."""
        import asyncpg

        self._failures = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
        self._pool = None  # one of a loop that ended cannot be closed any more
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self.connections,
                timeout=ANSWER_WITHIN,
                command_timeout=ANSWER_WITHIN,
            )
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_SCHEMA_LOCK)
                for statement in SCHEMA:
                    await connection.execute(statement.format(bytes="BYTEA"))
        except self._failures as failure:
            await self.close()
            raise unanswered(self._url, failure) from failure

    async def close(self) -> None:
        """Hang up."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _run(self, statement: str, *arguments: Any) -> Sequence[Sequence[Any]]:
        if self._pool is None:
            raise StoreUnavailable("the store is not open")
        try:
            async with asyncio.timeout(ANSWER_WITHIN):  # for a connection, too
                rows: list[Any] = await self._pool.fetch(statement, *arguments)
        except self._failures as failure:
            raise unanswered(self._url, failure) from failure
        return [tuple(row) for row in rows]
