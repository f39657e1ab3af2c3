"""Tokens that only their issuer can read: asking it, and remembering what it said for a while (RFC 7662).

1. What is kept is keyed by the token's hash, bounded in number, and never outlives the token; an answer counts for `kept_for`.
2. One question at a time for one token; a bounded number at a time for all. The next ones wait their turn, a little while.
3. An issuer that is away, or does not know this API's credentials, admits nobody: 503. That one token could not be asked about
   is no reason not to ask about another.
4. While an issuer hangs, one request at a time waits for it, a moment and ever more seldom: it keeps nobody's threads. It does
   not hang where it answered another question meanwhile: whoever makes up slow tokens keeps nobody else out for long.
5. An issuer that has too much to do (429, 503) is left alone for a moment, whatever the token.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from proofkey.guard.access import TokenRejected, check_token_use
from proofkey.guard.discovery import Discovery
from proofkey.guard.fetched import COOL_DOWN_FOR, NEWER_WITHIN, AnswerUnusable, Fetched, IssuerUnavailable
from proofkey.guard.steps import Steps, arrival, begin
from proofkey.protocol.client_auth import write_basic
from proofkey.protocol.records import MINUTE, SECOND

INACTIVE_FOR = 10 * SECOND
"""How long a token that was not active is not asked about again."""
MAX_ASKING = 64
MAX_WAITING = 1_000
TURN_WITHIN = 2.0
"""Seconds that a question waits for its turn."""
REST_FOR = SECOND
"""How long a token that could not be asked about is left alone, and an issuer that is busy, or hangs the first time."""
LONGEST_REST_FOR = 4 * SECOND
"""How long an issuer that hangs is left alone at most: what bounds the threads is that one request at a time waits."""
HANGING_FROM = 3
"""How many questions in a row must take too long for the issuer to hang, and not to choke on one odd token."""
TOLD_EVERY = COOL_DOWN_FOR
_TYPES = {"bearer", "dpop"}
_BUSY = {429, 503}
_log = logging.getLogger("proofkey.guard")


@dataclass(frozen=True, slots=True)
class Introspection:
    """How this API asks the issuer: its own client there, confidential, by HTTP Basic (RFC 6749 §2.3.1).

    An answer counts for *kept_for* milliseconds, which is how long a revoked token may still open; *max_kept* are kept.
    With *every_token*, JWTs are asked about as well, so that revocation reaches them, too. Raises `ValueError`.

    >>> asking = Introspection(SERVICE_ID, SERVICE_SECRET, every_token=True)
    >>> server = ResourceServer(TrustedIssuer(ISSUER, introspection=asking), audience=AUDIENCE)
    >>> request = ApiRequest("GET", API_URL, [(b"authorization", f"Bearer {ACCESS_TOKEN}".encode())])
    >>> server.admit_blocking(request).client_id == SERVICE_ID
    True
    """

    client_id: str
    client_secret: str = field(repr=False)
    kept_for: int = MINUTE
    max_kept: int = 10_000
    every_token: bool = False

    def __post_init__(self) -> None:
        if not self.client_id or not self.client_secret or self.kept_for < 0 or self.max_kept < 1:
            raise ValueError(
                "introspection needs client_id, client_secret, kept_for of 0 or more and max_kept of 1 or more"
            )


class Introspector:
    """Asks one issuer about tokens, as *introspection* says."""

    def __init__(self, introspection: Introspection, discovery: Discovery, *, clock: Callable[[], int]) -> None:
        self._endpoint = Fetched(self._find_endpoint, what=f"metadata of {discovery.issuer}", clock=clock)
        self._discovery = discovery
        self._introspection = introspection
        self._authorization = write_basic(introspection.client_id, introspection.client_secret)
        self._clock = clock
        self._active = _Memory(introspection.max_kept, introspection.kept_for)
        self._inactive = _Memory(introspection.max_kept, INACTIVE_FOR)
        self._failed = _Memory(introspection.max_kept, REST_FOR)
        self._asking: dict[bytes, Future[dict[str, Any]]] = {}
        self._turns = asyncio.Semaphore(MAX_ASKING)
        self._process = 0
        self._rest_until = 0
        self._told_at = -TOLD_EVERY
        self._late = 0
        """How many questions in a row took too long."""
        self._answered_at = 0.0

    @property
    def asks_about_every_token(self) -> bool:
        """Whether JWTs are asked about, too."""
        return self._introspection.every_token

    def introspection(self, token: str) -> Steps[dict[str, Any]]:
        """What the issuer says of a live *token*, in the form of claims. Raises `TokenRejected` or `IssuerUnavailable`."""
        digest = hashlib.sha256(token.encode("ascii")).digest()
        known = self._find(digest)
        if known is None:
            endpoint = yield from self._endpoint.current()
            known = yield lambda: self._told(token, digest, endpoint)
        if not known:
            raise TokenRejected(
                "access_token_inactive", "The access token is unknown to the issuer, expired or revoked"
            )
        return known

    async def _find_endpoint(self) -> str:
        return await self._discovery.read_endpoint("introspection_endpoint")

    def _find(self, digest: bytes) -> dict[str, Any] | None:
        """What the issuer said lately; empty for a token that was not active, None where it was not asked."""
        now = self._clock()
        known = self._active.find(digest, now)
        return self._inactive.find(digest, now) if known is None else known

    async def _told(self, token: str, digest: bytes, endpoint: str) -> dict[str, Any]:
        """The answer to the question under way about *token*, or to a new one."""
        if self._process != os.getpid():  # a fork cut off what was under way
            self._process, self._asking, self._turns = os.getpid(), {}, asyncio.Semaphore(MAX_ASKING)
        known = self._find(digest)
        if known is not None:  # answered to another thread since this one looked
            return known
        if self._hangs() and self._asking:
            raise self._resting()
        asking = self._asking.get(digest)
        if asking is None:
            if len(self._asking) >= MAX_ASKING + MAX_WAITING or self._rests(digest):
                raise self._resting()
            asking = self._asking[digest] = begin(self._ask_in_turn(token, digest, endpoint))
            asking.add_done_callback(lambda _: self._asking.pop(digest, None))
        try:
            async with asyncio.timeout(NEWER_WITHIN if self._hangs() else None):
                return await arrival(asking)
        except TimeoutError:
            raise self._resting() from None

    def _hangs(self) -> bool:
        return self._late >= HANGING_FROM

    def _rests(self, digest: bytes) -> bool:
        return self._rests_from_all() or self._failed.find(digest, self._clock()) is not None

    def _rests_from_all(self) -> bool:
        return 0 < self._rest_until - self._clock() <= COOL_DOWN_FOR  # more: the clock was put back

    def _resting(self) -> IssuerUnavailable:
        rest_left = min(COOL_DOWN_FOR, self._rest_until - self._clock())
        return IssuerUnavailable("introspection_resting", retry_for=max(REST_FOR, rest_left))

    def _note_failure(self, digest: bytes, failure: AnswerUnusable, *, late: bool) -> None:
        """Rest where the issuer hangs; of several questions under way by then, no further one counts."""
        now = self._clock()
        if late and not self._rests_from_all():
            self._late += 1
            if self._hangs():
                self._rest_until = now + min(LONGEST_REST_FOR, REST_FOR << min(self._late - HANGING_FROM, 8))
        self._failed.keep(digest, {}, now)
        told = abs(now - self._told_at) < TOLD_EVERY  # strangers cause it, too
        self._told_at = self._told_at if told else now
        _log.log(
            logging.INFO if told else logging.WARNING,
            "token of %s not introspected: %s",
            self._discovery.issuer,
            failure,
        )

    async def _ask_in_turn(self, token: str, digest: bytes, endpoint: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(TURN_WITHIN):
                await self._turns.acquire()
        except TimeoutError:
            raise self._resting() from None
        try:
            if self._rests(digest):  # the one before failed
                raise self._resting()
            return await self._ask(token, digest, endpoint)
        finally:
            self._turns.release()

    async def _ask(self, token: str, digest: bytes, endpoint: str) -> dict[str, Any]:
        began = time.monotonic()
        try:
            status, answer = await self._discovery.ask(
                "POST",
                endpoint,
                headers={"authorization": self._authorization, "content-type": "application/x-www-form-urlencoded"},
                body=urlencode({"token": token, "token_type_hint": "access_token"}).encode("ascii"),
            )
            if status in _BUSY:
                self._rest_until = self._clock() + REST_FOR
            if status != 200:
                raise AnswerUnusable(f"introspection_endpoint answers {status}")
        except AnswerUnusable as failure:
            is_late = time.monotonic() - began > NEWER_WITHIN and began > self._answered_at
            self._note_failure(digest, failure, late=is_late)
            raise IssuerUnavailable("introspection_failed", retry_for=REST_FOR) from None
        self._late, self._answered_at = 0, time.monotonic()
        return self._keep(digest, answer)

    def _keep(self, digest: bytes, answer: dict[str, Any]) -> dict[str, Any]:
        now = self._clock()
        if answer.get("active") is not True:
            self._inactive.keep(digest, {}, now)
            return {}
        claims = read_answer(answer, self._discovery.issuer, now + self._introspection.kept_for)
        self._active.keep(digest, claims, now)
        return claims


def read_answer(answer: Mapping[str, Any], issuer: str, counts_until: int) -> dict[str, Any]:
    """An introspection response in the form of an access token's claims. Raises `TokenRejected`.

    `iss` may be left out (RFC 7662 §2.2): it is who was asked. So may `exp`: the answer itself counts until then. Without
    `sub` the token stands for `username`, and without that for its client (RFC 9068 §2.2).
    """
    if answer.get("iss", issuer) != issuer:
        raise TokenRejected(
            "introspection_issuer_differs", "The issuer says that the access token is of another issuer"
        )
    if str(answer.get("token_type", "bearer")).lower() not in _TYPES:
        raise TokenRejected("introspection_token_type", "The issuer says that this is no access token")
    check_token_use(answer)
    subject = answer.get("username") or answer.get("client_id")
    filled = {"iss": issuer, "exp": counts_until // SECOND, "sub": subject}
    return filled | {name: value for name, value in answer.items() if value is not None}


class _Memory:
    """At most *size* answers by the hash of their token, each for *kept_for*; the oldest goes first."""

    def __init__(self, size: int, kept_for: int) -> None:
        self._size = size
        self._kept_for = kept_for
        self._kept: dict[bytes, tuple[int, dict[str, Any]]] = {}

    def find(self, digest: bytes, now: int) -> dict[str, Any] | None:
        """What was kept, while it counts."""
        told_at, answer = self._kept.get(digest, (0, {}))
        return answer if 0 <= now - told_at < self._kept_for else None

    def keep(self, digest: bytes, answer: dict[str, Any], told_at: int) -> None:
        """Keep *answer* as the youngest."""
        self._kept.pop(digest, None)
        while len(self._kept) >= self._size:
            del self._kept[next(iter(self._kept))]
        self._kept[digest] = told_at, answer
