"""Four session stores, one contract, real servers; and what each of them does besides."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from proofkey.client.web import (
    MemoryStore,
    PostgresStore,
    RedisStore,
    SessionStore,
    SqliteStore,
    StoredSession,
    StoreUnavailable,
)
from tests.client.web.redis_server import ask
from tests.client.web.store_contract import HOUR, NOON, SessionStoreContract, key, session
from tests.postgres import Postgres


async def opened(store: SessionStore) -> AsyncIterator[SessionStore]:
    """*store*, open as long as a test runs."""
    await store.open()
    yield store
    await store.close()


class TestMemory(SessionStoreContract):
    """In this process."""

    @pytest_asyncio.fixture
    async def store(self) -> AsyncIterator[SessionStore]:
        async for store in opened(MemoryStore()):
            yield store

    @pytest.fixture
    def second(self, store: SessionStore) -> SessionStore:
        return store


class TestSqlite(SessionStoreContract):
    """A file, and a second connection to it."""

    @pytest_asyncio.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SessionStore]:
        async for store in opened(SqliteStore(tmp_path / "sessions.db")):
            yield store

    @pytest_asyncio.fixture
    async def second(self, tmp_path: Path) -> AsyncIterator[SessionStore]:
        async for store in opened(SqliteStore(tmp_path / "sessions.db")):
            yield store


class TestPostgres(SessionStoreContract):
    """A server, and a second pool of connections."""

    @pytest_asyncio.fixture
    async def store(self, postgres_url: str) -> AsyncIterator[SessionStore]:
        async for store in opened(PostgresStore(postgres_url)):
            yield store

    @pytest_asyncio.fixture
    async def second(self, postgres_url: str) -> AsyncIterator[SessionStore]:
        async for store in opened(PostgresStore(postgres_url, connections=3)):
            yield store


class TestRedis(SessionStoreContract):
    """A server, and a second client."""

    @pytest_asyncio.fixture
    async def store(self, redis_url: str) -> AsyncIterator[SessionStore]:
        async for store in opened(RedisStore(redis_url)):
            yield store

    @pytest_asyncio.fixture
    async def second(self, redis_url: str) -> AsyncIterator[SessionStore]:
        async for store in opened(RedisStore(redis_url)):
            yield store


class ReadsThenWrites(MemoryStore):
    """Looks first and acts afterwards, as stores without conditional writes do."""

    async def take_transaction(self, key: bytes, *, now: int) -> str | None:
        found = self._transactions.get(key)
        await asyncio.sleep(0)
        self._transactions.pop(key, None)
        return found[0] if found and now < found[1] else None

    async def renew_session(self, key: bytes, *, expected_version: int, sealed: str, now: int) -> bool:
        found = self._sessions.get(key)
        await asyncio.sleep(0)
        if found is None:
            return False
        self._sessions[key] = StoredSession(
            key, found.sid_key, found.subject_key, sealed, found.idle_until, found.until, expected_version + 1
        )
        return True


@pytest.mark.parametrize(
    "promise",
    [
        SessionStoreContract.test_of_thirty_who_take_a_transaction_one_gets_it,
        SessionStoreContract.test_of_thirty_who_renew_one_is_kept,
        SessionStoreContract.test_renewing_and_ending_at_once_leaves_no_session,
    ],
)
async def test_the_contract_has_teeth(promise: object) -> None:
    with pytest.raises(AssertionError):
        await promise(SessionStoreContract(), ReadsThenWrites())  # type: ignore[operator]


async def test_memory_holds_no_more_than_its_limit() -> None:
    store = MemoryStore(limit=3)
    for number in range(10):
        await store.start_session(session(str(number)), now=NOON)
        await store.keep_transaction(key(str(number)), "sealed", until=NOON + HOUR, now=NOON)
        await store.spend(key(str(number)), until=NOON + HOUR, now=NOON)
    kept = [number for number in range(10) if await store.find_session(key(str(number)))]
    assert [7, 8, 9] == kept
    assert await store.take_transaction(key("6"), now=NOON) is None
    assert "sealed" == await store.take_transaction(key("7"), now=NOON)


async def test_the_sqlite_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "sessions.db")
    await store.open()
    await store.close()
    assert 0o600 == stat.S_IMODE(store.path.stat().st_mode)


async def test_redis_forgets_by_itself(redis_url: str, redis_port: int) -> None:
    store = RedisStore(redis_url, prefix="notes")
    await store.open()
    await store.start_session(session(idle_until=NOON + 60, until=NOON + 90), now=NOON)
    await store.keep_transaction(key("t"), "sealed", until=NOON + 60, now=NOON)
    await store.spend(key("jti"), until=NOON + 60, now=NOON)
    assert b":5\r\n" == ask(redis_port, "DBSIZE")
    for _ in range(100):
        if (left := ask(redis_port, "DBSIZE")) == b":0\r\n":
            break
        await asyncio.sleep(0.02)
    assert b":0\r\n" == left
    await store.close()


async def test_a_redis_index_does_not_collect_sessions_that_are_over(redis_url: str, redis_port: int) -> None:
    store = RedisStore(redis_url)
    await store.open()
    await store.start_session(session("short", idle_until=NOON + 20), now=NOON)
    await asyncio.sleep(0.1)
    await store.start_session(session("long"), now=NOON)
    assert b":1\r\n" == ask(redis_port, "SCARD", f"{{proofkey}}:subject:{key('alice').hex()}")
    await store.close()


async def test_a_server_that_is_gone_is_told_as_such(postgres: Postgres, postgres_url: str) -> None:
    store = PostgresStore(postgres_url)
    await store.open()
    postgres.tell("ALTER TABLE proofkey_sessions RENAME TO gone")
    with pytest.raises(StoreUnavailable):
        await store.find_session(key("alice's"))
    await store.close()
    for absent in (PostgresStore("postgresql://nobody@127.0.0.1:1/none"), RedisStore("redis://127.0.0.1:1/0")):
        with pytest.raises(StoreUnavailable):
            await absent.open()
        with pytest.raises(StoreUnavailable):
            await absent.find_session(key("alice's"))


async def test_a_sqlite_file_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "sessions.db").write_bytes(b"this is no database, but it is long enough to be looked at" * 100)
    store = SqliteStore(tmp_path / "sessions.db")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.open()
    (tmp_path / "sessions.db").unlink()
    await store.open()
    assert await store.find_session(key("alice's")) is None, "it can be opened once what was wrong is mended"
    await store.close()
