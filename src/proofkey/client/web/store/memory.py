"""Sessions in this process: for development, tests and single-process applications. A restart signs everybody out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeVar

from proofkey.client.web.store.contract import StoredSession

Kept = TypeVar("Kept")
MAX_KEPT = 10_000


class MemoryStore:
    """At most *limit* sessions, as many begun logins and notices of an issuer; of each, the oldest go first.

    >>> from proofkey.client.web import MemoryStore
    >>> MemoryStore(limit=500).limit
    500
    """

    def __init__(self, *, limit: int = MAX_KEPT) -> None:
        self.limit = limit
        self._transactions: dict[bytes, tuple[str, int]] = {}
        self._sessions: dict[bytes, StoredSession] = {}
        self._signed_out: dict[bytes, _SignedOut] = {}

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go of: what is kept stays as long as the object."""

    async def keep_transaction(self, key: bytes, sealed: str, *, until: int, now: int) -> None:
        """Keep a begun login."""
        self._make_room(self._transactions, now, lambda kept: kept[1])
        self._transactions[key] = sealed, until

    async def take_transaction(self, key: bytes, *, now: int) -> str | None:
        """The begun login, once."""
        sealed, until = self._transactions.pop(key, ("", 0))
        return sealed if now < until else None

    async def start_session(self, session: StoredSession, *, now: int) -> bool:
        """Keep a new session that has not ended already."""
        if any(now < notice.until and notice.ends(session) for notice in self._signed_out.values()):
            return False
        self._make_room(self._sessions, now, _session_end)
        self._sessions[session.key] = session
        return True

    async def find_session(self, key: bytes) -> StoredSession | None:
        """The session as it is now."""
        return self._sessions.get(key)

    async def slide_session(self, key: bytes, *, idle_until: int, now: int) -> bool:
        """Move on when an idle session ends; it also counts as the youngest again."""
        found = self._sessions.pop(key, None)
        if found is None or not found.is_live(now):
            return False
        self._sessions[key] = replace(found, idle_until=idle_until)
        return True

    async def claim_refresh(self, key: bytes, *, expected_version: int, claimed_until: int, now: int) -> bool:
        """Be the one who renews the tokens."""
        found = self._sessions.get(key)
        if found is None or found.version != expected_version or now < found.claimed_until:
            return False
        self._sessions[key] = replace(found, claimed_until=claimed_until)
        return True

    async def renew_session(self, key: bytes, *, expected_version: int, sealed: str, now: int) -> bool:
        """Keep renewed contents."""
        found = self._sessions.get(key)
        if found is None or found.version != expected_version or not found.is_live(now):
            return False
        self._sessions[key] = replace(found, sealed=sealed, version=expected_version + 1, claimed_until=0)
        return True

    async def release_refresh(self, key: bytes, *, expected_version: int) -> None:
        """Give up the claim."""
        found = self._sessions.get(key)
        if found is not None and found.version == expected_version:
            self._sessions[key] = replace(found, claimed_until=0)

    async def end_session(self, key: bytes) -> StoredSession | None:
        """The session, once."""
        return self._sessions.pop(key, None)

    async def end_sessions(self, about: bytes, *, notice: bytes, signed_in_by: int, until: int, now: int) -> bool:
        """End those it is about; they end in one step, so there is nothing to make sure of where it comes again."""
        if notice in self._signed_out:
            return False
        self._make_room(self._signed_out, now, lambda kept: kept.until)
        self._signed_out[notice] = signed_out = _SignedOut(about, signed_in_by, until)
        for key in [key for key, session in self._sessions.items() if signed_out.ends(session)]:
            del self._sessions[key]
        return True

    async def purge(self, before: int, limit: int) -> int:
        """Forget what ended."""
        gone = _forget(self._transactions, before, limit, lambda kept: kept[1])
        gone += _forget(self._signed_out, before, limit, lambda kept: kept.until)
        return gone + _forget(self._sessions, before, limit, _session_end)

    def _make_room(self, kept: dict[bytes, Kept], now: int, ends_at: Callable[[Kept], int]) -> None:
        if len(kept) >= self.limit and ends_at(next(iter(kept.values()))) <= now:  # else few have ended
            _forget(kept, now, self.limit, ends_at)
        while len(kept) >= self.limit:
            del kept[next(iter(kept))]


class _SignedOut(NamedTuple):
    """Whom an issuer signed out, and until when that is remembered."""

    about: bytes
    signed_in_by: int
    until: int

    def ends(self, session: StoredSession) -> bool:
        """True where it is about that session."""
        return self.about in (session.sid_key, session.subject_key) and session.signed_in_at <= self.signed_in_by


def _session_end(session: StoredSession) -> int:
    return min(session.idle_until, session.until)


def _forget(kept: dict[bytes, Kept], before: int, limit: int, ends_at: Callable[[Kept], int]) -> int:
    ended = [key for key, each in list(kept.items()) if ends_at(each) <= before][:limit]
    for key in ended:
        del kept[key]
    return len(ended)
