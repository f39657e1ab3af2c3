"""Whose turn it is to have one of an API's connections: a few each, fewer the fewer are left, and not all of them for streams.

1. One person has `MOST_AT_ONCE` at most, in however many browsers, and never more than are left for everybody else.
2. Who wants more waits. Those who wait come one after the other, a request each.
3. Event streams need not end: they have half of the connections at most, and half of one person's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from proofkey.protocol.errors import Refusal

MOST_AT_ONCE = 16


class ApiUnreachable(Refusal):
    """The API did not answer, or could not be asked."""

    code = "temporarily_unavailable"


class Turns:
    """The connections to one API, *most* of them. Persons are told apart by a key."""

    def __init__(self, most: int) -> None:
        self._most = self._free = most
        self._held: Counter[bytes] = Counter()
        self._streams: Counter[bytes] = Counter()
        self._waiting: dict[bytes, dict[asyncio.Future[None], None]] = {}

    @asynccontextmanager
    async def turn(self, key: bytes, *, within: float) -> AsyncIterator[None]:
        """Have a connection inside the block; wait for it as many seconds at most. Raises `ApiUnreachable`."""
        try:
            if not self._take_at_once(key):
                async with asyncio.timeout(within):
                    await self._take(key)
        except TimeoutError:
            raise ApiUnreachable("api_turn_awaited", "Too many requests to this API are under way") from None
        try:
            yield
        finally:
            self._give_back(key)

    @contextmanager
    def stream(self, key: bytes) -> Iterator[None]:
        """Use it for an event stream (rule 3). Raises `ApiUnreachable`."""
        if self._streams[key] >= MOST_AT_ONCE // 2 or self._streams.total() >= self._most // 2:
            raise ApiUnreachable("api_streams_taken", "Too many event streams of this API are open")
        self._streams[key] += 1
        try:
            yield
        finally:
            _count_down(self._streams, key)

    def _take_at_once(self, key: bytes) -> bool:
        """Where nobody has to be waited for, neither a future nor a time-out is made."""
        if key in self._waiting or self._held[key] >= min(MOST_AT_ONCE, self._free):
            return False
        self._free -= 1
        self._held[key] += 1
        return True

    async def _take(self, key: bytes) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine = self._waiting.setdefault(key, {})
        mine[turn] = None
        self._call()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                mine.pop(turn, None)
            else:  # called and called off at the same moment
                self._give_back(key)
            raise

    def _give_back(self, key: bytes) -> None:
        self._free += 1
        _count_down(self._held, key)
        self._call()

    def _call(self) -> None:
        """Whoever may go now goes; who went is the last of those who still wait."""
        for key in list(self._waiting):
            if not self._free:
                return
            mine = self._waiting.pop(key)
            turn = next((turn for turn in mine if not turn.done()), None)
            if turn is not None and self._take_at_once(key):
                del mine[turn]
                turn.set_result(None)
            if mine:
                self._waiting[key] = mine


def _count_down(counted: Counter[bytes], key: bytes) -> None:
    counted[key] -= 1
    if not counted[key]:
        del counted[key]
