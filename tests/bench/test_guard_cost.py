"""What the guard adds to the cryptography stays within its budget."""

from __future__ import annotations

from bench.guard import ALONE, measure_guard
from bench.report import BUDGETS


async def test_the_guards_checks_keep_their_budget() -> None:
    lines = {(line.figure, line.subject): line for line in await measure_guard(500, 3)}
    assert {("guard", name) for name in ("proofkey", ALONE, "PyJWT", "joserfc")} | {
        ("guard_checks", "proofkey")
    } == set(lines)
    assert lines["guard_checks", "proofkey"].cpu_us <= BUDGETS["guard_checks"]
