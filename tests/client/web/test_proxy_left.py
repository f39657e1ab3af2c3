"""A browser that left is waited for by nobody: what was asked of the API for it is let go of at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import uvicorn

from proofkey.client.web import Api, SignIn
from tests.client.web.browser import WebBrowser
from tests.client.web.test_proxy import csrf
from tests.client.web.test_proxy_pressure import asked
from tests.client.web.web_app import browser_of, sign_in_at
from tests.dev_server import DevServer
from tests.listening import bind, listening, url_of

PATIENCE = 10


@dataclass
class EndlessApi:
    """Begins what never ends; `/silent` does not even begin. `open` is how much of it is under way."""

    url: str = ""
    open: int = 0
    seen: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.open += 1
        self.seen += 1
        try:
            while (await receive()).get("more_body", False):
                pass
            if scope["path"] != "/silent":
                headers = [(b"content-type", b"text/event-stream")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self.open -= 1


@pytest.fixture
def endless() -> Iterator[EndlessApi]:
    api = EndlessApi()
    with listening(api, bind()) as url:
        api.url = url
        yield api


@pytest_asyncio.fixture
async def app(web_dev: DevServer, endless: EndlessApi) -> AsyncIterator[SignIn]:
    sign_in = sign_in_at(web_dev, apis={"/api": Api(url=endless.url, resource="http://127.0.0.1:1")})
    yield sign_in
    await sign_in.close()


@pytest_asyncio.fixture
async def alice(app: SignIn) -> AsyncIterator[WebBrowser]:
    async with browser_of(app) as browser:
        await browser.sign_in()
        yield browser


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def served(app: SignIn) -> AsyncIterator[str]:
    """By a real server, in this event loop."""
    listener = bind()
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await until(lambda: server.started)
        yield url_of(listener)
    finally:
        server.should_exit = True
        await serving


class Leaving:
    """A browser of which the server tells everything, and that leaves when it is told to."""

    def __init__(self, app: SignIn, browser: WebBrowser, path: str, body: bytes = b"", **headers: str) -> None:
        self._body = [body] if headers else [b""]
        self._left = asyncio.Event()
        self.asked_after = 0
        self.told: list[Any] = []
        scope = asked(browser, "POST" if headers else "GET", path, **headers)
        self.answering = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._body:
            return {"type": "http.request", "body": self._body.pop(), "more_body": False}
        self.asked_after += 1
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.told.append(message)

    async def leave(self) -> None:
        self._left.set()
        await asyncio.wait_for(self.answering, PATIENCE)


async def test_streams_that_a_browser_closed_are_closed_at_the_api(
    app: SignIn, alice: WebBrowser, endless: EndlessApi
) -> None:
    cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in alice.http.cookies.items())}
    async with served(app) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        for _ in range(16 + 4):
            async with asyncio.timeout(PATIENCE), http.stream("GET", "/api/stream", headers=cookie) as answer:
                assert b"data: 1\n\n" == await anext(answer.aiter_raw())
        await until(lambda: endless.open == 0)
    assert 16 + 4 == endless.seen


async def test_an_api_that_says_nothing_is_not_waited_for_in_vain(
    app: SignIn, alice: WebBrowser, endless: EndlessApi
) -> None:
    leaving = Leaving(app, alice, "/api/silent")
    await until(lambda: endless.open == 1)
    await leaving.leave()
    await until(lambda: endless.open == 0)
    assert [503, None] == [each.get("status") for each in leaving.told], "middleware around us waits for an answer"


async def test_what_a_browser_that_left_had_sent_is_let_go_of_as_well(
    app: SignIn, alice: WebBrowser, endless: EndlessApi
) -> None:
    for size in (10, 100_000):
        token = {"x-csrf-token": await csrf(alice), "content-length": str(size)}
        leaving = Leaving(app, alice, "/api/silent", b"x" * size, **token)
        await until(lambda: endless.open == 1)
        await leaving.leave()
        await until(lambda: endless.open == 0)


async def test_who_left_while_waiting_for_a_turn_takes_none(
    app: SignIn, alice: WebBrowser, endless: EndlessApi
) -> None:
    streams = [Leaving(app, alice, "/api/silent") for _ in range(16)]
    await until(lambda: endless.open == 16)
    waiting = Leaving(app, alice, "/api/silent")
    await until(lambda: waiting.asked_after == 1)
    await waiting.leave()
    for stream in streams:
        await stream.leave()
    await until(lambda: endless.open == 0)
    assert (16, 503) == (endless.seen, waiting.told[0]["status"])


async def test_a_server_that_never_tells_is_asked_once(app: SignIn, alice: WebBrowser, endless: EndlessApi) -> None:
    asked_again = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked_again
        asked_again += 1
        return {"type": "http.request", "body": b"", "more_body": False}

    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    answering = asyncio.create_task(app(asked(alice, "GET", "/api/stream"), receive, send))
    await until(lambda: len(told) == 2)
    await asyncio.sleep(0.1)
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)
    assert 2 == asked_again
