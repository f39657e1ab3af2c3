"""Addresses, and a schema that goes forward only."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofkey.server.store import open_store
from proofkey.server.store.contract import Store, StoreUnavailable
from proofkey.server.store.migrations import SchemaTooNew, find_migrations, statements_after
from proofkey.server.store.sql import SqlStore
from proofkey.server.store.statement import Script, Statement
from tests.store.facts import ALICE, PLACE, SPA, read_rows, set_scene


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/with%20space.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.mark.parametrize("address", ["", "sqlite://relative.db", "mysql://localhost/x", "/var/lib/proofkey.db"])
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///absolute/path"):
        open_store(address)


def test_an_address_is_percent_decoded(tmp_path: Path) -> None:
    open_store(f"sqlite://{tmp_path}/with%20space.db")
    assert [] == list(tmp_path.iterdir())


async def test_what_was_written_is_there_when_the_store_is_opened_again(url: str) -> None:
    store = await _opened(url)
    await set_scene(store)
    await store.close()
    again = await _opened(url)
    assert (SPA, ALICE) == (await again.find_client(PLACE, "spa"), await again.find_user(PLACE, "alice"))
    assert [(len(find_migrations()),)] == await read_rows(again, "SELECT COUNT(*) FROM schema_migrations")
    await again.close()


async def test_a_newer_schema_is_refused(url: str) -> None:
    store = await _opened(url)
    assert isinstance(store, SqlStore)
    await store._database.write(_pretend_to_be_newer)
    await store.close()
    with pytest.raises(SchemaTooNew, match="upgrade Proofkey") as refused:
        await _opened(url)
    assert isinstance(refused.value, StoreUnavailable)


def test_only_what_is_missing_runs() -> None:
    every = find_migrations()
    assert [] == list(statements_after(every[-1].number, every))
    assert list(statements_after(0, every)) == [text for migration in every for text in migration.statements]


def test_migrations_are_numbered_without_a_gap() -> None:
    assert list(range(1, len(find_migrations()) + 1)) == [migration.number for migration in find_migrations()]


def test_every_table_s_key_leads_with_its_workspace_or_tenant() -> None:
    tables = [text for text in find_migrations()[0].statements if text.startswith("CREATE TABLE")]
    assert 10 == len(tables)
    for table in tables:
        assert "PRIMARY KEY (workspace_id, " in table or "PRIMARY KEY (tenant, " in table
        assert table.endswith("/* clustered */")


def test_a_statement_names_what_it_uses() -> None:
    with pytest.raises(ValueError, match="names"):
        Statement("workspace_id id", "SELECT 1 FROM grants WHERE workspace_id = :workspace_id")
    statement = Statement("b a", "SELECT :a, :b, :a", {"a": "TEXT"})
    assert "SELECT ?2, ?1, ?2" == statement.numbered("?")
    assert "SELECT CAST($2 AS TEXT), $1, CAST($2 AS TEXT)" == statement.numbered("$", typed=True)


async def _opened(url: str) -> Store:
    store = open_store(url)
    await store.open()
    return store


def _pretend_to_be_newer() -> Script[None]:
    yield Statement("", "INSERT INTO schema_migrations (number) VALUES (9999)"), ()
