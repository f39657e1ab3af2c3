"""The field of dots beside every page: the 256 bits of a SHA-256, as an SVG path.

The same workspace and application always give the same picture. It is an ornament, and nobody is asked to compare it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

SIDE = 16
"""Dots in a row, and rows: 16 times 16 are the 256 bits of S256 (RFC 7636 §4.2)."""


@lru_cache(maxsize=1024)
def pattern_of(*names: str) -> str:
    """The one bits of *names*' hash on a grid of SIDE by SIDE; each dot is a line of no length with round caps."""
    bits = int.from_bytes(sha256("\n".join(names).encode("utf-8", "replace")).digest(), "big")
    ones = (divmod(place, SIDE) for place in range(SIDE * SIDE) if bits >> place & 1)
    return "".join(f"M{column} {row}h0" for row, column in ones)
