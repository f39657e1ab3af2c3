"""Asking an issuer that is slow, or whose answers get lost, for the successor of a refresh token (RFC 9700 §4.14.2).

1. Issuers take a refresh token once more for some ten seconds after its first use, and give the same successor. Later they take
   it for stolen, and end the sign-in. So it is sent at most three times, and not later than nine seconds after the first,
   whatever held us up meanwhile.
2. An answer that is late is waited for beside the others: its tokens are the only ones there will be.
3. Nothing is sent after a refusal, and a refusal counts once nothing is under way any more.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import TypeVar

from proofkey.client.messages import NoAnswer, ServerRefused
from proofkey.clock import wall_clock
from proofkey.protocol.records import SECOND

Answer = TypeVar("Answer")
AGAIN_AT = (4.5, 8.0)
"""Seconds after the first request."""
LATEST = 9 * SECOND
"""By the time of day, which goes on while a machine sleeps."""
MEANWHILE = 0.5
"""Seconds that *while_waiting* may take."""
PAUSE = 0.2
"""Seconds between a loss and the next request, and twice that before the one after it."""


class _Outcome(IntEnum):
    """What became of a request; of several, the least counts."""

    ANSWERED, REFUSED, LOST, UNDER_WAY = range(4)


async def nothing() -> None:
    """Wait, and no more than that."""


async def ask_patiently(
    ask: Callable[[], Awaitable[Answer]], *, while_waiting: Callable[[], Awaitable[None]] = nothing
) -> Answer:
    """What the first *ask* that succeeds comes to; each bounds its own wait. Raises what it was refused or last failed with.

    *while_waiting* is called before one more request is made beside those that have no answer yet.
    """
    began, began_at = asyncio.get_running_loop().time(), wall_clock()
    sent: list[asyncio.Future[Answer]] = []
    try:
        for again_at in (*AGAIN_AT, math.inf):
            is_late = bool(sent) and wall_clock() - began_at >= LATEST
            if not is_late:
                sent.append(asyncio.ensure_future(ask()))
            if not await _must_ask_again(sent, math.inf if is_late else began + again_at):
                break
            if _Outcome.UNDER_WAY in map(_outcome_of, sent):
                with suppress(TimeoutError):
                    await asyncio.wait_for(while_waiting(), MEANWHILE)
            await asyncio.sleep(PAUSE * len(sent))
        return min(reversed(sent), key=_outcome_of).result()
    finally:
        for each in sent:
            each.cancel()


async def _must_ask_again(sent: Sequence[asyncio.Future[Answer]], again_at: float) -> bool:
    """Once all are lost; at *again_at*, where none is answered or refused. False once it is settled."""
    while True:
        outcomes = [_outcome_of(each) for each in sent]
        is_refused = _Outcome.REFUSED in outcomes
        under_way = [each for each, outcome in zip(sent, outcomes, strict=True) if outcome is _Outcome.UNDER_WAY]
        if _Outcome.ANSWERED in outcomes or not under_way:
            return _Outcome.ANSWERED not in outcomes and not is_refused and again_at < math.inf
        left = math.inf if is_refused else again_at - asyncio.get_running_loop().time()
        if left <= 0:
            return True
        await asyncio.wait(under_way, timeout=left if left < math.inf else None, return_when=asyncio.FIRST_COMPLETED)


def _outcome_of(asked: asyncio.Future[Answer]) -> _Outcome:
    if not asked.done():
        return _Outcome.UNDER_WAY
    failure = asked.exception()
    if failure is None:
        return _Outcome.ANSWERED
    is_passing = isinstance(failure, NoAnswer) or (isinstance(failure, ServerRefused) and failure.is_passing)
    return _Outcome.LOST if is_passing else _Outcome.REFUSED
