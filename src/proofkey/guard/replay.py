"""Which DPoP proofs came before: each opens one request (RFC 9449 §11.1).

1. Only a proof that holds, for a token that opens this API, is kept; until the moment from which it is too old anyway.
2. Losing a race is an answer: of any number of requests with one proof, at once, one is told that it is the first.
3. A store that is full, or away, lets nobody in.
4. Whose tokens fill it get a share of what is still free (`has_share`): neither one account nor a hundred in one hand take
   the last place, and whoever has little there always finds some.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from proofkey.guard.steps import Steps, arrival, begin
from proofkey.protocol.dpop import ProvenProof
from proofkey.protocol.errors import TemporarilyUnavailable
from proofkey.protocol.records import MINUTE, SECOND

if TYPE_CHECKING:
    from redis.asyncio import Redis

COUNTED_FOR = MINUTE
"""How long Redis counts proofs before it begins anew, in milliseconds."""
MAX_CONNECTIONS = 32
"""How many connections one process holds to Redis; further requests take turns."""

_SPEND = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 'again' end
local owned = tonumber(redis.call('GET', KEYS[2]) or 0)
local kept = tonumber(redis.call('GET', KEYS[3]) or 0)
local live_for, counted_for, share, capacity = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if kept >= capacity then return 'full' end
if owned >= share * ((capacity - kept) / capacity) ^ 2 then return 'share_full' end
redis.call('SET', KEYS[1], '', 'PX', live_for)
for _, counter in ipairs({KEYS[2], KEYS[3]}) do
  if redis.call('INCR', counter) == 1 then redis.call('PEXPIRE', counter, counted_for) end
end
return 'first'
"""
"""`has_share`, where all processes see the same counts."""
_SPEND_SHA = hashlib.sha1(_SPEND.encode(), usedforsecurity=False).hexdigest()  # how EVALSHA names it


class ReplayUnavailable(TemporarilyUnavailable):
    """Nobody can say whether a proof came before; worth another try, with a new proof, after `retry_for` milliseconds.

    >>> raise ReplayUnavailable("my_store_is_away", "The store of used proofs does not answer: try again")
    Traceback (most recent call last):
    proofkey.guard.replay.ReplayUnavailable: my_store_is_away
    """

    retry_for = SECOND


class ReplayStore(Protocol):
    """Where spent proofs are kept. What a deployment's processes share, or each for itself.

    `spend` is a generator: what it must wait for it yields as a function that returns an awaitable, and is sent the result.

    >>> class Counting(MemoryReplay):
    ...     spent = 0
    ...     def spend(self, proof, *, owner, until, now):
    ...         self.spent += 1
    ...         return (yield from super().spend(proof, owner=owner, until=until, now=now))
    >>> store: ReplayStore = Counting()
    >>> server = ResourceServer(ISSUER, audience=AUDIENCE, bindings=[Dpop(store)])
    >>> request = ApiRequest("GET", API_URL, [(b"authorization", f"DPoP {ACCESS_TOKEN}".encode())])
    >>> server.admit_blocking(request)
    Traceback (most recent call last):
    proofkey.guard.access.TokenRejected: access_token_unbound
    >>> store.spent  # a proof is spent when all else holds
    0
    """

    def spend(self, proof: ProvenProof, *, owner: str, until: int, now: int) -> Steps[bool]:
        """Whether *proof* is here for the first time; from now on, and at least *until*, it was here.

        *owner* is whose token it came with: a person or service of an issuer. Raises `ReplayUnavailable`.
        """


def has_share(owned: int, kept: int, *, share: int, capacity: int) -> bool:
    """Whether an owner of *owned* proofs may bring one more where *kept* are there: *share* while the store is empty, and
    by the square of what is free later. So n owners, each with all it can get, one after the other, leave
    capacity / (1 + n * share / capacity) free.
    """
    return owned < share * ((capacity - kept) / capacity) ** 2


def steady_clock() -> int:
    """Milliseconds since some moment."""
    return time.monotonic_ns() // 1_000_000


