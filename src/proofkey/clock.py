"""The clock, injected: the only place that reads the time of day."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]
"""Returns the milliseconds since 1970-01-01 UTC."""


def wall_clock() -> int:
    """The machine's clock, in milliseconds."""
    return time.time_ns() // 1_000_000
