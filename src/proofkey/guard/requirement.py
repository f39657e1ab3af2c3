"""What one route of an API asks of a token beyond being good: scopes, and how the person signed in (RFC 9470)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from proofkey.protocol.records import SECOND


@dataclass(frozen=True, slots=True)
class Requirement:
    """Every scope is needed, any of the `acr_values` will do, and signing in was at most `max_age` seconds ago.

    >>> Requirement(scopes=("notes:read",)) == require("notes:read")
    True
    """

    scopes: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None

    @property
    def max_age_for(self) -> int | None:
        """`max_age` in milliseconds."""
        return None if self.max_age is None else self.max_age * SECOND


NOTHING = Requirement()
"""Any good token will do."""


def require(
    scopes: Collection[str] | str = (), *, acr_values: Collection[str] | str = (), max_age: int | None = None
) -> Requirement:
    """What a route asks for: every one of *scopes*, one of *acr_values*, a sign-in at most *max_age* seconds old.

    Text is split at spaces, as on the wire. Raises `ValueError` for what cannot stand in a challenge, and `TypeError` for a
    view: a decorator needs its parentheses.

    >>> require("notes:read notes:write", acr_values=["mfa"], max_age=300)
    Requirement(scopes=('notes:read', 'notes:write'), acr_values=('mfa',), max_age=300)
    """
    if callable(scopes):
        raise TypeError("the decorator needs its parentheses: require() or require(scopes)")
    if max_age is not None and max_age < 0:
        raise ValueError("max_age is a number of seconds, 0 or more")
    return Requirement(_words(scopes), _words(acr_values), max_age)


def _words(given: Collection[str] | str) -> tuple[str, ...]:
    words = tuple(given.split() if isinstance(given, str) else given)
    for word in words:
        if not word or not all("!" <= mark <= "~" and mark not in '"\\' for mark in word):
            raise ValueError("scopes and acr_values are printable ASCII without spaces, quotes and backslashes")
    return words
