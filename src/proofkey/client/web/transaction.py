"""A begun login, kept by the server until the browser that began it comes back (RFC 6749 §10.12, RFC 9700 §4.7).

1. One cookie for each begun login, named after its `state`: parallel logins in several tabs finish in any order.
2. The cookie's value is a secret of this browser; only whoever has it can take the transaction, and only once.
3. At most `MAX_PENDING` at a time: the oldest make room. The verifier and the nonce never leave the server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from proofkey.client.web.cookie import Cookie, SameSite
from proofkey.protocol.base64url import encode_base64url

MAX_PENDING = 5
RESTARTED = "restarted"
"""The parameter of a login that was begun because the one before it was lost."""

SetCookie: TypeAlias = tuple[bytes, bytes]


class Transaction(msgspec.Struct, frozen=True):
    """What the server remembers of a begun login; `replaces` is the row of the session the browser had then."""

    url: str
    state: str
    nonce: str
    code_verifier: str
    iss_required: bool
    return_to: str
    max_age: int | None
    acr_values: str | None
    replaces: bytes | None

    def __repr__(self) -> str:
        """Without the verifier."""
        return f"Transaction(return_to={self.return_to!r})"


class TransactionCookies:
    """The cookies of all begun logins of one browser."""

    def __init__(self, mark: str, *, secure: bool, same_site: SameSite) -> None:
        self._stem = f"proofkey_login_{mark}_"
        self._secure = secure
        self._same_site: SameSite = same_site

    def of(self, state: str) -> Cookie:
        """The cookie of the login with that `state`."""
        return self._named(hashlib.sha256(state.encode()).hexdigest()[:16])

    def _named(self, suffix: str) -> Cookie:
        return Cookie.named(self._stem + suffix, secure=self._secure, same_site=self._same_site)

    def make_room(self, cookies: Mapping[str, str]) -> tuple[SetCookie, ...]:
        """What drops the oldest, so that one more stays within the limit."""
        prefix = self._named("").name
        begun = sorted((_begun_at(value), name) for name, value in cookies.items() if name.startswith(prefix))
        surplus = begun[: max(0, len(begun) - MAX_PENDING + 1)]
        return tuple(self._named(name.removeprefix(prefix)).drop() for _, name in surplus)


def mint_cookie_value(entropy: bytes, now: int) -> str:
    """A secret that says when it was made."""
    return f"{now:x}.{encode_base64url(entropy)}"


def _begun_at(value: str) -> int:
    try:
        return int(value.partition(".")[0], 16)
    except ValueError:
        return 0


def hash_cookie(value: str) -> bytes:
    """What a store keeps of a cookie: values are 256 random bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(value.encode()).digest()


def restart_key(state: str) -> bytes:
    """The row that says that the login with this `state` was such a second attempt."""
    return hash_cookie(f"restarted {state}")
