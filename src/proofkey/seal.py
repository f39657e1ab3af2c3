"""Authenticated encryption of short-lived state: the only file that imports the AEAD (AES-256-GCM-SIV, RFC 8452).

1. A seal is opened only for the purpose and workspace it was made for: both are part of its key and associated data.
2. The whole text is authenticated before any part is used, and has one spelling: canonical base64url.
3. GCM-SIV survives a repeated nonce, so random nonces need no counter.
"""

from __future__ import annotations

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proofkey.protocol.base64url import decode_base64url, encode_base64url

_VERSION = 1
_HEAD = 17  # version, 4 bytes of key generation, 12 of nonce
_MAX_TEXT = 49_152  # more than the longest request may hold, less than a form


class SealBroken(Exception):
    """Not a seal of ours: truncated, altered, made for another purpose or workspace, or under a key we no longer have."""


class Aead:
    """One AES-256-GCM-SIV key (RFC 8452)."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCMSIV(key)

    def encrypt(self, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
        """Ciphertext and tag."""
        return self._cipher.encrypt(nonce, plain, associated)

    def decrypt(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """The plaintext, or `SealBroken`."""
        try:
            return self._cipher.decrypt(nonce, sealed, associated)
        except (InvalidTag, ValueError) as broken:
            raise SealBroken from broken


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret)


def decode_sealed(text: str) -> bytes:
    """The bytes of canonical base64url. Raises `SealBroken`."""
    try:
        return decode_base64url(text)
    except ValueError as broken:
        raise SealBroken from broken


class Seal:
    """Seals and opens one kind of message of one workspace, under the cell's sealing keys."""

    __slots__ = ("_active", "_associated", "_keys")

    def __init__(self, secrets: dict[int, bytes], active: int, context: str) -> None:
        """*secrets* by generation; *context* names issuer, workspace and purpose."""
        self._keys = {generation: Aead(derive_key(secret, context)) for generation, secret in secrets.items()}
        self._active = active
        self._associated = context.encode()

    def close(self, payload: object, nonce: bytes) -> str:
        """Seal *payload* (anything MessagePack can say); *nonce* is 12 fresh random bytes."""
        head = bytes((_VERSION,)) + self._active.to_bytes(4, "big")
        sealed = self._keys[self._active].encrypt(nonce, msgspec.msgpack.encode(payload), head + self._associated)
        return encode_base64url(head + nonce + sealed)

    def open(self, text: str) -> bytes:
        """The MessagePack bytes sealed in *text*. Raises `SealBroken`."""
        if len(text) > _MAX_TEXT:
            raise SealBroken
        raw = decode_sealed(text)
        if len(raw) <= _HEAD or raw[0] != _VERSION:
            raise SealBroken
        key = self._keys.get(int.from_bytes(raw[1:5], "big"))
        if key is None:
            raise SealBroken
        return key.decrypt(raw[5:_HEAD], raw[_HEAD:], raw[:5] + self._associated)
