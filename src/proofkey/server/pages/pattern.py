"""The field beside every page: the 256 bits of a SHA-256 as the pins of a lock, in one SVG path.

The same workspace and application always give the same picture. It is an ornament, and nobody is asked to compare it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256

SIDE = 16
"""Places in a row, and rows: 16 times 16 are the 256 bits of S256 (RFC 7636 §4.2)."""


@lru_cache(maxsize=1024)
def pattern_of(*names: str) -> str:
    """The hash of *names* on a grid of SIDE by SIDE: every run of ones in a column is one line from end to end."""
    digest = sha256("\n".join(names).encode("utf-8", "replace")).digest()
    bits = f"{int.from_bytes(digest, 'big'):0256b}"
    columns = (bits[start : start + SIDE] for start in range(0, SIDE * SIDE, SIDE))
    return "".join(
        f"M{place} {run.start()}v{run.end() - run.start() - 1}"
        for place, column in enumerate(columns)
        for run in re.finditer("1+", column)
    )
