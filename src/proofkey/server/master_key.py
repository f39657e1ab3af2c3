"""The deployment's master key: what it encrypts at rest and the secrets it hashes.

1. The key itself is never used: each purpose has a key of its own, derived from it (HKDF, RFC 5869).
2. What is wrapped names its context, so that a row cannot be moved to another workspace, use or generation.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

from proofkey.seal import Aead, derive_key


class MasterKey:
    """Thirty-two bytes from `PROOFKEY_MASTER_KEY` or a file, and what they may be used for."""

    __slots__ = ("_derive", "_wrapping")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != 32:
            raise ValueError("the master key must be 32 bytes")
        self._derive = lru_cache(maxsize=32)(lambda purpose: derive_key(raw, purpose))
        self._wrapping = Aead(self._derive("wrap"))

    def mac(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA-256 of *message* under the key of *purpose* (RFC 2104)."""
        return hmac.digest(self._derive("mac:" + purpose), message, "sha256")

    def wrap(self, plain: bytes, context: str, nonce: bytes) -> bytes:
        """Encrypt a key for its row; *nonce* is 12 fresh random bytes."""
        return nonce + self._wrapping.encrypt(nonce, plain, context.encode())

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Decrypt what `wrap` made for the same context. Raises `SealBroken` for any other key, context or byte."""
        return self._wrapping.decrypt(wrapped[:12], wrapped[12:], context.encode())


def hash_client_secret(master_key: MasterKey, workspace_id: str, client_id: str, secret: str) -> bytes:
    """What a client's row keeps of its secret: secrets carry 128 generated bits or more, so a keyed hash is enough."""
    return master_key.mac("client_secret", b"\0".join(part.encode() for part in (workspace_id, client_id, secret)))
