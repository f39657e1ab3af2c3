"""Which password hashes may be brought along: encoded Argon2id (RFC 9106), neither cheap nor ruinous to check.

1. One lane of it computes no less than ours: who is turned away sooner than an unknown name would be is known to be here.
2. Checking one stays bounded in memory, passes and lanes: two at a time run beside everything else.
3. It can be checked at all: what the library refuses is refused in no time, which rule 1 forbids.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode

from proofkey.server.identity.password import MEMORY_KIB, PASSES

_ENCODED = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,7})"
    r"\$([A-Za-z0-9+/]{1,128})\$([A-Za-z0-9+/]{1,128})"
)
_MEMORY_KIB = range(8 * 1_024, 256 * 1_024 + 1)
_PASSES = range(1, 11)
_LANES = range(1, 9)
_SALT = range(8, 65)
_TAG = range(16, 65)
"""Bytes. RFC 9106 §3.1 allows longer ones, and shorter tags, which are not passwords'."""


def expected_of(text: str) -> str | None:
    """What *text* should be instead; None where it may be kept as it is."""
    encoded = _ENCODED.fullmatch(text)
    if encoded is None:
        return "a password_hash is an encoded Argon2id hash: $argon2id$v=19$m=…,t=…,p=…$…$…"
    memory, passes, lanes = map(int, encoded.group(1, 2, 3))
    if memory not in _MEMORY_KIB or passes not in _PASSES or lanes not in _LANES:
        return "a password_hash has m from 8192 to 262144 (KiB), t from 1 to 10 and p from 1 to 8"
    if memory * passes < MEMORY_KIB * PASSES * lanes:
        return f"a password_hash is no cheaper than ours: m times t is at least {MEMORY_KIB * PASSES} for each of p"
    if _size(encoded[4]) not in _SALT or _size(encoded[5]) not in _TAG:
        return "a password_hash has a salt of 8 to 64 bytes and a hash of 16 to 64, in base64 without padding"
    return None


def _size(unpadded: str) -> int | None:
    """How many bytes; None where they are not in the one spelling that base64 has for them."""
    padded = unpadded + "=" * (-len(unpadded) % 4)
    try:
        raw = b64decode(padded, validate=True)
    except ValueError:
        return None
    return len(raw) if b64encode(raw).decode() == padded else None