class MemoryReplay:
    """Spent proofs in the memory of one process, from any of its threads and event loops.

    A second process knows nothing of them: with several workers, take `RedisReplay`. It holds *capacity* proofs, of which
    one person's or service's tokens bring *share* while it is empty, and fewer the fuller it is. *steady* is a clock in
    milliseconds that nobody turns: what was spent is kept until by both clocks its proof is too old.

    >>> server = ResourceServer(ISSUER, audience=AUDIENCE, bindings=[Dpop(MemoryReplay())])
    >>> b'"dpop_signing_alg_values_supported": ["ES256"' in server.metadata().body
    True
    """

    def __init__(
        self, *, capacity: int = 100_000, share: int = 10_000, steady: Callable[[], int] = steady_clock
    ) -> None:
        self._capacity = capacity
        self._share = share
        self._steady = steady
        self._kept: set[bytes] = set()
        self._ending: dict[tuple[int, int], list[tuple[bytes, str]]] = {}
        self._owned: Counter[str] = Counter()
        self._swept = (0, 0)
        self._turn = threading.Lock()

    def __len__(self) -> int:
        """How many proofs are kept."""
        return len(self._kept)

    def spend(self, proof: ProvenProof, *, owner: str, until: int, now: int) -> Steps[bool]:
        """Whether *proof* is here for the first time. Never waits. Raises `ReplayUnavailable` where it is full."""
        with self._turn:
            return self._spend(_mark(proof), owner, until, now)
        yield

    def _spend(self, mark: bytes, owner: str, until: int, now: int) -> bool:
        steady = self._steady()
        self._sweep((now // SECOND, steady // SECOND))
        if mark in self._kept:
            return False
        if len(self._kept) >= self._capacity:
            raise _full()
        if not has_share(self._owned.get(owner, 0), len(self._kept), share=self._share, capacity=self._capacity):
            raise _share_full()
        self._kept.add(mark)
        self._owned[owner] += 1
        ends = (until // SECOND, (steady + until - now) // SECOND)
        self._ending.setdefault(ends, []).append((mark, owner))
        return True

    def _sweep(self, seconds: tuple[int, int]) -> None:
        """Forget what ended before *seconds*, by both clocks: once a second, and no more than what ended."""
        if seconds == self._swept:
            return
        self._swept = seconds
        for ended in [ends for ends in self._ending if ends[0] < seconds[0] and ends[1] < seconds[1]]:
            for mark, owner in self._ending.pop(ended):
                self._kept.discard(mark)
                self._owned[owner] -= 1
                if not self._owned[owner]:
                    del self._owned[owner]


class RedisReplay:
    """Spent proofs in Redis, for all processes of an API; needs `proofkey[redis]`. One command for each request.

    While Redis does not answer within *timeout_for* milliseconds, requests with a proof are answered 503. Give it a
    memory policy of `noeviction`: an evicted mark is a proof that opens twice. APIs that share a Redis have a *prefix* each.
    It takes *capacity* proofs a minute, of which one person's or service's tokens bring *share* while there are few, and
    fewer the more there are.

    >>> away = Dpop(RedisReplay("redis://127.0.0.1:9/0"))  # nobody listens there: requests with a proof are answered 503
    >>> server = ResourceServer(ISSUER, audience=AUDIENCE, bindings=[away])
    >>> request = ApiRequest("GET", API_URL, [(b"authorization", f"Bearer {ACCESS_TOKEN}".encode())])
    >>> server.admit_blocking(request).issuer == ISSUER  # others do not wait for Redis
    True
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "proofkey:dpop:",
        timeout_for: int = SECOND,
        capacity: int = 300_000,
        share: int = 10_000,
    ) -> None:
        self._url = url
        self._limits = (COUNTED_FOR, share, capacity)
        self._prefix = prefix.encode()
        self._timeout = timeout_for / SECOND
        self._clients: dict[int, Redis] = {}
        """By process: what a fork inherits is not closed, for it would be torn from the parent's loop."""

    def spend(self, proof: ProvenProof, *, owner: str, until: int, now: int) -> Steps[bool]:
        """Whether *proof* is here for the first time. Raises `ReplayUnavailable` where Redis is full or does not answer."""
        names = [self._prefix + name for name in (_mark(proof), b"of:" + _digest(owner), b"all")]
        said: bytes = yield lambda: arrival(begin(self._ask(names, max(1, until - now))))
        if said == b"full":
            raise _full()
        if said == b"share_full":
            raise _share_full()
        return said == b"first"

    async def _ask(self, names: list[bytes], live_for: int) -> bytes:
        from redis.exceptions import NoScriptError, RedisError

        try:
            async with asyncio.timeout(2 * self._timeout):
                given: tuple[bytes | int, ...] = (*names, live_for, *self._limits)
                try:
                    said: bytes = await self._client().evalsha(_SPEND_SHA, len(names), *given)
                except NoScriptError:  # the first one since Redis started; nothing ran
                    said = await self._client().eval(_SPEND, len(names), *given)
                return said
        except (RedisError, OSError, TimeoutError) as failure:
            raise ReplayUnavailable(
                "dpop_replay_unavailable", "The store of used proofs does not answer: try again", detail=repr(failure)
            ) from failure

    def _client(self) -> Redis:
        """Connections belong to an event loop: the guard's own, however many loops come and go around it.

        No command is retried: a repeated one would meet its own mark.
        """
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        client = self._clients.get(os.getpid())
        if client is None:
            pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=MAX_CONNECTIONS,
                timeout=self._timeout,
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry=Retry(NoBackoff(), 0),
            )
            client = self._clients[os.getpid()] = Redis.from_pool(pool)
        return client

    async def aclose(self) -> None:
        """Close this process's connections. Who asks afterwards opens new ones."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            await arrival(begin(client.aclose()))


def _mark(proof: ProvenProof) -> bytes:
    """One proof, one mark: not the proof's text, whose signature has two spellings."""
    return _digest(f"{proof.jkt} {proof.jti}")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def _full() -> ReplayUnavailable:
    return ReplayUnavailable("dpop_replay_full", "Too many requests: try again later")


def _share_full() -> ReplayUnavailable:
    return ReplayUnavailable("dpop_replay_share_full", "Too many requests with tokens of one person: slow down")
