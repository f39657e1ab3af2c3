"""What the guard adds to the cryptography stays within its budget."""

from __future__ import annotations

from bench.guard import ALONE, measure_guard
from bench.guard_dpop import measure_guard_dpop
from bench.report import BUDGETS


async def test_the_guards_checks_keep_their_budget() -> None:
    lines = {(line.figure, line.subject): line for line in await measure_guard(500, 3)}
    assert {("guard", name) for name in ("proofkey", ALONE, "PyJWT", "joserfc")} | {
        ("guard_checks", "proofkey")
    } == set(lines)
    lowest = lines["guard_checks", "proofkey"].lowest  # a busy machine makes code dearer than cryptography
    assert lowest is not None
    assert lowest <= BUDGETS["guard_checks"]


async def test_a_proof_of_possession_keeps_the_same_budget() -> None:
    lines = {line.figure: line for line in await measure_guard_dpop(500, 3) if line.subject == "proofkey"}
    lowest = lines["guard_dpop_checks"].lowest
    assert lowest is not None
    assert lowest <= BUDGETS["guard_dpop_checks"]
