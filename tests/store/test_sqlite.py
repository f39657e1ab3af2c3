"""SQLite keeps the whole contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proofkey.server.store import open_store
from proofkey.server.store.contract import Store
from tests.store.contract import StoreContract


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite://{tmp_path}/proofkey.db")
    await store.open()
    yield store
    await store.close()


class TestSqlite(StoreContract): ...
