"""Which DPoP proofs came before: each opens one request (RFC 9449 §11.1).

1. Only a proof that holds, for a token that opens this API, is kept; until the moment from which it is too old anyway.
2. Losing a race is an answer: of any number of requests with one proof, at once, one is told that it is the first.
3. A store that is full, or away, lets nobody in. One person's tokens fill a share of it, not the whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import Counter
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from proofkey.guard.steps import Steps
from proofkey.protocol.dpop import ProvenProof
from proofkey.protocol.errors import TemporarilyUnavailable
from proofkey.protocol.records import SECOND

if TYPE_CHECKING:
    from redis.asyncio import Redis

MAX_CONNECTIONS = 32
"""How many connections one event loop holds to Redis; further requests take turns."""


class ReplayUnavailable(TemporarilyUnavailable):
    """Nobody can say whether a proof came before; worth another try, with a new proof, after `retry_for` milliseconds."""

    retry_for = SECOND


class ReplayStore(Protocol):
    """Where spent proofs are kept. What a deployment's processes share, or each for itself."""

    def spend(self, proof: ProvenProof, *, owner: str, until: int, now: int) -> Steps[bool]:
        """Whether *proof* is here for the first time; from now on, and at least *until*, it was here.

        *owner* is whose token it came with. Raises `ReplayUnavailable`.
        """


class MemoryReplay:
    """Spent proofs in the memory of one process, from any of its threads and event loops.

    A second process knows nothing of them: with several workers, take `RedisReplay`. It holds *capacity* proofs, and
    *share* of one person's or service's tokens.

    >>> server = ResourceServer(ISSUER, audience=AUDIENCE, bindings=[Dpop(MemoryReplay())])
    """

    def __init__(self, *, capacity: int = 100_000, share: int = 10_000) -> None:
        self._capacity = capacity
        self._share = share
        self._kept: set[bytes] = set()
        self._ending: dict[int, list[tuple[bytes, str]]] = {}
        self._owned: Counter[str] = Counter()
        self._swept = 0
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
        self._sweep(now // SECOND)
        if mark in self._kept:
            return False
        if self._owned[owner] >= self._share:
            raise ReplayUnavailable("dpop_replay_share_full", "Too many requests with tokens of one person: slow down")
        if len(self._kept) >= self._capacity:
            raise ReplayUnavailable("dpop_replay_full", "Too many requests: try again later")
        self._kept.add(mark)
        self._owned[owner] += 1
        self._ending.setdefault(until // SECOND, []).append((mark, owner))
        return True

    def _sweep(self, second: int) -> None:
        """Forget what ended before *second*: once a second, and no more than what ended."""
        if second == self._swept:
            return
        self._swept = second
        for ended in [moment for moment in self._ending if moment < second]:
            for mark, owner in self._ending.pop(ended):
                self._kept.discard(mark)
                self._owned[owner] -= 1
                if not self._owned[owner]:
                    del self._owned[owner]


class RedisReplay:
    """Spent proofs in Redis, for all processes of an API; needs `proofkey[redis]`. One command for each request.

    While Redis does not answer within *timeout_for* milliseconds, requests with a proof are answered 503. Give it a
    memory policy of `noeviction`: an evicted mark is a proof that opens twice. APIs that share a Redis have a *prefix* each.

    >>> server = ResourceServer(ISSUER, audience=AUDIENCE, bindings=[Dpop(RedisReplay("redis://localhost:6379/0"))])
    """

    def __init__(self, url: str, *, prefix: str = "proofkey:dpop:", timeout_for: int = SECOND) -> None:
        self._url = url
        self._prefix = prefix.encode()
        self._timeout = timeout_for / SECOND
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Redis] = WeakKeyDictionary()

    def spend(self, proof: ProvenProof, *, owner: str, until: int, now: int) -> Steps[bool]:  # noqa: ARG002
        """Whether *proof* is here for the first time. Raises `ReplayUnavailable` where Redis does not answer."""
        name = self._prefix + _mark(proof)
        first: bool = yield lambda: self._set(name, max(1, until - now))
        return first

    async def _set(self, name: bytes, live_for: int) -> bool:
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(2 * self._timeout):
                return await self._client().set(name, b"", nx=True, px=live_for) is not None
        except (RedisError, OSError, TimeoutError) as failure:
            raise ReplayUnavailable(
                "dpop_replay_unavailable", "The store of used proofs does not answer: try again", detail=repr(failure)
            ) from failure

    def _client(self) -> Redis:
        """Connections belong to an event loop. None is retried: a repeated SET would meet its own mark."""
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=MAX_CONNECTIONS,
                timeout=self._timeout,
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry=Retry(NoBackoff(), 0),
            )
            client = self._clients[loop] = Redis.from_pool(pool)
        return client

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()


def _mark(proof: ProvenProof) -> bytes:
    """One proof, one mark: not the proof's text, whose signature has two spellings."""
    return hashlib.sha256(f"{proof.jkt} {proof.jti}".encode()).digest()[:16]
