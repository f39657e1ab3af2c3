"""SQLite keeps the whole contract: alone, beside itself, beside other processes, and when an answer is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import apsw
import pytest

from proofkey.server.store import open_store
from proofkey.server.store.contract import Store
from proofkey.server.store.sql import SqlStore
from proofkey.server.store.sqlite import SqliteDatabase
from tests.store.contract import StoreContract
from tests.store.contract_lost_answers import LostAnswerContract
from tests.store.contract_two_stores import ProcessesContract, TwoStoresContract


class Forgetful(SqliteDatabase):
    """Commits, and then fails to say so as often as it is told to."""

    to_lose = 0

    def _commit(self) -> None:
        super()._commit()
        if self.to_lose:
            self.to_lose -= 1
            raise apsw.IOError("the disk went away after the commit")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path}/proofkey.db"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = open_store(url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def other(url: str, store: Store) -> AsyncIterator[Store]:
    other = open_store(url)
    await other.open()
    yield other
    await other.close()


class TestSqlite(StoreContract): ...


class TestTwoStores(TwoStoresContract): ...


class TestProcesses(ProcessesContract): ...


class TestLostAnswers(LostAnswerContract):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Forgetful:
        return Forgetful(tmp_path / "proofkey.db")

    @pytest.fixture
    async def store(self, database: Forgetful) -> AsyncIterator[Store]:
        store = SqlStore(database)
        await store.open()
        yield store
        assert database.to_lose == 0
        await store.close()

    @pytest.fixture
    def lose(self, database: Forgetful) -> Callable[[], None]:
        def lose() -> None:
            assert database.to_lose == 0
            database.to_lose = 1

        return lose
