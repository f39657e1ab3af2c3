"""Session stores on other machines, when many ask at once, or nobody is there: what is waited for, and what the log says."""

from __future__ import annotations

import asyncio

import pytest

from proofkey.client.web import PostgresStore, RedisStore, SessionStore, StoreUnavailable
from tests.client.web.redis_server import ask
from tests.client.web.store_contract import NOON, key, session


async def test_many_look_ups_at_once_share_a_few_connections(redis_url: str, redis_port: int) -> None:
    store = RedisStore(redis_url)
    await store.open()
    assert await store.start_session(session(), now=NOON)
    found = await asyncio.gather(*(store.find_session(key("alice's")) for _ in range(400)))
    told = ask(redis_port, "INFO", "clients").partition(b"connected_clients:")[2]
    await store.close()
    assert {key("alice's")} == {each.key for each in found if each is not None}
    assert int(told.split()[0]) <= 32 + 2


@pytest.mark.parametrize(
    ("store", "where"),
    [
        (RedisStore("redis://:geh@eim@127.0.0.1:1/0"), "127.0.0.1:1 ConnectionError Error 111"),
        (PostgresStore("postgresql://alice:geheim@127.0.0.1:1/none"), "127.0.0.1:1 ConnectionRefusedError"),
    ],
)
async def test_a_store_that_is_away_is_named_without_its_password(store: SessionStore, where: str) -> None:
    with pytest.raises(StoreUnavailable) as away:
        await store.open()
    assert str(away.value).startswith(where)
    assert "eim" not in str(away.value)


@pytest.mark.parametrize(
    "url", ["redis:/127.0.0.1", "redis:127.0.0.1", "127.0.0.1:6379", "http://127.0.0.1", "unix:", ""]
)
def test_what_is_no_address_of_a_redis_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="redis://host:port/number"):
        RedisStore(url)
