"""PostgreSQL keeps the whole contract: alone, beside itself, beside other processes, and when an answer is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from proofkey.server.store import open_store
from proofkey.server.store.contract import Store, StoreUnavailable
from tests.postgres import Postgres
from tests.store.contract import StoreContract
from tests.store.contract_lost_answers import LostAnswerContract
from tests.store.contract_two_stores import ProcessesContract, TwoStoresContract
from tests.store.cutting_proxy import CuttingProxy
from tests.store.facts import PLACE, open_every_connection, set_scene


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = open_store(url)
    await store.open()
    await open_every_connection(store)
    yield store
    await store.close()


@pytest.fixture
async def other(url: str, store: Store) -> AsyncIterator[Store]:
    other = open_store(url)
    await other.open()
    await open_every_connection(other)
    yield other
    await other.close()


class TestPostgres(StoreContract): ...


class TestTwoStores(TwoStoresContract): ...


class TestProcesses(ProcessesContract): ...


class TestLostAnswers(LostAnswerContract):
    @pytest.fixture
    async def proxy(self, postgres: Postgres) -> AsyncIterator[CuttingProxy]:
        proxy = CuttingProxy(postgres.port)
        await proxy.open()
        yield proxy
        assert proxy.cuts > 0
        await proxy.close()

    @pytest.fixture
    async def store(self, proxy: CuttingProxy, postgres: Postgres, postgres_url: str) -> AsyncIterator[Store]:
        store = open_store(postgres_url.replace(f":{postgres.port}/", f":{proxy.port}/"))
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    def lose(self, proxy: CuttingProxy) -> Callable[[], None]:
        return proxy.cut_next


async def test_a_database_that_is_not_there_is_unavailable(postgres: Postgres) -> None:
    with pytest.raises(StoreUnavailable):
        await open_store(postgres.url.replace("/postgres", "/no_such_database")).open()
    with pytest.raises(StoreUnavailable):
        await open_store("postgresql://proofkey@127.0.0.1:1/proofkey").open()


async def test_a_closed_store_is_unavailable(postgres_url: str) -> None:
    store = open_store(postgres_url)
    await store.open()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.find_client(PLACE, "spa")
    with pytest.raises(StoreUnavailable):
        await set_scene(store)


async def test_connections_that_the_database_dropped_are_made_anew(store: Store, postgres: Postgres) -> None:
    await set_scene(store)
    postgres.hang_up()
    assert await store.find_client(PLACE, "spa") is not None
    postgres.hang_up()
    await store.end_session(PLACE, b"no-such-session!", 0)
