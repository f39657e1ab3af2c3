"""Randomness, injected: where the server draws its secrets and ids from."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import TypeAlias

Entropy: TypeAlias = Callable[[int], bytes]
"""Returns that many bytes fit for secrets, as `os.urandom` does."""


def mint_id(now: int, entropy: Entropy) -> bytes:
    """16 bytes ordered by time: 6 of milliseconds, 10 random, so that inserts touch the newest pages only."""
    return now.to_bytes(6, "big") + entropy(10)


def mint_secret(entropy: Entropy) -> str:
    """256 bits whose percent-encoding is themselves (RFC 3986 §2.3)."""
    return urlsafe_b64encode(entropy(32)).rstrip(b"=").decode("ascii")
