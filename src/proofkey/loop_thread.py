"""An event loop in a thread of its own, in each process that needs it: for threads that cannot await."""

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
    """Runs coroutines, from the first one on. A forked child gets a thread of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.forget()
        _threads.add(self)

    def forget(self) -> None:
        """Nothing runs here yet: a parent's thread does not live in its child."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
            self._thread.start()
        return self._loop

    def start(self, coroutine: Coroutine[Any, Any, Answer]) -> Future[Answer]:
        """Begin it; what it comes to is told later."""
        with self._lock:  # nothing is begun in a loop that ends
            return asyncio.run_coroutine_threadsafe(coroutine, self._running())

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        """What it comes to. Raises what it raises; who stops waiting (Ctrl-C) stops it."""
        under_way = self.start(coroutine)
        try:
            return under_way.result()
        except BaseException:
            under_way.cancel()
            raise

    def stop(self) -> None:
        """Cancel what is under way, and end the thread. What is begun meanwhile waits for that, and has a new one."""
        with self._lock:
            loop, thread = self._loop, self._thread
            if loop is not None and thread is not None:
                asyncio.run_coroutine_threadsafe(_finish(), loop).result()
                loop.call_soon_threadsafe(loop.stop)
                thread.join()
            self._loop = self._thread = None


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _forget_all() -> None:
    for thread in list(_threads):
        thread.forget()


if hasattr(os, "register_at_fork"):  # systems without it have no fork either
    os.register_at_fork(after_in_child=_forget_all)


async def _finish() -> None:
    """Cancel what is under way, and wait until it has ended."""
    loop = asyncio.get_running_loop()
    under_way = asyncio.all_tasks() - {asyncio.current_task()}
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
