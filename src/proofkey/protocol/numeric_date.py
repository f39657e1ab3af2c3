"""Moments as JSON Web Tokens write them: seconds since 1970, which may have a fraction (RFC 7519 §2, NumericDate)."""

from __future__ import annotations

from typing import Any

from proofkey.protocol.records import SECOND

_FURTHEST = 253_402_300_799
"""9999-12-31T23:59:59Z, in seconds: a number further away, either way, is no date."""


def read_numeric_date(numeric_date: Any) -> int | None:
    """Milliseconds since 1970 UTC; None for anything that is no date."""
    if isinstance(numeric_date, bool) or not isinstance(numeric_date, int | float):
        return None
    return int(numeric_date * SECOND) if -_FURTHEST <= numeric_date <= _FURTHEST else None  # NaN is not between
