"""Access tokens are renewed once, whoever asks: many requests, two workers, lost answers, ended grants."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from proofkey.client.web import Api, PostgresStore, RedisStore, SessionStore, SqliteStore
from proofkey.client.web.transaction import hash_cookie
from tests.client.web.clock import HOUR, MINUTE, ForwardClock
from tests.client.web.sample_api import payload_of, sample_api
from tests.client.web.web_app import CLIENT_SECRET, browser_of, sign_in_at
from tests.client.web.workers import Workers, ask, workers_at
from tests.dev_server import DevServer, StartDev
from tests.spa.lossy_wire import Exchange


@pytest_asyncio.fixture
async def workers(start_dev: StartDev, tmp_path: Path) -> AsyncIterator[Workers]:
    """As above, with the usual leeway."""
    async with workers_at(start_dev, tmp_path) as started:
        yield started


async def test_a_token_is_used_as_long_as_it_is_good(workers: Workers, tmp_path: Path) -> None:
    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        assert [200] * 3 == await ask(alice, 3)
        workers.clock.turn(HOUR - MINUTE)
        assert [200] == await ask(alice, 1)
        assert [] == workers.wire.refreshes()
        workers.clock.turn(MINUTE)
        assert [200] == await ask(alice, 1)
    assert 1 == len(workers.wire.refreshes())
    assert 2 == len({sent.token for sent in workers.api.sent})


@pytest.mark.parametrize("kind", ["sqlite", "redis", "postgres"])
async def test_two_workers_with_forty_requests_make_one_refresh(
    workers: Workers, tmp_path: Path, redis_url: str, postgres_url: str, kind: str
) -> None:
    make: dict[str, Callable[[], SessionStore]] = {
        "sqlite": lambda: SqliteStore(tmp_path / "s.db"),
        "redis": lambda: RedisStore(redis_url),
        "postgres": lambda: PostgresStore(postgres_url),
    }
    one, two = workers.worker(make[kind]()), workers.worker(make[kind]())
    async with browser_of(one) as alice, browser_of(two) as same_browser:
        await alice.sign_in()
        same_browser.http.cookies = alice.http.cookies
        workers.clock.turn(HOUR)
        answers = await asyncio.gather(ask(alice, 20), ask(same_browser, 20))
    assert [[200] * 20] * 2 == answers
    assert 1 == len(workers.wire.refreshes())
    assert 1 == len({sent.token for sent in workers.api.sent})


async def test_an_answer_that_is_lost_is_asked_for_again(workers: Workers, tmp_path: Path) -> None:
    lost: list[Exchange] = []

    def loses_two(exchange: Exchange) -> bool:
        if exchange.grant_type == "refresh_token" and len(lost) < 2:
            lost.append(exchange)
        return exchange in lost

    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        workers.clock.turn(HOUR)
        workers.wire.loses = loses_two
        assert [200] * 5 == await ask(alice, 5)
        workers.clock.turn(HOUR)
        assert [200] == await ask(alice, 1), "the successor that was heard of in the end works on"
    asked = [each.asked["refresh_token"] for each in workers.wire.refreshes()]
    assert (4, 2, 1) == (len(asked), len(set(asked)), len(set(asked[:3])))


async def test_an_issuer_that_does_not_answer_signs_nobody_out(workers: Workers, tmp_path: Path) -> None:
    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        workers.clock.turn(HOUR)
        workers.wire.loses = lambda _exchange: True
        refused = await alice.fetch("GET", "/api/notes")
        assert (503, True) == (refused.status_code, "[refresh_unanswered]" in refused.text)
        workers.wire.loses = lambda _exchange: False
        assert [200] == await ask(alice, 1)


async def test_a_grant_that_ended_ends_the_session(
    workers: Workers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "proofkey.client.web")
    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        first = workers.wire.redemptions()[0].answer["refresh_token"]
        secret = workers.server.application("web")["client_id"], CLIENT_SECRET
        revoked = await alice.http.post(f"{workers.server.issuer}/oauth2/revoke", data={"token": first}, auth=secret)
        assert 200 == revoked.status_code
        workers.clock.turn(HOUR)
        answer = await alice.fetch("GET", "/api/notes")
        assert (401, "login_required") == (answer.status_code, answer.json()["error"])
        assert "signed out: refresh_token_refused" in caplog.text
        assert {"signed_in": False} == await alice.session()


async def test_without_a_refresh_token_the_person_signs_in_again(
    web_dev: DevServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "proofkey.client.web")
    clock = ForwardClock()
    with sample_api() as api:
        apis = {"/api": Api(url=api.url, resource="http://127.0.0.1:1")}
        app = sign_in_at(web_dev, apis=apis, clock=clock)
        async with browser_of(app) as alice:
            await alice.sign_in()
            opened = await app.opened()
            await without_refresh_token(opened.site)
            assert [200] == await ask(alice, 1)
            clock.turn(5 * MINUTE)
            assert [401] == await ask(alice, 1)
        await app.close()
    assert "signed out: session_without_refresh_token" in caplog.text


async def test_an_api_that_signing_in_brings_no_token_for_is_no_reason_to_sign_in(web_dev: DevServer) -> None:
    with sample_api() as api:
        apis = {
            "/api": Api(url=api.url, resource="http://127.0.0.1:1"),
            "/read": Api(url=api.url, resource="http://127.0.0.1:1", scope="notes:read"),
        }
        app = sign_in_at(web_dev, apis=apis)
        async with browser_of(app) as alice:
            await alice.sign_in()
            await without_refresh_token((await app.opened()).site)
            page, script = await alice.go("/read/notes"), await alice.fetch("GET", "/read/notes")
            assert (await alice.session())["signed_in"]
        await app.close()
    assert (403, False) == (page.status_code, "location" in page.headers)
    assert (403, "access_denied", True) == (
        script.status_code,
        script.json()["error"],
        "[refresh_token_not_given]" in script.text,
    )


async def test_a_token_that_is_over_at_once_is_no_reason_to_sign_in(web_dev: DevServer) -> None:
    clock = ForwardClock()
    app = sign_in_at(web_dev, apis={"/api": Api(url="http://127.0.0.1:1", resource="http://127.0.0.1:1")}, clock=clock)
    async with browser_of(app) as alice:
        await alice.sign_in()
        await without_refresh_token((await app.opened()).site, expires_at=clock())
        page = await alice.go("/api/notes")
    await app.close()
    assert (403, True) == (page.status_code, "[refresh_token_not_given]" in page.text)


async def without_refresh_token(site: Any, expires_at: int | None = None) -> None:
    """What the only session is where an issuer gave none."""
    import msgspec

    from proofkey.client.web.session import Contents, HeldToken

    [stored] = site.store._sessions.values()
    contents = site.sealing.open_session(stored.key, stored.sealed, Contents)
    kept = {name: HeldToken(held.access_token, expires_at or held.expires_at) for name, held in contents.access.items()}
    changed = msgspec.structs.replace(contents, refresh_token=None, access=kept)
    sealed = site.sealing.close_session(stored.key, changed)
    assert await site.store.renew_session(stored.key, expected_version=0, sealed=sealed, now=site.clock())


async def test_a_refresh_goes_on_when_its_request_is_gone(workers: Workers, tmp_path: Path) -> None:
    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        workers.clock.turn(HOUR)
        workers.wire.delay = 0.5
        task = asyncio.ensure_future(alice.fetch("GET", "/api/notes"))
        await asyncio.sleep(0.25)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        workers.wire.delay = 0.0
        assert [200] == await ask(alice, 1)
    assert 1 == len(workers.wire.refreshes())


async def test_a_session_that_ends_while_it_is_renewed_stays_ended(workers: Workers, tmp_path: Path) -> None:
    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        token = (await alice.session())["csrf"]
        workers.clock.turn(HOUR)
        workers.wire.delay = 0.5
        task = asyncio.ensure_future(alice.fetch("GET", "/api/notes"))
        await asyncio.sleep(0.25)
        await alice.fetch("POST", "/auth/logout", x_csrf_token=token)
        assert 401 == (await task).status_code
        assert {"signed_in": False} == await alice.session()


async def test_a_session_without_use_ends_and_use_moves_that_on(workers: Workers, tmp_path: Path) -> None:
    app = workers.worker(SqliteStore(tmp_path / "s.db"), idle_for=HOUR, absolute_for=3 * HOUR)
    async with browser_of(app) as alice, browser_of(app, username="bob") as bob:
        await alice.sign_in()
        await bob.sign_in()
        for _ in range(3):
            workers.clock.turn(50 * MINUTE)
            assert "/ Alice" == (await alice.go("/")).text
            await bob.session()
        assert {"signed_in": False} == await bob.session(), "asking is not using"
        workers.clock.turn(31 * MINUTE)
        assert {"signed_in": False} == await alice.session(), "nothing moves the absolute lifetime on"


async def test_calls_of_an_api_are_use(workers: Workers, tmp_path: Path) -> None:
    app = workers.worker(SqliteStore(tmp_path / "s.db"), idle_for=HOUR)
    async with browser_of(app) as alice:
        await alice.sign_in()
        for _ in range(3):
            workers.clock.turn(40 * MINUTE)
            assert [200] == await ask(alice, 1)


async def test_the_application_itself_gets_a_good_token(web_dev: DevServer) -> None:
    tokens: list[str] = []

    async def ask_twice(scope: Any, receive: Any, send: Any) -> None:
        session = scope["proofkey.session"]
        tokens.extend([await session.access_token(), await session.access_token()] if session else [])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    clock = ForwardClock()
    app = sign_in_at(web_dev, app=ask_twice, clock=clock)
    async with browser_of(app) as alice:
        await alice.sign_in()
        clock.turn(5 * MINUTE - 20_000)
        await alice.go("/")
    await app.close()
    assert (4, 2) == (len(tokens), len(set(tokens)))


async def test_a_worker_that_hangs_keeps_nobody_waiting_for_ever(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.client.web.refresh.PAUSES", (0.0, 0.01, 0.01))
    app = workers.worker(SqliteStore(tmp_path / "s.db"))
    async with browser_of(app) as alice:
        await alice.sign_in()
        workers.clock.turn(HOUR)
        opened = await app.opened()
        key = hash_cookie(alice.http.cookies[opened.site.session_cookie.name])
        claim = {"expected_version": 0, "claimed_until": workers.clock() + HOUR, "now": workers.clock()}
        assert await opened.site.store.claim_refresh(key, **claim)
        answer = await alice.fetch("GET", "/api/notes")
        assert (503, True) == (answer.status_code, "[refresh_busy]" in answer.text)
        await opened.site.store.release_refresh(key, expected_version=0)
        assert [200] == await ask(alice, 1)


async def test_an_api_the_application_may_not_use_signs_nobody_out(web_dev: DevServer) -> None:
    apis = {
        "/api": Api(url="http://127.0.0.1:1", resource="http://127.0.0.1:1"),
        "/other": Api(url="http://127.0.0.1:1", resource="https://not-ours.example"),
    }
    app = sign_in_at(web_dev, apis=apis)
    async with browser_of(app) as alice:
        await alice.sign_in()
        answer = await alice.fetch("GET", "/other/notes")
        assert (503, True) == (answer.status_code, "[refresh_refused]" in answer.text)
        assert (await alice.session())["signed_in"]
    await app.close()


async def test_each_api_gets_a_token_of_its_own(web_dev: DevServer) -> None:
    with sample_api() as api:
        apis = {
            "/api": Api(url=api.url, resource="http://127.0.0.1:1"),
            "/read": Api(url=api.url, resource="http://127.0.0.1:1", scope="notes:read"),
        }
        app = sign_in_at(web_dev, apis=apis)
        async with browser_of(app) as alice:
            await alice.sign_in()
            for prefix in ("/api", "/read", "/api", "/read"):
                assert 200 == (await alice.fetch("GET", f"{prefix}/notes")).status_code
        await app.close()
    whole, narrow, again, narrow_again = [sent.token for sent in api.sent]
    assert (whole, narrow) == (again, narrow_again)
    scopes = [set(json.loads(payload_of(token))["scope"].split()) for token in (whole, narrow)]
    assert [True, False] == ["notes:write" in scope for scope in scopes]
    assert "notes:read" in scopes[1]
