"""What a store keeps is sealed under the application's key, one purpose and one row at a time (proofkey.seal).

1. The key of its row stands inside every seal: contents moved to another row do not open.
2. Several keys may be given: the first seals, all of them open, so that keys can be changed without signing anybody out.
3. What an issuer sent and no store can keep is the issuer's mistake, and refused.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from proofkey.client.messages import ResponseRefused
from proofkey.protocol.base64url import encode_base64url
from proofkey.seal import Seal, SealBroken, derive_key

MIN_KEY = 32
Contents = TypeVar("Contents")


class Sealing:
    """Seals and opens what belongs to one row. *keys* are secrets of at least 32 bytes, the newest first."""

    def __init__(self, keys: Sequence[bytes], context: str, entropy: Callable[[int], bytes]) -> None:
        if not keys or any(len(key) < MIN_KEY for key in keys):
            raise ValueError(f"key must be at least {MIN_KEY} random bytes")
        self._entropy = entropy
        generations = {_generation(key): key for key in keys}
        self._seals = {
            purpose: Seal(generations, _generation(keys[0]), f"{context} {purpose}")
            for purpose in ("session", "transaction")
        }
        self._mac_keys = [derive_key(key, f"{context} csrf") for key in keys]

    def close_transaction(self, key: bytes, contents: msgspec.Struct) -> str:
        """Seal a begun login for the row called *key*."""
        return self._close("transaction", key, contents)

    def close_session(self, key: bytes, contents: msgspec.Struct) -> str:
        """Seal a session's contents for the row called *key*. Raises `ResponseRefused` for what no store can keep."""
        return self._close("session", key, contents)

    def _close(self, purpose: str, key: bytes, contents: msgspec.Struct) -> str:
        """Rule 3: integers of more than 64 bits and lone surrogates are JSON, and nothing that can be kept."""
        try:
            return self._seals[purpose].close([key, contents], self._entropy(12))
        except (ValueError, OverflowError, RecursionError) as failure:
            detail = type(failure).__name__
            raise ResponseRefused("answer_unkeepable", "The issuer's answer cannot be kept", detail=detail) from None

    def open_transaction(self, key: bytes, sealed: str, kind: type[Contents]) -> Contents | None:
        """What was sealed for that row; None where it was not, or not by us."""
        return _open(self._seals["transaction"], key, sealed, kind)

    def open_session(self, key: bytes, sealed: str, kind: type[Contents]) -> Contents | None:
        """What was sealed for that row; None where it was not, or not by us."""
        return _open(self._seals["session"], key, sealed, kind)

    def csrf_token(self, key: bytes) -> str:
        """What a page of the application sends to prove that it could read the session's JSON."""
        return encode_base64url(hmac.digest(self._mac_keys[0], key, "sha256"))

    def is_csrf_token(self, key: bytes, sent: str) -> bool:
        """True where *sent* is that, under any of the keys."""
        expected = [encode_base64url(hmac.digest(mac_key, key, "sha256")) for mac_key in self._mac_keys]
        return any(hmac.compare_digest(token.encode(), sent.encode()) for token in expected)


def _generation(key: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"proofkey web key " + key).digest()[:4], "big")


def _open(seal: Seal, key: bytes, sealed: str, kind: type[Contents]) -> Contents | None:
    try:
        row, contents = msgspec.msgpack.decode(seal.open(sealed), type=tuple[bytes, kind])  # type: ignore[valid-type]
    except (SealBroken, msgspec.DecodeError):
        return None
    return contents if row == key else None
