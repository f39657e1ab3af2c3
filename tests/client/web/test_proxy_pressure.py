"""One browser that takes nothing, or gives nothing, keeps nobody else from the API."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
import pytest_asyncio

from proofkey.client.web import Api, SignIn
from proofkey.client.web.message import FORM
from proofkey.client.web.turns import ApiUnreachable, Turns
from tests.client.web.browser import WebBrowser
from tests.client.web.sample_api import Reply, SampleApi, sample_api
from tests.client.web.test_proxy import csrf
from tests.client.web.web_app import browser_of, sign_in_at
from tests.dev_server import DevServer

PATIENCE = 10


@pytest.fixture
def notes() -> Iterator[SampleApi]:
    with sample_api() as api:
        yield api


@pytest_asyncio.fixture
async def patient(web_dev: DevServer, notes: SampleApi) -> AsyncIterator[SignIn]:
    """In front of an API that is waited for as long as this test takes, and one that is not."""
    apis = {
        "/api": Api(url=notes.url, resource="http://127.0.0.1:1"),
        "/hasty": Api(url=notes.url, resource="http://127.0.0.1:1", timeout_for=300),
    }
    sign_in = sign_in_at(web_dev, apis=apis)
    yield sign_in
    await sign_in.close()


async def pending() -> Any:
    """For ever."""
    await asyncio.Event().wait()


def asked(browser: WebBrowser, method: str, path: str, **more: str) -> dict[str, Any]:
    """The scope of that browser's request."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    headers = [(b"cookie", cookie.encode()), *((name.encode(), value.encode()) for name, value in more.items())]
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}


