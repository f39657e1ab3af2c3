"""Four session stores, one contract, real servers; and what each of them does besides."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path
from typing import Any

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
from proofkey.client.web.store.sql import END_SESSIONS
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

    async def start_session(self, session: StoredSession, *, now: int) -> bool:
        ended = any(notice.ends(session) for notice in self._signed_out.values())
        await asyncio.sleep(0)
        return (
            not ended
            and await MemoryStore().start_session(session, now=now)
            and not self._sessions.update({session.key: session})
        )

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


async def starting_and_ending(contract: SessionStoreContract, store: SessionStore) -> None:
    await contract.test_starting_and_ending_at_once_leaves_no_session(store, store)


@pytest.mark.parametrize(
    "promise",
    [
        SessionStoreContract.test_of_thirty_who_take_a_transaction_one_gets_it,
        SessionStoreContract.test_of_thirty_who_renew_one_is_kept,
        SessionStoreContract.test_renewing_and_ending_at_once_leaves_no_session,
        SessionStoreContract.test_a_session_that_is_ended_while_it_is_renewed_stays_ended,
        starting_and_ending,
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
        notice = {"notice": key(str(number)), "signed_in_by": NOON, "until": NOON + HOUR, "now": NOON}
        await store.end_sessions(key("bob"), **notice)
    assert 3 == len(store._signed_out)
    kept = [number for number in range(10) if await store.find_session(key(str(number)))]
    assert [7, 8, 9] == kept
    assert await store.take_transaction(key("6"), now=NOON) is None
    assert "sealed" == await store.take_transaction(key("7"), now=NOON)


async def test_the_sqlite_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "sessions.db")
    await store.open()
    await store.close()
    assert 0o600 == stat.S_IMODE(store.path.stat().st_mode)


@pytest.mark.parametrize("name", ["sessions.db", "."])
async def test_the_permissions_of_what_is_there_are_left_alone(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the path is a folder by mistake."""
    (tmp_path / "sessions.db").touch()
    for path in (tmp_path / "sessions.db", tmp_path):
        path.chmod(0o755)
    store = SqliteStore(tmp_path / name)
    with suppress(StoreUnavailable):
        await store.open()
    await store.close()
    assert (name == "sessions.db") == ("is open to others" in caplog.text)
    assert [0o755] * 2 == [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "sessions.db", tmp_path)]


async def test_a_look_up_finds_the_gaps_that_busy_writers_leave(tmp_path: Path) -> None:
    store, commits = SqliteStore(tmp_path / "sessions.db"), 0
    await store.open()
    other = sqlite3.connect(store.path, isolation_level=None)
    for _ in range(10):
        look: asyncio.Future[Any] | None = None
        while look is None or not look.done():
            other.execute("BEGIN EXCLUSIVE")
            look = look or asyncio.ensure_future(store.find_session(key("alice's")))
            await asyncio.sleep(0.02)
            other.execute("COMMIT")
            await asyncio.sleep(0.003)
            commits += 1
    other.close()
    await store.close()
    assert commits < 60


async def test_what_waits_to_be_written_is_one_commit(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "sessions.db")
    await store.open()
    before = commits_of(store.path)
    crowd = [store.keep_transaction(key(str(number)), "", until=NOON + HOUR, now=NOON) for number in range(300)]
    await asyncio.gather(*crowd)
    assert 0 < commits_of(store.path) - before < 30
    await store.close()


def commits_of(path: Path) -> int:
    """How many there were: the file change counter (https://sqlite.org/fileformat2.html §1.3.7)."""
    return int.from_bytes(path.read_bytes()[24:28], "big")


async def test_a_write_that_fails_fails_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "sessions.db")
    await store.open()
    writes = [store.keep_transaction(key(name), "sealed", until=NOON + HOUR, now=NOON) for name in ("a", "b", "b", "c")]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [None, None, StoreUnavailable, None] == [each and type(each) for each in outcomes]
    assert "sealed" == await store.take_transaction(key("c"), now=NOON)
    await store.close()


