"""NumericDates: whole, with a fraction, and what only looks like one."""

from __future__ import annotations

from typing import Any

import pytest

from proofkey.protocol.numeric_date import read_numeric_date


@pytest.mark.parametrize(
    ("written", "expected"),
    [(0, 0), (1_800_000_000, 1_800_000_000_000), (1_800_000_000.5, 1_800_000_000_500), (-1, -1000)],
)
def test_seconds_become_milliseconds(written: float, expected: int) -> None:
    assert expected == read_numeric_date(written)


@pytest.mark.parametrize("written", [None, True, "1800000000", [], {}, float("nan"), float("inf"), 1e300, 10**30])
def test_what_is_no_date_is_none(written: Any) -> None:
    assert read_numeric_date(written) is None
