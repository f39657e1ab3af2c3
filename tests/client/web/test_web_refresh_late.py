"""Access tokens are renewed although the issuer is slow, the store away, or a worker gone: nobody is signed out by that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from proofkey.client.web import SqliteStore, StoreUnavailable
from proofkey.client.web.transaction import hash_cookie
from tests.client.web.clock import HOUR
from tests.client.web.web_app import CLIENT_SECRET, browser_of
from tests.client.web.workers import Workers, ask, workers_at
from tests.dev_server import StartDev


@pytest_asyncio.fixture
async def workers(start_dev: StartDev, tmp_path: Path) -> AsyncIterator[Workers]:
    """As above, with the usual leeway."""
    async with workers_at(start_dev, tmp_path) as started:
        yield started


async def late(workers: Workers, by: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer comes so late, in a world where everything else takes a tenth of its time."""
    workers.wire.delay = by
    monkeypatch.setattr("proofkey.client.patience.AGAIN_AT", (0.5, 0.85))


async def test_an_issuer_whose_answers_come_late_signs_nobody_out(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer that comes is taken; nothing is sent when issuers would take it for a theft."""
    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        workers.clock.turn(HOUR)
        await late(workers, 2.0, monkeypatch)
        assert [200] * 5 == await ask(alice, 5)
        workers.wire.delay = 0.0
        workers.clock.turn(HOUR)
        assert [200] == await ask(alice, 1)
    refreshes = workers.wire.refreshes()
    assert [200] * 4 == [each.status for each in refreshes]
    assert 1 == len({each.asked["refresh_token"] for each in refreshes[:3]})


async def test_a_worker_that_dies_while_it_renews_signs_nobody_out(workers: Workers, tmp_path: Path) -> None:
    """Another one takes over while the issuer still gives the same successor: its clock is the real one."""
    dying, living = (workers.worker(SqliteStore(tmp_path / "s.db")) for _ in range(2))
    async with browser_of(dying) as alice, browser_of(living) as same_browser:
        await alice.sign_in()
        same_browser.http.cookies = alice.http.cookies
        workers.clock.turn(HOUR)
        workers.wire.delay = 60.0
        asked = asyncio.ensure_future(alice.fetch("GET", "/api/notes"))
        while not workers.wire.refreshes():
            await asyncio.sleep(0.05)
        for task in (await dying.opened()).site.renewal._running.values():
            task.cancel()
        workers.wire.delay = 0.0
        workers.clock.turn(7_000)
        assert [200] == await ask(same_browser, 1)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    assert [200, 200] == [each.status for each in workers.wire.refreshes()]


async def test_a_worker_that_waits_for_a_slow_issuer_is_not_taken_over(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "s.db")
    app = workers.worker(store)
    async with browser_of(app) as alice:
        await alice.sign_in()
        workers.clock.turn(HOUR)
        await late(workers, 1.5, monkeypatch)
        asked = asyncio.ensure_future(ask(alice, 1))
        while len(workers.wire.refreshes()) < 2:
            await asyncio.sleep(0.05)
        key = hash_cookie(alice.http.cookies[(await app.opened()).site.session_cookie.name])
        now = workers.clock() + 40_000
        assert not await store.claim_refresh(key, expected_version=0, claimed_until=now + 1, now=now)
        assert [200] == await asked


async def test_tokens_that_came_while_the_store_was_away_are_kept_once_it_is_back(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "s.db")
    app = workers.worker(store)
    async with browser_of(app) as alice:
        await alice.sign_in()
        workers.clock.turn(HOUR)
        keep, failures = store.renew_session, iter([True] * 3)

        async def fails_at_first(*given: Any, **named: Any) -> bool:
            if next(failures, False):
                raise StoreUnavailable("restarting")
            return await keep(*given, **named)

        monkeypatch.setattr(store, "renew_session", fails_at_first)
        assert [200] == await ask(alice, 1)
        workers.clock.turn(HOUR)
        assert [200] == await ask(alice, 1)
    assert [200, 200] == [each.status for each in workers.wire.refreshes()]


async def test_one_failure_is_everybody_s_who_waited_for_the_same(workers: Workers, tmp_path: Path) -> None:
    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        workers.clock.turn(HOUR)
        workers.wire.loses = lambda _exchange: True
        assert [503] * 12 == await ask(alice, 12)
    assert 3 == len(workers.wire.refreshes())


async def test_the_end_of_the_process_does_not_wait_for_an_issuer_that_hangs(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.client.web.refresh.FINISHED_WITHIN", 0.2)
    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        workers.clock.turn(HOUR)
        workers.wire.delay = 60.0
        asked = asyncio.ensure_future(ask(alice, 1))
        while not workers.wire.refreshes():
            await asyncio.sleep(0.05)
        await asyncio.wait_for(app.close(), 10)
        await asyncio.gather(asked, return_exceptions=True)


async def test_a_worker_that_is_stopped_while_the_issuer_is_slow_hands_over_at_once(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it had said that it would wait for long: a deploy signs nobody out."""
    monkeypatch.setattr("proofkey.client.web.refresh.FINISHED_WITHIN", 0.1)
    stopped, living = (workers.worker(SqliteStore(tmp_path / "s.db")) for _ in range(2))
    async with browser_of(stopped) as alice, browser_of(living) as same_browser:
        await alice.sign_in()
        same_browser.http.cookies = alice.http.cookies
        workers.clock.turn(HOUR)
        await late(workers, 60.0, monkeypatch)
        asked = asyncio.ensure_future(alice.fetch("GET", "/api/notes"))
        while len(workers.wire.refreshes()) < 2:
            await asyncio.sleep(0.05)
        workers.wire.delay = 0.0
        await stopped.close()
        assert [200] == await asyncio.wait_for(ask(same_browser, 1), 5)
        await asyncio.gather(asked, return_exceptions=True)
    assert {200} == {each.status for each in workers.wire.refreshes()}


async def test_a_short_life_is_used_up_to_two_thirds(start_dev: StartDev, tmp_path: Path) -> None:
    async with workers_at(start_dev, tmp_path, access_token="24s") as workers:
        app = workers.worker(SqliteStore(tmp_path / "s.db"))
        async with browser_of(app) as alice:
            await alice.sign_in()
            workers.clock.turn(15_000)
            assert [200] * 3 == await ask(alice, 3)
            assert [] == workers.wire.refreshes()
            workers.clock.turn(2_000)
            assert [200] * 3 == await ask(alice, 3)
            assert 1 == len(workers.wire.refreshes())


async def test_tokens_that_came_after_the_sign_out_are_given_back(workers: Workers, tmp_path: Path) -> None:
    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        workers.clock.turn(HOUR)
        workers.wire.delay = 0.5
        asked = asyncio.ensure_future(alice.fetch("GET", "/api/notes"))
        while not workers.wire.refreshes():
            await asyncio.sleep(0.02)
        site = (await app.opened()).site
        await site.store.end_session(hash_cookie(alice.http.cookies[site.session_cookie.name]))
        assert 401 == (await asked).status_code
        workers.wire.delay = 0.0
        successor = workers.wire.refreshes()[0].answer["refresh_token"]
        secret = workers.server.application("web")["client_id"], CLIENT_SECRET
        form = {"grant_type": "refresh_token", "refresh_token": successor}
        again = await alice.http.post(f"{workers.server.issuer}/oauth2/token", data=form, auth=secret)
    assert (400, "invalid_grant") == (again.status_code, again.json()["error"])