async def test_a_write_that_takes_the_transaction_with_it_fails_all_of_it(tmp_path: Path) -> None:
    """As a full disk does: nobody is told that something was kept which was taken back."""
    store = SqliteStore(tmp_path / "sessions.db")
    await store.open()
    all_wait = threading.Event()
    assert store._connections is not None
    store._connections[1]._thread.submit(all_wait.wait)
    writes = [
        asyncio.ensure_future(store._run(f"INSERT OR {how} INTO proofkey_transactions VALUES ($1, '', 0)", key(name)))
        for how, name in (("ABORT", "a"), ("ROLLBACK", "a"), ("ABORT", "b"))
    ]
    await asyncio.sleep(0)
    all_wait.set()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [StoreUnavailable] * 3 == [type(each) for each in outcomes]
    assert [] == await store._run("SELECT key FROM proofkey_transactions")
    await store.close()


async def test_a_write_that_nobody_waits_for_any_more_is_not_done_and_stops_no_other(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "sessions.db")
    await store.open()
    all_wait = threading.Event()
    assert store._connections is not None
    store._connections[1]._thread.submit(all_wait.wait)
    keep = (store.keep_transaction(key(name), name, until=NOON + HOUR, now=NOON) for name in ("given up", "after it"))
    given_up, after_it = map(asyncio.ensure_future, keep)
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    all_wait.set()
    await asyncio.wait_for(after_it, 5)
    assert await store.take_transaction(key("given up"), now=NOON) is None
    assert "after it" == await store.take_transaction(key("after it"), now=NOON)
    await store.close()


class Interrupted(SqliteStore):
    """Something happens before one of the statements of a call."""

    def __init__(self, path: Path, number: int, meanwhile: Callable[[], Awaitable[bool]]) -> None:
        super().__init__(path)
        self.number, self.meanwhile = number, meanwhile

    async def _run(self, statement: str, *arguments: Any) -> Any:
        self.number -= not statement.startswith("CREATE")
        if self.number == 0:
            assert await self.meanwhile()
        return await super()._run(statement, *arguments)


@pytest.mark.parametrize("number", [1, 2])
async def test_between_the_steps_of_a_start_everything_can_be_ended(tmp_path: Path, number: int) -> None:
    other = SqliteStore(tmp_path / "sessions.db")
    await other.open()
    store = Interrupted(other.path, number, lambda: SessionStoreContract().end(other))
    await store.open()
    await store.start_session(session(), now=NOON)
    assert not await store.find_session(key("alice's"))
    await store.close()
    await other.close()


@pytest.mark.parametrize("number", [1, 2])
async def test_between_the_steps_of_an_end_a_session_can_be_started(tmp_path: Path, number: int) -> None:
    other, contract = SqliteStore(tmp_path / "sessions.db"), SessionStoreContract()
    await other.open()
    started: list[bool] = []

    async def start() -> bool:
        started.append(await other.start_session(session(), now=NOON))
        return True

    store = Interrupted(other.path, number, start)
    await store.open()
    assert await contract.end(store)
    assert [number == 1] == started
    assert await other.find_session(key("alice's")) is None
    await store.close()
    await other.close()


async def test_a_notice_whose_sessions_were_not_ended_ends_them_when_it_comes_again(tmp_path: Path) -> None:
    class EndsNothingAtFirst(SqliteStore):
        works = False

        async def _run(self, statement: str, *arguments: Any) -> Any:
            if statement == END_SESSIONS and not self.works:
                self.works = True
                raise StoreUnavailable("for a moment")
            return await super()._run(statement, *arguments)

    store, contract = EndsNothingAtFirst(tmp_path / "sessions.db"), SessionStoreContract()
    await store.open()
    await store.start_session(session(), now=NOON)
    with pytest.raises(StoreUnavailable):
        await contract.end(store)
    assert await contract.end(store), "as if it came for the first time"
    assert await store.find_session(key("alice's")) is None
    assert not await contract.end(store)
    await store.close()


