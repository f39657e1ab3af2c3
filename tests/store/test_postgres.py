"""PostgreSQL keeps the whole contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proofkey.server.store import open_store
from proofkey.server.store.contract import Store
from tests.store.contract import StoreContract


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    store = open_store(postgres_url)
    await store.open()
    yield store
    await store.close()


class TestPostgres(StoreContract): ...
