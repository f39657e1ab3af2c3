"""The statements of the session stores that speak SQL, written once: `$1` for PostgreSQL, `?1` for SQLite.

Each statement is a transaction of its own. Who starts a session writes it and then looks for a notice that ends it; who ends
sessions writes the notice and then deletes: whoever comes second sees what the first wrote, so no lock is needed. A session
between its two steps is nobody's, for the browser does not have its cookie yet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from proofkey.client.web.store.contract import StoredSession

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS proofkey_transactions (
        key {bytes} PRIMARY KEY, sealed TEXT NOT NULL, until BIGINT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS proofkey_transactions_until ON proofkey_transactions (until)",
    """CREATE TABLE IF NOT EXISTS proofkey_sessions (
        key {bytes} PRIMARY KEY, sid_key {bytes}, subject_key {bytes} NOT NULL, sealed TEXT NOT NULL,
        idle_until BIGINT NOT NULL, until BIGINT NOT NULL, version BIGINT NOT NULL, claimed_until BIGINT NOT NULL,
        signed_in_at BIGINT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS proofkey_sessions_sid ON proofkey_sessions (sid_key)",
    "CREATE INDEX IF NOT EXISTS proofkey_sessions_subject ON proofkey_sessions (subject_key)",
    "CREATE INDEX IF NOT EXISTS proofkey_sessions_idle ON proofkey_sessions (idle_until)",
    """CREATE TABLE IF NOT EXISTS proofkey_signed_out (
        key {bytes} PRIMARY KEY, about {bytes} NOT NULL, signed_in_by BIGINT NOT NULL, until BIGINT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS proofkey_signed_out_about ON proofkey_signed_out (about)",
    "CREATE INDEX IF NOT EXISTS proofkey_signed_out_until ON proofkey_signed_out (until)",
)
_COLUMNS = "key, sid_key, subject_key, sealed, idle_until, until, version, claimed_until, signed_in_at"
_LIVE = "idle_until > $2 AND until > $2"

KEEP_TRANSACTION = "INSERT INTO proofkey_transactions (key, sealed, until) VALUES ($1, $2, $3)"
TAKE_TRANSACTION = "DELETE FROM proofkey_transactions WHERE key = $1 RETURNING sealed, until"
START_SESSION = f"INSERT INTO proofkey_sessions ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"  # noqa: S608
FIND_SESSION = f"SELECT {_COLUMNS} FROM proofkey_sessions WHERE key = $1"  # noqa: S608
SLIDE_SESSION = f"UPDATE proofkey_sessions SET idle_until = $3 WHERE key = $1 AND {_LIVE} RETURNING key"  # noqa: S608
CLAIM_REFRESH = """UPDATE proofkey_sessions SET claimed_until = $3
WHERE key = $1 AND version = $2 AND claimed_until <= $4 RETURNING key"""
RENEW_SESSION = f"""UPDATE proofkey_sessions SET sealed = $4, version = version + 1, claimed_until = 0
WHERE key = $1 AND version = $3 AND {_LIVE} RETURNING key"""  # noqa: S608
RELEASE_REFRESH = "UPDATE proofkey_sessions SET claimed_until = 0 WHERE key = $1 AND version = $2 RETURNING key"
END_SESSION = f"DELETE FROM proofkey_sessions WHERE key = $1 RETURNING {_COLUMNS}"  # noqa: S608
KEEP_NOTICE = """INSERT INTO proofkey_signed_out (key, about, signed_in_by, until) VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO NOTHING RETURNING key"""
END_SESSIONS = """DELETE FROM proofkey_sessions WHERE (sid_key = $1 OR subject_key = $1)
AND signed_in_at <= (SELECT signed_in_by FROM proofkey_signed_out WHERE key = $2) RETURNING key"""
FIND_NOTICE = """SELECT key FROM proofkey_signed_out
WHERE about IN ($1, $2) AND signed_in_by >= $3 AND until > $4 LIMIT 1"""
_PURGE = "DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE {ends} <= $1 LIMIT $2) RETURNING key"
PURGE = tuple(
    _PURGE.format(table=f"proofkey_{table}", ends=ends)
    for table, ends in (("transactions", "until"), ("sessions", "idle_until"), ("signed_out", "until"))
)


class SqlStore(ABC):
    """What both databases do alike; a driver says how a statement is run."""

    @abstractmethod
    async def _run(self, statement: str, *arguments: Any) -> Sequence[Sequence[Any]]:
        """The rows it returns, once it is committed. Raises `StoreUnavailable`."""

    async def keep_transaction(self, key: bytes, sealed: str, *, until: int, now: int) -> None:  # noqa: ARG002
        """Keep a begun login."""
        await self._run(KEEP_TRANSACTION, key, sealed, until)

    async def take_transaction(self, key: bytes, *, now: int) -> str | None:
        """The begun login, once."""
        rows = await self._run(TAKE_TRANSACTION, key)
        return rows[0][0] if rows and now < rows[0][1] else None

    async def start_session(self, session: StoredSession, *, now: int) -> bool:
        """Keep a new session that has not ended already."""
        await self._run(
            START_SESSION,
            session.key,
            session.sid_key,
            session.subject_key,
            session.sealed,
            session.idle_until,
            session.until,
            session.version,
            session.claimed_until,
            session.signed_in_at,
        )
        if await self._run(FIND_NOTICE, session.sid_key, session.subject_key, session.signed_in_at, now):
            await self._run(END_SESSION, session.key)
            return False
        return True

    async def find_session(self, key: bytes) -> StoredSession | None:
        """The session as it is now."""
        rows = await self._run(FIND_SESSION, key)
        return StoredSession(*rows[0]) if rows else None

    async def slide_session(self, key: bytes, *, idle_until: int, now: int) -> bool:
        """Move on when an idle session ends."""
        return bool(await self._run(SLIDE_SESSION, key, now, idle_until))

    async def claim_refresh(self, key: bytes, *, expected_version: int, claimed_until: int, now: int) -> bool:
        """Be the one who renews the tokens."""
        return bool(await self._run(CLAIM_REFRESH, key, expected_version, claimed_until, now))

    async def renew_session(self, key: bytes, *, expected_version: int, sealed: str, now: int) -> bool:
        """Keep renewed contents."""
        return bool(await self._run(RENEW_SESSION, key, now, expected_version, sealed))

    async def release_refresh(self, key: bytes, *, expected_version: int) -> None:
        """Give up the claim."""
        await self._run(RELEASE_REFRESH, key, expected_version)

    async def end_session(self, key: bytes) -> StoredSession | None:
        """The session, once."""
        rows = await self._run(END_SESSION, key)
        return StoredSession(*rows[0]) if rows else None

    async def end_sessions(
        self,
        about: bytes,
        *,
        notice: bytes,
        signed_in_by: int,
        until: int,
        now: int,  # noqa: ARG002
    ) -> bool:
        """End those it is about."""
        first = await self._run(KEEP_NOTICE, notice, about, signed_in_by, until)
        return bool(await self._run(END_SESSIONS, about, notice) or first)

    async def purge(self, before: int, limit: int) -> int:
        """Forget what ended."""
        return sum([len(await self._run(statement, before, limit)) for statement in PURGE])