async def unread(app: SignIn, browser: WebBrowser, path: str) -> None:
    """Ask, and take nothing of the answer's body."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await pending()

    await app(asked(browser, "GET", path), receive, send)


async def test_one_person_cannot_keep_all_connections_to_an_api(patient: SignIn, notes: SampleApi) -> None:
    notes.reply = lambda _sent: Reply(body=b"x" * 65_536, pieces=20)
    async with browser_of(patient) as alice, browser_of(patient, username="bob") as bob:
        await alice.sign_in()
        await bob.sign_in()
        held = [asyncio.create_task(unread(patient, alice, "/api/file")) for _ in range(120)]
        await asyncio.sleep(1)
        notes.reply = lambda _sent: Reply()
        async with asyncio.timeout(PATIENCE):
            answer = await bob.fetch("GET", "/api/notes")
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        again = await alice.fetch("GET", "/api/notes")
    assert (200, 200) == (answer.status_code, again.status_code)
    assert 16 + 2 == len(notes.sent)


async def test_an_answer_that_nobody_takes_is_cut(patient: SignIn, notes: SampleApi) -> None:
    notes.reply = lambda _sent: Reply(body=b"x" * 65_536, pieces=20)
    async with browser_of(patient) as alice:
        await alice.sign_in()
        with pytest.raises(ConnectionError, match="nobody takes"):
            await asyncio.wait_for(unread(patient, alice, "/hasty/file"), PATIENCE)


async def test_who_has_too_many_requests_under_way_is_told_so(patient: SignIn, notes: SampleApi) -> None:
    notes.reply = lambda _sent: Reply(body=b"x" * 65_536, pieces=20)
    async with browser_of(patient) as alice:
        await alice.sign_in()
        opened = await patient.opened()
        [stored] = opened.site.store._sessions.values()  # type: ignore[attr-defined]
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as held:
            for _ in range(16):
                await held.enter_async_context(opened.upstreams["/hasty"]._turns.turn(stored.subject_key, within=1))
            answer = await alice.fetch("GET", "/hasty/notes")
    assert (503, "5", True) == (answer.status_code, answer.headers["retry-after"], "[api_turn_awaited]" in answer.text)


async def test_a_body_that_does_not_go_on_is_not_waited_for(patient: SignIn, notes: SampleApi) -> None:
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async with browser_of(patient) as alice:
        await alice.sign_in()
        scope = asked(alice, "POST", "/hasty/notes", **{"x-csrf-token": await csrf(alice)})
        await asyncio.wait_for(patient(scope, pending, send), PATIENCE)
    assert ([], 400, True) == (notes.sent, told[0]["status"], b"[proxied_body_too_slow]" in told[1]["body"])


async def test_a_form_that_does_not_go_on_is_not_waited_for(patient: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proofkey.client.web.message.FORM_WITHIN", 0.2)
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async with browser_of(patient) as nobody:
        scope = asked(nobody, "POST", "/auth/backchannel-logout", **{"content-type": FORM})
        await asyncio.wait_for(patient(scope, pending, send), PATIENCE)
    assert (400, True) == (told[0]["status"], b"[logout_token_missing]" in told[1]["body"])


async def test_a_person_has_no_more_than_is_left_for_the_others() -> None:
    turns = Turns(40)
    async with asyncio.timeout(PATIENCE), AsyncExitStack() as held:
        had: Counter[int] = Counter()
        for person in [*range(3)] * 20:
            with suppress(ApiUnreachable):
                await held.enter_async_context(turns.turn(bytes([person]), within=0))
                had[person] += 1
        assert {0: 10, 1: 10, 2: 10} == had
        await held.enter_async_context(turns.turn(b"somebody else", within=0))


async def test_those_who_wait_come_one_after_the_other() -> None:
    turns, came = Turns(2), []

    async def ask(person: bytes) -> None:
        async with turns.turn(person, within=PATIENCE):
            came.append(person)
            await asyncio.sleep(0)

    async with turns.turn(b"x", within=1), turns.turn(b"y", within=1):
        asking = [asyncio.create_task(ask(person)) for person in (b"a", b"a", b"a", b"b", b"c")]
        await asyncio.sleep(0.01)
        called_off = asyncio.create_task(ask(b"d"))
        await asyncio.sleep(0)
        called_off.cancel()
        assert [] == came
    await asyncio.gather(*asking)
    assert ([b"a", b"b", b"c"], 5) == (came[:3], len(came))
    async with turns.turn(b"x", within=1), turns.turn(b"y", within=1):
        assert ({}, 0) == (turns._waiting, turns._free), "nothing was lost"


async def test_a_turn_that_is_called_off_as_it_comes_is_not_lost() -> None:
    turns = Turns(2)

    async def ask() -> None:
        async with turns.turn(b"a", within=PATIENCE):
            await pending()

    async with AsyncExitStack() as held:
        for person in (b"x", b"y"):
            await held.enter_async_context(turns.turn(person, within=1))
        asking = asyncio.create_task(ask())
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert (2, 0, {}) == (turns._free, turns._held.total(), turns._waiting)


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_event_streams_leave_connections_to_others(web_dev: DevServer, notes: SampleApi) -> None:
    api = Api(url=notes.url, resource="http://127.0.0.1:1", max_connections=20)
    app = sign_in_at(web_dev, apis={"/api": api})
    async with browser_of(app) as alice, browser_of(app, username="bob") as bob, AsyncExitStack() as held:
        for browser, streams in ((alice, (8,)), (bob, (8, 1, 1, 2))):
            await browser.sign_in()
            notes.reply = lambda _sent: Reply(headers=[("content-type", "text/Event-Stream;charset=utf-8")])
            answers = [asyncio.create_task(unread(app, browser, "/api/stream")) for _ in range(streams[-1])]
            while len(notes.sent) < sum(streams):
                await asyncio.sleep(0.01)
            held.push_async_callback(cancelled, answers)
            refused = await browser.fetch("GET", "/api/stream")
            notes.reply = lambda _sent: Reply()
            answer = await browser.fetch("GET", "/api/notes")
            assert (503, "5", True) == (
                refused.status_code,
                refused.headers["retry-after"],
                "[api_streams_taken]" in refused.text,
            )
            assert 200 == answer.status_code
    await app.close()


def test_an_api_has_connections_for_streams_and_for_requests() -> None:
    with pytest.raises(ValueError, match="max_connections"):
        Api(url="https://api.example", max_connections=1)
