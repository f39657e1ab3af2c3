"""What a session store promises (one contract, four stores).

1. One call happened whole or not at all, and the next call from any process sees it.
2. Losing a race is an answer: `None` or `False`, never an exception.
3. What is taken or spent is so once, whoever else asks at the same time.
4. Times come from the caller, in milliseconds; *until* lets a store forget, and whether something expired is the caller's.
5. Keys arrive hashed and contents sealed: no cookie, token, code, verifier or claim reaches a store in clear.
6. A session that ended stays ended: what would renew it afterwards fails, and what would start it only now as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

MAX_TOLD = 300


class StoreUnavailable(Exception):
    """The store did not answer; nothing is known of what was asked.

    >>> import asyncio
    >>> from proofkey.client.web import SqliteStore, StoreUnavailable
    >>> try:
    ...     asyncio.run(SqliteStore("no-such-folder/sessions.db").open())
    ... except StoreUnavailable:
    ...     print("no sessions there")
    no sessions there
    """


def unanswered(url: str, failure: BaseException) -> StoreUnavailable:
    """Which server did not answer, and why, in words for a log: of *url* host and port alone, for it may hold a password."""
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2] if "@" not in parts.path else ""
    return StoreUnavailable(" ".join(f"{where} {type(failure).__name__} {failure}".split())[:MAX_TOLD])


@dataclass(frozen=True, slots=True)
class StoredSession:
    """One session at rest. Keys are SHA-256 hashes; `sealed` is for whoever has the sealing key.

    `version` counts how often its tokens were renewed. It lives until `idle_until`, which use moves on, and never past
    `until`. Who holds `claimed_until` in the future renews the tokens now. `signed_in_at` is when its code was sent to the
    issuer: what the issuer ends from then on it ends, too.

    >>> from proofkey.client.web import StoredSession
    >>> kept = StoredSession(b"k" * 32, None, b"s" * 32, "sealed", idle_until=NOW + 1_000, until=NOW + 9_000)
    >>> kept.is_live(NOW), kept.is_live(NOW + 1_000)
    (True, False)
    """

    key: bytes
    sid_key: bytes | None
    subject_key: bytes
    sealed: str = field(repr=False)
    idle_until: int
    until: int
    version: int = 0
    claimed_until: int = 0
    signed_in_at: int = 0

    def is_live(self, now: int) -> bool:
        """True while neither lifetime is over."""
        return now < self.idle_until and now < self.until


class SessionStore(Protocol):
    """Where sessions and begun logins are kept. `open` before use, in the process that uses it; `close` after.

    A store of your own has these methods, and keeps the promises above.

    >>> import asyncio
    >>> from proofkey.client.web import MemoryStore, SessionStore, StoredSession
    >>> store: SessionStore = MemoryStore()
    >>> alice = StoredSession(b"k" * 32, None, b"s" * 32, "sealed", idle_until=NOW + 1_000, until=NOW + 9_000)
    >>> asyncio.run(store.start_session(alice, now=NOW))
    True
    """

    async def open(self) -> None:
        """Connect, and make what is missing."""

    async def close(self) -> None:
        """Let go of every connection."""

    async def keep_transaction(self, key: bytes, sealed: str, *, until: int, now: int) -> None:
        """Keep a begun login."""

    async def take_transaction(self, key: bytes, *, now: int) -> str | None:
        """The begun login, which is gone afterwards; None for everybody but the first."""

    async def start_session(self, session: StoredSession, *, now: int) -> bool:
        """Keep a new session. False, and nothing is kept, where `end_sessions` ended it already."""

    async def find_session(self, key: bytes) -> StoredSession | None:
        """The session as it is now."""

    async def slide_session(self, key: bytes, *, idle_until: int, now: int) -> bool:
        """Move on when an idle session ends. False where it is gone."""

    async def claim_refresh(self, key: bytes, *, expected_version: int, claimed_until: int, now: int) -> bool:
        """Be the one who renews the tokens until then. False where somebody is, where it was done, or it is gone."""

    async def renew_session(self, key: bytes, *, expected_version: int, sealed: str, now: int) -> bool:
        """Keep renewed contents, count on, release the claim. False where somebody was faster or it is gone."""

    async def release_refresh(self, key: bytes, *, expected_version: int) -> None:
        """Give up the claim."""

    async def end_session(self, key: bytes) -> StoredSession | None:
        """The session, which is gone afterwards; None for everybody but the first."""

    async def end_sessions(self, about: bytes, *, notice: bytes, signed_in_by: int, until: int, now: int) -> bool:
        """End each session whose `sid_key` or `subject_key` is *about* and that was signed in by then.

        Those that would only now start are refused *until*. A *notice* that comes again in that time ends what it left the
        first time, which is nothing where that call came to its end: then it is False.
        """

    async def purge(self, before: int, limit: int) -> int:
        """Remove at most *limit* things of each kind that ended before that moment; how many."""
