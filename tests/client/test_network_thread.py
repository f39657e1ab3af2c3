"""The network without an event loop: forked, closed while it is used; and what hangs once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from proofkey.client import http
from proofkey.client.http import AsyncNetwork
from proofkey.client.messages import HttpRequest
from proofkey.loop_thread import LoopThread
from tests.listening import bind, listening

FORKS = """
import os, sys
from proofkey.client.http import Network
from proofkey.client.messages import HttpRequest
network = Network(sys.argv[1])
network.send(HttpRequest("GET", sys.argv[1]))
child = os.fork()
status = network.send(HttpRequest("GET", sys.argv[1])).status
network.close()
os._exit(status != 200) if not child else sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


class HangsOnce:
    """A server whose first answer never comes."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await receive()
        if self.asked == 1 and (await receive())["type"] == "http.disconnect":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


class Answers:
    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


async def test_what_hangs_once_does_not_hang_for_who_asks_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SHARED_FOR", 0.1)
    server = HangsOnce()
    with listening(server, bind()) as url:
        async with AsyncNetwork(url, timeout=20.0) as network:
            first = asyncio.ensure_future(network.send(HttpRequest("GET", f"{url}/keys")))
            while not server.asked:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            assert 200 == (await asyncio.wait_for(network.send(HttpRequest("GET", f"{url}/keys")), 10)).status
            first.cancel()


def test_a_forked_child_has_connections_of_its_own() -> None:
    with listening(Answers(), bind()) as url:
        run = subprocess.run(
            [sys.executable, "-c", FORKS, url], capture_output=True, text=True, timeout=60, check=False
        )
    assert (0, "") == (run.returncode, run.stderr)


def test_who_begins_while_the_thread_ends_has_a_new_one() -> None:
    thread = LoopThread("proofkey-test")
    ended = threading.Event()

    async def work() -> int:
        return 1

    def ask() -> None:
        while not ended.is_set():
            assert 1 == thread.start(work()).result(30)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for each in askers:
        each.start()
    for _ in range(100):
        thread.stop()
    ended.set()
    for each in askers:
        each.join(60)
    thread.stop()
    assert [] == [each for each in askers if each.is_alive()]
