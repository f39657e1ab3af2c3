"""One event loop in a thread of its own, for each process that needs it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar
from weakref import WeakSet

Answer = TypeVar("Answer")
_threads: WeakSet[LoopThread] = WeakSet()


class LoopThread:
    """Runs coroutines for threads that cannot await. A forked child gets a thread of its own."""

    def __init__(self) -> None:
        self.forget()
        _threads.add(self)

    def forget(self) -> None:
        """Nothing runs here yet: a parent's thread does not live in its child."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="proofkey-sign-in", daemon=True)
                self._thread.start()
            return self._loop

    def start(self, coroutine: Coroutine[Any, Any, Answer]) -> Future[Answer]:
        """Begin it; what it comes to is told later."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running())

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        """What it comes to. Raises what it raises."""
        return self.start(coroutine).result()

    def stop(self) -> None:
        """End the thread."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(_finish(loop))
            loop.close()


def _forget_all() -> None:
    for thread in list(_threads):
        thread.forget()


if hasattr(os, "register_at_fork"):  # systems without it have no fork either
    os.register_at_fork(after_in_child=_forget_all)


async def _finish(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is under way, and wait until it has ended."""
    under_way = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
