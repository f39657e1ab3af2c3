"""One guard for those who await and for those who cannot: steps that say what they wait for, and two ways to wait.

1. Steps are plain code. Where an answer must come from outside they yield a function that returns an awaitable, and are
   sent its result; what it raises is raised in them.
2. `run` awaits on the caller's event loop. `run_blocking` waits on the guard's own, in a thread started when something
   first has to be waited for; steps with everything at hand never leave the calling thread.
3. What several callers may wait for at once runs on the guard's own loop (`begin`), whoever asked first: no caller's loop,
   ended, cancelled or out of threads, keeps the others waiting.
4. A forked process starts a loop of its own: threads do not survive a fork.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from proofkey.loop_thread import LoopThread

T = TypeVar("T")
Wait: TypeAlias = Callable[[], Awaitable[Any]]
Steps: TypeAlias = Generator[Wait, Any, T]

_own = LoopThread("proofkey-guard")


async def run(steps: Steps[T]) -> T:
    """Take *steps* to their end on the running event loop."""
    try:
        wait = next(steps)
        while True:
            try:
                answer = await wait()
            except Exception as failure:
                wait = steps.throw(failure)
            else:
                wait = steps.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


def run_blocking(steps: Steps[T]) -> T:
    """Take *steps* to their end in this thread, which stands still while they wait. From any thread, after any fork."""
    try:
        wait = next(steps)
        while True:
            try:
                answer = _own.run(_awaited(wait))
            except Exception as failure:
                wait = steps.throw(failure)
            else:
                wait = steps.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


def begin(work: Coroutine[Any, Any, T]) -> Future[T]:
    """*work*, begun on the guard's own loop."""
    return _own.start(work)


async def arrival(begun: Future[T]) -> T:
    """What *begun* work comes to. Who stops waiting stops nobody else."""
    arriving = asyncio.wrap_future(begun)
    arriving.add_done_callback(_note)
    return await asyncio.shield(arriving)


def _note(arrived: asyncio.Future[Any]) -> None:
    """Whoever waited is told what came of it; nobody else need be, and least of all the log."""
    if not arrived.cancelled():
        arrived.exception()


async def _awaited(wait: Wait) -> Any:
    return await wait()