async def test_a_look_up_does_not_wait_behind_what_waits_to_be_written(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "sessions.db")
    await store.open()
    await store.start_session(session(), now=NOON)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(store.end_session(key("alice's")))
    assert session() == await asyncio.wait_for(store.find_session(key("alice's")), 5)
    other.execute("COMMIT")
    other.close()
    assert session() == await waiting
    await store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_store_that_stands_still_keeps_nobody_waiting(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nor does who waits longest keep those behind it: all are told at the same time, and nothing is left over."""
    store = SqliteStore(tmp_path / "s.db") if kind == "sqlite" else PostgresStore(postgres_url, connections=1)
    await store.open()
    monkeypatch.setattr(f"proofkey.client.web.store.{kind}.ANSWER_WITHIN", 0.2)
    async with AsyncExitStack() as still:
        if isinstance(store, SqliteStore):
            other = still.enter_context(closing(sqlite3.connect(store.path, isolation_level=None)))
            other.execute("BEGIN IMMEDIATE")
        else:
            assert store._pool is not None
            await still.enter_async_context(store._pool.acquire())
        waiting = [store.end_session(key(str(number))) for number in range(5)]
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
        assert [StoreUnavailable] * 5 == [type(outcome) for outcome in outcomes]
    monkeypatch.undo()
    assert await store.start_session(session(), now=NOON)
    await store.close()


async def test_redis_forgets_by_itself(redis_url: str, redis_port: int) -> None:
    store = RedisStore(redis_url, prefix="notes")
    await store.open()
    await store.start_session(session(idle_until=NOON + 60, until=NOON + 90), now=NOON)
    await store.keep_transaction(key("t"), "sealed", until=NOON + 60, now=NOON)
    await store.end_sessions(key("bob"), notice=key("jti"), signed_in_by=NOON, until=NOON + 60, now=NOON)
    assert b":6\r\n" == ask(redis_port, "DBSIZE")
    for _ in range(100):
        if (left := ask(redis_port, "DBSIZE")) == b":0\r\n":
            break
        await asyncio.sleep(0.02)
    assert b":0\r\n" == left
    await store.close()


async def test_a_redis_index_does_not_collect_sessions_that_are_over(redis_url: str, redis_port: int) -> None:
    store = RedisStore(redis_url)
    await store.open()
    await store.start_session(session("short", idle_until=NOON + 20, until=NOON + 20), now=NOON)
    await store.start_session(session("long"), now=NOON + 20)
    assert b":1\r\n" == ask(redis_port, "ZCARD", f"{{proofkey}}:sessions:{key('alice').hex()}")
    await store.close()


async def test_a_session_that_ends_soon_hides_no_other_of_its_person_s(redis_url: str, redis_port: int) -> None:
    """The index lives as long as the longest of them."""
    store = RedisStore(redis_url)
    await store.open()
    await store.start_session(session("long"), now=NOON)
    await store.start_session(session("short", idle_until=NOON + 20, until=NOON + 20), now=NOON)
    left = ask(redis_port, "PTTL", f"{{proofkey}}:sessions:{key('alice').hex()}")
    assert int(left[1:]) > HOUR
    await store.close()


async def test_a_sign_in_at_redis_does_not_walk_the_sessions_its_person_has(redis_url: str, redis_port: int) -> None:
    store = RedisStore(redis_url)
    await store.open()

    async def commands_of(number: int) -> int:
        ask(redis_port, "CONFIG", "RESETSTAT")
        await store.start_session(session(str(number)), now=NOON)
        told = ask(redis_port, "INFO", "commandstats").decode()
        return sum(int(calls) for calls in re.findall(r"cmdstat_\w+[^:]*:calls=(\d+)", told))

    await store.start_session(session("first"), now=NOON)
    of_two = await commands_of(2)
    for number in range(3, 50):
        await store.start_session(session(str(number)), now=NOON)
    assert await commands_of(50) < of_two + 10
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
