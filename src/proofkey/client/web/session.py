"""A session: what the server keeps of a person who signed in, and what the application gets to see of it.

1. The browser has 256 random bits in a cookie and nothing else; tokens stay on the server, sealed.
2. An idle lifetime that use moves on, within an absolute one that nothing extends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from proofkey.client.messages import Claims
from proofkey.client.protocol import Tokens
from proofkey.protocol.records import DAY, HOUR, SECOND

SESSION = "proofkey.session"
IDLE_FOR = 12 * HOUR
ABSOLUTE_FOR = 7 * DAY
RENEW_BEFORE = 30 * SECOND


class HeldToken(msgspec.Struct, frozen=True):
    """One access token and until when it is good (None: the server did not say)."""

    access_token: str
    expires_at: int | None
    given_at: int = 0

    def __repr__(self) -> str:
        """Without the token: error trackers print what they find on the stack."""
        return f"HeldToken(expires_at={self.expires_at!r})"

    def is_fresh(self, now: int) -> bool:
        """True while there is time enough to use it; of a short life, two thirds are."""
        if self.expires_at is None:
            return True
        return now + min(RENEW_BEFORE, (self.expires_at - self.given_at) // 3) < self.expires_at

    def is_live(self, now: int) -> bool:
        """True until it expires."""
        return self.expires_at is None or now < self.expires_at


class Contents(msgspec.Struct, frozen=True):
    """What is sealed in a session's row; access tokens by the API they are for ('' for the sign-in's own)."""

    subject: str
    claims: dict[str, Any]
    created_at: int
    scope: str
    access: dict[str, HeldToken]
    refresh_token: str | None
    id_token: str | None
    asked_acr_values: str | None = None
    asked_max_age: int | None = None

    def __repr__(self) -> str:
        """Without tokens and claims."""
        return f"Contents(subject={self.subject!r}, scope={self.scope!r})"

    def renewed(self, tokens: Tokens, resource: str, now: int) -> Contents:
        """With the tokens of a refresh for *resource*."""
        return msgspec.structs.replace(
            self,
            access={**self.access, resource: hold(tokens, now)},
            refresh_token=tokens.refresh_token or self.refresh_token,
            id_token=tokens.id_token or self.id_token,
        )


def hold(tokens: Tokens, now: int) -> HeldToken:
    """The access token of a token response that came at *now*."""
    expires_at = None if tokens.expires_in is None else now + tokens.expires_in * SECOND
    return HeldToken(tokens.access_token, expires_at, now)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in. Moments are milliseconds since 1970 UTC; `csrf` goes into the application's own forms.

    >>> from proofkey.client.web import Session
    >>> alice = Session("https://login.example", "a1", {"sub": "a1", "name": "Alice"}, 0, 60_000, "c5rf")
    >>> alice.claims["name"]
    'Alice'
    """

    issuer: str
    subject: str
    claims: Claims
    created_at: int
    expires_at: int
    csrf: str = field(repr=False)
    _fetch_token: Callable[[str | None], Awaitable[str]] | None = field(default=None, repr=False, compare=False)

    async def access_token(self, resource: str | None = None) -> str:
        """An access token that is good now, renewed where it was not; for *resource*, else for the sign-in's first.

        Keep it on the server. Raises `SessionEnded` where it cannot be renewed any more, `TokensUnavailable` where not
        now, and `RefreshTokenMissing` where no sign-in would bring one.
        """
        if self._fetch_token is None:
            raise TypeError("this session is not attached to a sign-in")
        return await self._fetch_token(resource)


def session_key_of(issuer: str, kind: str, value: str) -> bytes:
    """What sessions are found by when their issuer ends them: a hash over issuer, `sid` or `sub`, and the value."""
    return hashlib.sha256(msgspec.json.encode([issuer, kind, value])).digest()


def without_sid(issuer: str, subject: str) -> bytes:
    """In place of a `sid`, where the ID token named none: what names both a `sid` and a person may mean that session."""
    return session_key_of(issuer, "without sid", subject)
