"""What the guard adds to the cryptography, as a share of it in the same run: times of their own prove nothing here."""

from __future__ import annotations

from collections.abc import Iterable

from bench.guard import ALONE, measure_guard
from bench.guard_dpop import measure_guard_dpop
from bench.report import Line

MOST = 1.5
"""Of the signatures' own cost. Quiet machines show 0.4; the budget in microseconds is `make bench`'s to judge."""


def lowest_of(lines: Iterable[Line]) -> dict[tuple[str, str], float]:
    """The cheapest round of each figure and subject: a busy machine makes our code dearer than cryptography."""
    return {(line.figure, line.subject): line.lowest for line in lines if line.lowest is not None}


async def test_the_guards_checks_cost_less_than_the_signature_they_go_with() -> None:
    lowest = lowest_of(await measure_guard(500, 3))
    subjects = {("guard", name) for name in ("proofkey", ALONE, "PyJWT", "joserfc")}
    assert subjects | {("guard_checks", "proofkey")} == set(lowest)
    assert lowest["guard_checks", "proofkey"] < MOST * lowest["guard", ALONE]


async def test_a_proof_of_possession_costs_little_beside_its_two_signatures() -> None:
    lowest = lowest_of(await measure_guard_dpop(500, 3))
    (signatures,) = (cost for (_, subject), cost in lowest.items() if subject != "proofkey")
    assert lowest["guard_dpop_checks", "proofkey"] < MOST * signatures
