"""One writer commits for everybody waiting: together where that works, alone where one of them fails, and not at all for a no."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from proofkey.protocol.records import HOUR, LiveGrant
from proofkey.server.store import open_store
from proofkey.server.store.contract import (
    Allowed,
    AttemptLimit,
    AuthorizationGone,
    CodeAlreadyUsed,
    CounterAhead,
    Purged,
    PurgePlace,
    Redeemed,
    Retried,
    Store,
    StoreUnavailable,
    Throttled,
    UserKept,
)
from proofkey.server.store.sql import SqlStore
from proofkey.server.store.sqlite import SqliteDatabase, refuse_old_sqlite
from proofkey.server.store.statement import Script, Statement
from tests.store.contract_grants import kinds
from tests.store.facts import (
    ALICE,
    NOON,
    PLACE,
    SESSION,
    SPA,
    WORKSPACE,
    audited,
    code,
    grant,
    read_rows,
    refresh,
    robot_grant,
    row_id,
    set_scene,
)


class Counting(SqliteDatabase):
    """Counts its commits."""

    commits = 0

    def _commit(self) -> None:
        super()._commit()
        self.commits += 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "proofkey.db"


@pytest.fixture
def database(path: Path) -> Counting:
    return Counting(path, busy_for=20)


@pytest.fixture
async def store(database: Counting) -> AsyncIterator[Store]:
    store = SqlStore(database)
    await store.open()
    await set_scene(store)
    yield store
    await store.close()


def _wait(release: threading.Event) -> Script[None]:
    release.wait(30)
    yield Statement("", "SELECT 1"), ()


async def in_one_batch(database: Counting, *calls: Awaitable[Any]) -> list[Any]:
    """The answers (or failures) of calls that all waited while the writer was busy with something else."""
    release = threading.Event()
    busy = asyncio.ensure_future(database.write(_wait, release))
    await asyncio.sleep(0.05)
    waiting = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0.01)
    database.commits = 0
    release.set()
    await busy
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_thirty_equal_codes_in_one_batch_have_one_winner_and_its_grant_is_dead(
    store: Store, database: Counting
) -> None:
    redeem = [store.redeem_code(code(), grant(0, n), NOON) for n in range(30)]
    answers = await in_one_batch(database, *redeem)
    assert 2 == database.commits  # the one that kept the writer busy, and one for all thirty
    assert Counter(Redeemed=1, CodeAlreadyUsed=29) == kinds(answers)
    assert isinstance(answers[0], Redeemed)
    assert await store.find_grant(PLACE, row_id(0), NOON) is None
    assert 1 == len(await audited(store, "code_replayed"))


async def test_a_hundred_different_codes_share_one_commit(store: Store, database: Counting) -> None:
    answers = await in_one_batch(database, *(store.redeem_code(code(n), grant(n), NOON) for n in range(100)))
    assert 2 == database.commits
    assert Counter(Redeemed=100) == kinds(answers)


@pytest.mark.parametrize(
    "unwritable", [{"rotated_at": 2**70}, {"acr": "\ud800"}, {"claims": None}, {"scope": ("a\nb",)}], ids=str
)
async def test_a_row_that_cannot_be_written_fails_its_caller_alone(
    store: Store, database: Counting, unwritable: dict[str, Any]
) -> None:
    wanted = [grant(n, **(unwritable if n == 5 else {})) for n in range(11)]
    answers = await in_one_batch(database, *(store.redeem_code(code(n), wanted[n], NOON) for n in range(11)))
    failed = answers.pop(5)
    assert isinstance(failed, Exception)
    assert not isinstance(failed, StoreUnavailable)
    assert Counter(Redeemed=10) == kinds(answers)
    assert [(10,)] == await read_rows(store, "SELECT COUNT(*) FROM grants")


async def test_a_cancelled_caller_takes_nobody_along(store: Store, database: Counting) -> None:
    async def gives_up() -> None:
        async with asyncio.timeout(0):
            await store.redeem_code(code(1), grant(1), NOON)

    answers = await in_one_batch(database, gives_up(), store.redeem_code(code(2), grant(2), NOON))
    assert isinstance(answers[0], TimeoutError)
    assert Redeemed(LiveGrant(grant(2), ALICE)) == answers[1]


async def test_ten_thousand_refusals_leave_database_and_wal_as_they_are(store: Store, path: Path) -> None:
    await store.redeem_code(code(), grant(), NOON)
    await store.rotate_refresh(refresh(), NOON)
    await store.redeem_code(code(1), grant(1), NOON)
    await store.redeem_code(code(1), grant(1, 1), NOON)
    limits = (AttemptLimit(1, 1, HOUR), AttemptLimit(2, 5, HOUR))
    await store.count_attempt(PLACE, limits, NOON)
    expected: list[tuple[object, Callable[[], Awaitable[object]]]] = [
        (AuthorizationGone(), lambda: store.redeem_code(code(2), grant(2, consent_id=b"gone"), NOON)),
        (AuthorizationGone(), lambda: store.redeem_code(code(2), grant(2), SESSION.expires_at)),
        (CodeAlreadyUsed(), lambda: store.redeem_code(code(1), grant(1, 2), NOON)),
        (AuthorizationGone(), lambda: store.rotate_refresh(refresh(9), NOON)),
        (AuthorizationGone(), lambda: store.rotate_refresh(refresh(1), NOON)),
        (AuthorizationGone(), lambda: store.rotate_refresh(refresh(0, 1, refresh_hash=b"?"), NOON)),
        (CounterAhead(), lambda: store.rotate_refresh(refresh(0, 5), NOON)),
        (AuthorizationGone(), lambda: store.begin_grant(replace(robot_grant(), client_id="unknown"), NOON)),
        (None, lambda: store.revoke_grant(PLACE, row_id(9), "code_replayed", NOON)),
        (None, lambda: store.revoke_grant(PLACE, row_id(1), "code_replayed", NOON)),
        (None, lambda: store.revoke_access(PLACE, row_id(9), NOON)),
        (False, lambda: store.renew_session(replace(SESSION, user_epoch=4), NOON)),
        (False, lambda: store.choose_account(PLACE, b"no-such-session!", b"request", NOON)),
        (None, lambda: store.end_session(PLACE, b"no-such-session!", NOON)),
        (None, lambda: store.withdraw_consent(PLACE, "alice", "other", NOON)),
        (UserKept(), lambda: store.keep_user(ALICE, ("alice", "alice@acme.example"), NOON)),
        (Throttled(NOON + HOUR), lambda: store.count_attempt(PLACE, limits, NOON)),
        (None, lambda: store.forgive_attempt(PLACE, (AttemptLimit(7, 1, HOUR),), NOON)),
        (None, lambda: store.keep_client(PLACE, SPA, NOON)),
        (None, lambda: store.keep_workspace(WORKSPACE, NOON)),
        (None, lambda: store.disable_client(PLACE, "unknown", NOON)),
        (None, lambda: store.disable_user(PLACE, "unknown", NOON)),
        (None, lambda: store.drop_key(PLACE, "ES256", 1)),
        (None, lambda: store.find_grant(PLACE, row_id(9), NOON)),
        (None, lambda: store.find_user(PLACE, "nobody")),
        (Purged(0, PurgePlace(1, b"")), lambda: store.purge(PLACE, NOON, None, 10)),
        (Purged(0, None), lambda: store.purge(PLACE, NOON, PurgePlace(2, -1), 10)),
    ]
    before = _bytes_of(path)
    rounds = 10_000 // len(expected) + 1
    for outcome, call in expected:
        for _ in range(rounds // 55):
            assert [outcome] * 55 == list(await asyncio.gather(*(call() for _ in range(55))))
        assert [outcome] * (rounds % 55) == [await call() for _ in range(rounds % 55)]
    assert isinstance(await store.rotate_refresh(refresh(), NOON + 1), Retried)
    assert before == _bytes_of(path)
    assert Allowed() == await store.count_attempt(PLACE, (AttemptLimit(3, 1, HOUR),), NOON)
    assert before != _bytes_of(path)


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-8_000:-4_000] = b"\xff" * 4_000
    path.write_bytes(content)


def _bytes_of(path: Path) -> tuple[bytes, bytes]:
    return path.read_bytes(), path.with_name(path.name + "-wal").read_bytes()


async def test_only_its_owner_may_read_the_files(path: Path) -> None:
    store = open_store(f"sqlite://{path}")
    old = os.umask(0)
    try:
        await store.open()
        await set_scene(store)
    finally:
        os.umask(old)
    found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert {"proofkey.db": 0o600, "proofkey.db-wal": 0o600, "proofkey.db-shm": 0o600} == found
    await store.close()


async def test_what_waits_when_the_store_closes_is_still_written(path: Path) -> None:
    store = open_store(f"sqlite://{path}")
    await store.open()
    await set_scene(store)
    redeem = [asyncio.ensure_future(store.redeem_code(code(n), grant(n), NOON)) for n in range(30)]
    await asyncio.sleep(0)
    await store.close()
    assert Counter(Redeemed=30) == kinds(list(await asyncio.gather(*redeem)))
    with pytest.raises(StoreUnavailable):
        await store.redeem_code(code(31), grant(31), NOON)


async def test_a_writer_lock_held_elsewhere_makes_the_store_unavailable_until_it_is_let_go(
    store: Store, path: Path
) -> None:
    elsewhere = apsw.Connection(str(path))
    elsewhere.execute("BEGIN IMMEDIATE")
    answers = await asyncio.gather(
        *(store.redeem_code(code(n), grant(n), NOON) for n in range(3)), return_exceptions=True
    )
    assert Counter(StoreUnavailable=3) == kinds(list(answers))
    assert ALICE == await store.find_user(PLACE, "alice")
    elsewhere.execute("ROLLBACK")
    elsewhere.close()
    assert isinstance(await store.redeem_code(code(0), grant(0), NOON), Redeemed)


async def test_a_file_that_is_no_database_or_has_no_folder_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, " * 500)
    for path in (tmp_path / "text.db", tmp_path / "no-such-folder" / "proofkey.db"):
        with pytest.raises(StoreUnavailable, match=path.name):
            await open_store(f"sqlite://{path}").open()


async def test_damage_is_found(path: Path) -> None:
    store = open_store(f"sqlite://{path}")
    await store.open()
    await set_scene(store)
    for number in range(200):
        await store.redeem_code(code(number), grant(number), NOON)
    assert () == await store.check_integrity()
    await store.close()
    _damage(path)
    await store.open()
    assert () != await store.check_integrity()
    await store.close()


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.9.9"])
def test_a_sqlite_with_the_wal_reset_bug_is_refused(version: str) -> None:
    with pytest.raises(StoreUnavailable, match=version):
        refuse_old_sqlite(version)
    refuse_old_sqlite("3.51.3")
