"""Something the issuer publishes, fetched when needed and kept: who asks, how often, and what an outage changes.

1. One fetch at a time, and never two within the cool-down, whatever is asked for.
2. What is no longer fresh still serves, while it is renewed in the background, until it is stale. But where nobody asked for
   `IDLE_FOR`, the first ones wait for the fetch: what the issuer withdrew meanwhile must not open once more.
3. Nobody waits for a fetch beyond its first seconds: `FIRST_WITHIN` where nothing serves, until that failed once, and
   `NEWER_WITHIN` otherwise. Strange tokens take up nobody's threads.
4. Without anything that serves: `IssuerUnavailable`, with the time until another try is worth it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from proofkey.guard.steps import Steps, arrival, begin
from proofkey.protocol.errors import TemporarilyUnavailable
from proofkey.protocol.records import HOUR, MINUTE, SECOND

T = TypeVar("T")
FRESH_FOR = 10 * MINUTE
STALE_FOR = 24 * HOUR
IDLE_FOR = 2 * FRESH_FOR
COOL_DOWN_FOR = 30 * SECOND
FIRST_WITHIN = 5.0
NEWER_WITHIN = 2.0
FETCHED_WITHIN = 15.0
"""Seconds for one fetch, with all that it asks for."""
_log = logging.getLogger("proofkey.guard")


class IssuerUnavailable(TemporarilyUnavailable):
    """What a token is judged by cannot be had now; worth another try after `retry_for` milliseconds.

    >>> away = TrustedIssuer("http://127.0.0.1:9", introspection=Introspection("api", "secret"))  # nobody listens there
    >>> server = ResourceServer(away, audience=AUDIENCE)
    >>> try:
    ...     server.admit_blocking(ApiRequest("GET", API_URL, [(b"authorization", b"Bearer opaque")]))
    ... except IssuerUnavailable as refusal:
    ...     refusal.retry_for
    1000
    """

    description = "The issuer cannot be asked: try again later"

    def __init__(self, reason: str, *, retry_for: int) -> None:
        super().__init__(reason)
        self.retry_for = retry_for


class AnswerUnusable(Exception):
    """The issuer did not answer, or with something that is not what was asked for. Safe to log."""


class Fetched(Generic[T]):
    """What *fetch* last returned; *what* names it in the log. *fetch* raises `AnswerUnusable`."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], *, what: str, clock: Callable[[], int]) -> None:
        self._ask = fetch
        self._what = what
        self._clock = clock
        self._kept: T | None = None
        self._fetched_at = 0
        self._failures = 0
        self._rest_until = 0
        self._asked_at = 0
        self._fetch: asyncio.Task[None] | None = None
        self._began = 0.0

    def current(self) -> Steps[T]:
        """What is young enough to serve. Raises `IssuerUnavailable`."""
        if self._serving() is None:
            yield self._arrive_soon
        elif self._age() >= FRESH_FOR and self._may_fetch():
            yield self._arrive_soon if self._was_idle() else self._start
        kept = self._serving()
        if kept is None:
            raise IssuerUnavailable("issuer_unavailable", retry_for=self._rest_left())
        return kept

    def _serving(self) -> T | None:
        return self._kept if self._age() < STALE_FOR else None

    def _age(self) -> int:
        """How long ago it was fetched. Where the clock was put back nobody knows: too long."""
        age = self._clock() - self._fetched_at
        return age if age > -COOL_DOWN_FOR else STALE_FOR

    def _was_idle(self) -> bool:
        """Whether the last look is so long ago, be it a failed one, that it says nothing of how the issuer is now."""
        return self._clock() - self._asked_at >= IDLE_FOR

    def renewed(self, seen: T) -> Steps[T]:
        """What is there after one more look, unless there was one just now. Raises `IssuerUnavailable`."""
        if self._kept is seen and (self._is_fetching() or self._may_fetch()):
            yield self._arrive_soon
        if self._kept is None or (self._kept is seen and (self._failures or self._is_fetching())):
            raise IssuerUnavailable("issuer_keys_not_renewed", retry_for=self._rest_left())
        return self._kept

    async def arrive(self) -> None:
        """Wait for the fetch under way, or for a new one where there may be one."""
        await arrival(begin(self._fetch_once()))

    async def _arrive_soon(self) -> None:
        await arrival(begin(self._fetch_soon()))

    async def _start(self) -> None:
        await arrival(begin(self._begin()))

    def _is_fetching(self) -> bool:
        return self._fetch is not None and not self._fetch.done()

    def _may_fetch(self) -> bool:
        return not 0 < self._rest_until - self._clock() <= COOL_DOWN_FOR  # more: the clock was put back

    def _rest_left(self) -> int:
        return min(COOL_DOWN_FOR, max(SECOND, self._rest_until - self._clock()))

    async def _fetch_once(self) -> None:
        fetch = await self._begin()
        if fetch is not None:
            await asyncio.shield(fetch)

    async def _fetch_soon(self) -> None:
        """`_fetch_once`, for those who rather go without than wait for long."""
        fetch = await self._begin()
        if fetch is not None:
            within = FIRST_WITHIN if self._serving() is None and not self._failures else NEWER_WITHIN
            await asyncio.wait([fetch], timeout=max(0.0, self._began + within - time.monotonic()))

    async def _begin(self) -> asyncio.Task[None] | None:
        """Runs on the guard's own loop alone, so that no two callers can both find that nobody fetches."""
        loop = asyncio.get_running_loop()
        if self._fetch is not None and self._fetch.get_loop() is not loop:
            self._fetch = None  # a fork cut it off
        if not self._is_fetching() and self._may_fetch():
            self._began = time.monotonic()
            self._fetch = loop.create_task(self._run())
        return self._fetch

    async def _run(self) -> None:
        rest_for = await self._ask_once()
        self._asked_at = self._clock()
        self._rest_until = self._asked_at + rest_for

    async def _ask_once(self) -> int:
        """How long to rest afterwards."""
        try:
            async with asyncio.timeout(FETCHED_WITHIN):
                self._kept = await self._ask()
        except (AnswerUnusable, TimeoutError) as failure:
            _log.warning("%s not fetched: %s", self._what, failure or "it takes too long")
            return self._count_failure()
        except Exception:  # a bug, which must not turn every request into a fetch
            _log.exception("%s not fetched", self._what)
            return self._count_failure()
        self._failures, self._fetched_at = 0, self._clock()
        return COOL_DOWN_FOR

    def _count_failure(self) -> int:
        self._failures += 1
        return min(COOL_DOWN_FOR, SECOND << min(self._failures - 1, 8))
