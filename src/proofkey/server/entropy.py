"""Randomness, injected: where the server draws its secrets and ids from."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

from proofkey.protocol.base64url import encode_base64url

Entropy: TypeAlias = Callable[[int], bytes]
"""Returns that many bytes fit for secrets, as `os.urandom` does."""


class Pool:
    """`os.urandom`, fetched a page at a time: one system call costs more than most of what is done with its bytes.

    Every byte is handed out once. A forked child starts with an empty pool, so that two processes never share one.
    """

    __slots__ = ("_page", "_used")

    _SIZE = 4_096

    def __init__(self) -> None:
        self._empty()
        os.register_at_fork(after_in_child=self._empty)

    def _empty(self) -> None:
        self._page = b""
        self._used = self._SIZE

    def __call__(self, count: int) -> bytes:
        """*count* random bytes that nobody was given before."""
        start = self._used
        end = start + count
        if end > self._SIZE:
            if count > self._SIZE:
                return os.urandom(count)
            self._page, start, end = os.urandom(self._SIZE), 0, count
        self._used = end
        return self._page[start:end]


def mint_id(now: int, entropy: Entropy) -> bytes:
    """16 bytes ordered by time: 6 of milliseconds, 10 random, so that inserts touch the newest pages only."""
    return now.to_bytes(6, "big") + entropy(10)


def mint_secret(entropy: Entropy) -> str:
    """256 bits whose percent-encoding is themselves (RFC 3986 §2.3)."""
    return encode_base64url(entropy(32))
