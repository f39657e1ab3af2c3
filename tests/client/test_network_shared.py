"""Of one network by many: what is asked for together, what never is, and what ends with who wanted it."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading

import pytest

from proofkey.client.http import AsyncNetwork
from proofkey.client.messages import HttpRequest
from proofkey.loop_thread import LoopThread
from tests.client.web.sample_api import Reply, sample_api


@pytest.mark.parametrize(
    ("credentials", "expected"), [(("Bearer alice", "Bearer bob"), 2), (("", ""), 1)], ids=["people", "nobody"]
)
async def test_an_answer_to_credentials_is_for_whoever_showed_them(credentials: tuple[str, str], expected: int) -> None:
    with sample_api() as api:
        api.reply = lambda sent: Reply(body=" ".join(sent.all("authorization")).encode())
        headers = [(("authorization", each),) if each else () for each in credentials]
        async with AsyncNetwork(api.url) as network:
            answers = await asyncio.gather(*(network.send(HttpRequest("GET", api.url, each)) for each in headers))
    assert (list(credentials), expected) == ([answer.body.decode() for answer in answers], len(api.sent))


def test_what_was_waited_for_ends_with_whoever_is_interrupted() -> None:
    thread, ended, waiting = LoopThread("interrupted"), threading.Event(), threading.get_ident()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    async def for_ever() -> None:
        while sys._current_frames()[waiting].f_code.co_name != "wait":
            await asyncio.sleep(0.01)
        signal.pthread_kill(waiting, signal.SIGUSR1)
        try:
            await asyncio.sleep(3_600)
        finally:
            ended.set()

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            thread.run(for_ever())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ended.wait(10)
    thread.stop()
