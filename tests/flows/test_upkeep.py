"""The rounds beside answering: what is over goes, what is not stays, and neither costs more the more there is."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from proofkey.protocol.records import DAY, HOUR, MINUTE, Lifetimes
from proofkey.server.app import create_app
from proofkey.server.config import Config
from proofkey.server.store.contract import Purged, PurgePlace
from proofkey.server.store.sql import SqlStore
from proofkey.server.store.sqlite import SqliteDatabase
from proofkey.server.store.statement import Row, Statement, Values
from proofkey.server.upkeep import GRACE_FOR, Pace, Upkeep, kept_for
from tests.engine import MASTER_KEY, NOON, PUBLIC_URL, Deployment, TurnableClock

PLACE = "demo/main"
PACE = Pace(page=10, living=50, looks=40)


class Counted(SqliteDatabase):
    """Counts what is asked and what is written."""

    reads = writes = 0

    async def read(self, statement: Statement, values: Values) -> list[Row]:
        self.reads += 1
        return await super().read(statement, values)

    async def write(self, script: Any, *arguments: Any) -> Any:
        self.writes += 1
        return await super().write(script, *arguments)


class Broken(SqlStore):
    """Fails for one workspace."""

    async def purge(self, workspace_id: str, before: int, place: PurgePlace | None, limit: int) -> Purged:
        if workspace_id == PLACE:
            raise RuntimeError("this workspace's rows cannot be read")
        return await super().purge(workspace_id, before, place, limit)


@pytest.fixture
def database(declared: Path, tmp_path: Path) -> Counted:
    shutil.copytree(declared, tmp_path / "data")
    return Counted(tmp_path / "data" / "proofkey.db")


@pytest.fixture
def store_type() -> type[SqlStore]:
    """Which store the engine runs on."""
    return SqlStore


@pytest.fixture
def store(database: Counted, store_type: type[SqlStore]) -> SqlStore:
    return store_type(database)


@pytest.fixture
async def running(store: SqlStore, tmp_path: Path) -> AsyncIterator[Deployment]:
    """An engine that has served both workspaces."""
    config = Config(
        public_url=PUBLIC_URL, database=f"sqlite://{tmp_path / 'data' / 'proofkey.db'}", master_key=MASTER_KEY
    )
    clock = TurnableClock()
    await store.open()
    app = create_app(config, store=store, clock=clock)
    for tenant in ("demo", "rival"):
        assert await app.engine.directory.find(tenant, "main", NOON)
    yield Deployment(app, store, clock)
    await store.close()


def fill(path: Path, count: int, ends_at: int, workspace_id: str = PLACE, first: int = 0) -> None:
    """Write *count* grants that end at that moment, with ids in order from *first* on."""
    connection = apsw.Connection(str(path))
    connection.execute(
        """WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 + ?2 - 1)
        INSERT INTO grants SELECT ?4, CAST(printf('%016d', i) AS BLOB), x'00', 'spa', NULL, 0, NULL, NULL, 1, '', '', '', 0,
          '', '', 0, ?3, ?3, NULL, 0, 0, 0, 0, NULL, NULL FROM n""",
        (first, count, ends_at, workspace_id),
    )
    connection.close()


def stored(path: Path, workspace_id: str = PLACE) -> int:
    """How many grants there are."""
    connection = apsw.Connection(str(path))
    [[count]] = connection.execute("SELECT COUNT(*) FROM grants WHERE workspace_id = ?", (workspace_id,)).fetchall()
    connection.close()
    return int(count)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "proofkey.db"


async def test_a_round_that_finds_nothing_over_writes_nothing(
    running: Deployment, database: Counted, path: Path
) -> None:
    fill(path, 200, NOON + DAY)
    upkeep = Upkeep(running.app.engine, PACE)
    before = database.writes
    for _ in range(10):
        await upkeep.sweep()
    assert before == database.writes
    assert 200 == stored(path)


async def test_a_round_looks_at_no_more_the_more_there_is(running: Deployment, database: Counted, path: Path) -> None:
    reads = []
    for count in (1_000, 10_000, 100_000):
        fill(path, count, NOON + DAY, first=count)
        before = database.reads
        await Upkeep(running.app.engine, PACE).sweep()
        reads.append(database.reads - before)
    assert [reads[0]] * 3 == reads
    assert reads[0] < 30


async def test_the_next_round_goes_on_where_the_last_one_stopped(running: Deployment, path: Path) -> None:
    fill(path, 120, NOON + DAY)
    fill(path, 3, NOON - DAY, first=120)
    upkeep = Upkeep(running.app.engine, PACE)
    left = []
    for _ in range(3):
        await upkeep.sweep()
        left.append(stored(path))
    assert [123, 123, 120] == left
    fill(path, 2, NOON - DAY, first=200)
    for _ in range(3):
        await upkeep.sweep()
    assert 120 == stored(path)


async def test_whatever_has_piled_up_goes_in_one_round(running: Deployment, path: Path) -> None:
    fill(path, 390, NOON - DAY)
    await Upkeep(running.app.engine, PACE).sweep()
    assert 0 == stored(path)


async def test_a_round_ends_even_where_there_is_no_end_of_what_is_over(running: Deployment, path: Path) -> None:
    fill(path, 500, NOON - DAY)
    upkeep = Upkeep(running.app.engine, PACE)
    await upkeep.sweep()
    assert 100 == stored(path)
    await upkeep.sweep()
    assert 0 == stored(path)


async def test_a_grant_outlives_what_was_issued_in_its_last_moment(running: Deployment, path: Path) -> None:
    engine = running.app.engine
    kept = kept_for(Lifetimes())
    fill(path, 1, NOON)
    running.clock.turn(kept)
    await Upkeep(engine, PACE).sweep()
    assert 1 == stored(path)
    running.clock.turn(1)
    await Upkeep(engine, PACE).sweep()
    assert 0 == stored(path)


@pytest.mark.parametrize("longest", ["code_for", "access_token_for", "id_token_for"])
def test_the_longest_lived_thing_of_a_grant_decides_how_long_it_is_kept(longest: str) -> None:
    assert 9 * HOUR + GRACE_FOR == kept_for(Lifetimes(**{longest: 9 * HOUR}))


async def test_an_access_token_of_a_day_is_good_for_a_day(running: Deployment) -> None:
    """Its grant's refresh lifetime is long over by then."""
    store, clock = running.store, running.clock
    workspace = await store.find_workspace("demo", "main")
    assert workspace is not None
    lifetimes = Lifetimes(access_token_for=DAY, refresh_idle_for=HOUR, refresh_absolute_for=HOUR)
    await store.keep_workspace(replace(workspace, lifetimes=lifetimes), NOON)
    clock.turn(MINUTE)
    tokens = await running.sign_in("web", scope="openid offline_access notes:read")
    clock.turn(20 * HOUR)
    await Upkeep(running.app.engine).sweep()
    assert 200 == (await running.userinfo(tokens["access_token"])).status_code


@pytest.mark.parametrize("store_type", [Broken])
async def test_a_workspace_that_fails_is_logged_and_the_others_have_their_turn(
    running: Deployment, path: Path, log: list[Any]
) -> None:
    for workspace_id in (PLACE, "rival/main"):
        fill(path, 5, NOON - DAY, workspace_id)
    await Upkeep(running.app.engine, PACE).sweep()
    assert (5, 0) == (stored(path), stored(path, "rival/main"))
    assert [("upkeep_failed", PLACE)] == [(line["event"], line["workspace"]) for line in log]
