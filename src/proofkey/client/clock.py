"""The time, where a client is given none: one of the impurities that tests replace."""

from __future__ import annotations

import time


def wall_clock() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000
