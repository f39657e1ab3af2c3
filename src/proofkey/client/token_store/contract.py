"""What is kept of a sign-in, and what a place to keep it promises.

1. There is one sign-in per issuer and client; saving replaces the one that was.
2. What is loaded is of the issuer and client asked for, compared to the byte, or refused.
3. A write is whole and lasting once `save` returns, or it has not happened.
4. Who holds `lock` is alone with that sign-in, in all processes that use the same place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from proofkey.client.refused import StoreRefused

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class StoredSignIn:
    """Everything that has to outlive the process. Moments are milliseconds since 1970 UTC; scope is what was granted.

    The access token came at `access_token_at`; `access_token_until` is None where the issuer did not say. `claims` are those
    of the ID token, None where there was none; `dpop_key` is the private key the tokens are bound to, as
    `DpopKey.to_bytes` gives it; `client_secret` is one that every copy of the program has (RFC 8252 §8.5).

    >>> kept = StoredSignIn(ISSUER, CLIENT_ID, "openid", None, {"sub": "alice"}, "Bearer", "at", NOW + 300_000, "rt", NOW)
    >>> "rt" in repr(kept)
    False
    """

    issuer: str
    client_id: str
    scope: str
    resource: str | None
    claims: Mapping[str, Any] | None
    token_type: str
    access_token: str = field(repr=False)
    access_token_until: int | None
    refresh_token: str | None = field(repr=False)
    signed_in_at: int
    access_token_at: int = 0
    dpop_key: bytes | None = field(default=None, repr=False)
    ca_file: str | None = None
    client_secret: str | None = field(default=None, repr=False)


class TokenStore(Protocol):
    """A place to keep sign-ins, by issuer and client. Its methods raise `StoreRefused`.

    >>> store: TokenStore = MemoryStore()
    >>> with store.lock(ISSUER, CLIENT_ID):
    ...     store.remove(ISSUER, CLIENT_ID)
    >>> store.load(ISSUER, CLIENT_ID) is None
    True
    """

    def load(self, issuer: str, client_id: str) -> StoredSignIn | None:
        """The sign-in of *client_id* at *issuer*, None where there is none."""

    def save(self, sign_in: StoredSignIn) -> None:
        """Keep *sign_in* in place of the one there was."""

    def remove(self, issuer: str, client_id: str) -> None:
        """Forget the sign-in, whether or not there is one."""

    def find_all(self) -> Sequence[tuple[str, str]]:
        """Issuer and client of each sign-in that is kept."""

    def lock(self, issuer: str, client_id: str) -> AbstractContextManager[object]:
        """Be alone with one sign-in."""


def slot_of(issuer: str, client_id: str) -> str:
    """A name for one issuer and client that fits everywhere and tells nobody which they are."""
    return hashlib.sha256(f"{issuer}\n{client_id}".encode()).hexdigest()[:32]


def encode_sign_in(sign_in: StoredSignIn) -> bytes:
    """*sign_in* as JSON, with the number of its format."""
    return msgspec.json.encode({"format": _FORMAT, "sign_in": sign_in})


class _Kept(msgspec.Struct):
    format: int
    sign_in: StoredSignIn


def read_sign_in(kept: bytes) -> StoredSignIn:
    """The sign-in in *kept*, of whichever issuer and client. Raises `StoreRefused` for what is none."""
    try:
        found = msgspec.json.decode(kept, type=_Kept)
    except msgspec.MsgspecError:
        found = None
    if found is None or found.format != _FORMAT:
        raise StoreRefused("store_unreadable", "What is kept is no sign-in that this version can read: sign in again")
    return found.sign_in


def decode_sign_in(kept: bytes, *, expected_issuer: str, expected_client_id: str) -> StoredSignIn:
    """The sign-in in *kept*. Raises `StoreRefused` for what is none, or is of another issuer or client."""
    sign_in = read_sign_in(kept)
    if (sign_in.issuer, sign_in.client_id) != (expected_issuer, expected_client_id):
        raise StoreRefused("store_sign_in_foreign", "The sign-in that is kept is of another issuer or client")
    return sign_in
