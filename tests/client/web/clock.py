"""The time of day, which a test can turn forward."""

from __future__ import annotations

import time

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


class ForwardClock:
    """Milliseconds since 1970 UTC, and what was added."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead

    def turn(self, milliseconds: int) -> None:
        """Let that much time pass."""
        self.ahead += milliseconds
