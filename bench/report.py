"""What the benchmark says: one JSON line a figure on stdout, and a table for people on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

BUDGETS = {
    "flow": 280.0,
    "refresh": 160.0,
    "userinfo": 70.0,
    "start": 1_000.0,
    "rss": 90.0,
    "growth": 1.3,
    "guard_checks": 60.0,
    "guard_dpop_checks": 60.0,
}
"""What Proofkey may take: microseconds of CPU; milliseconds to start; megabytes; times."""


@dataclass(slots=True)
class Line:
    """One figure of one subject.

    `cpu_us` is the CPU one of `n` took (of "start": one start). `ratio_to` holds this subject's cost divided by the
    other's: 0.5 means half of it. `wall_ms` is elapsed time, `rss_mb` resident memory in 10^6 bytes.
    """

    figure: str
    subject: str
    cpu_us: float
    n: int
    rss_mb: float | None = None
    wall_ms: float | None = None
    lowest: float | None = None
    highest: float | None = None
    ratio_to: dict[str, float] = field(default_factory=dict)

    @property
    def shown(self) -> tuple[float, str]:
        """The number that the figure is about, and its unit."""
        if self.figure == "start":
            return self.wall_ms or 0.0, "ms"
        if self.figure == "rss":
            return self.rss_mb or 0.0, "MB"
        if self.figure == "growth":
            return next(iter(self.ratio_to.values())), "times"
        return self.cpu_us, "µs"

    @property
    def within_budget(self) -> bool | None:
        """Whether Proofkey on SQLite keeps its budget; None where there is none."""
        if self.subject != "proofkey" or self.figure not in BUDGETS:
            return None
        return self.shown[0] <= BUDGETS[self.figure]

    def as_json(self) -> str:
        """The line as it is printed, without what was not measured."""
        members: dict[str, object] = {"figure": self.figure, "subject": self.subject, "cpu_us": round(self.cpu_us, 1)}
        members["n"] = self.n
        for name in ("rss_mb", "wall_ms", "lowest", "highest"):
            if (value := getattr(self, name)) is not None:
                members[name] = round(value, 1)
        members["ratio_to"] = {peer: round(ratio, 3) for peer, ratio in self.ratio_to.items()}
        return json.dumps(members)


def summarize(figure: str, counts: dict[str, int], rounds: Mapping[str, Sequence[float]]) -> list[Line]:
    """One line a subject: the median of its rounds, and the median of the ratios taken within each round."""
    lines = []
    for subject, costs in rounds.items():
        others = {other: theirs for other, theirs in rounds.items() if other != subject}
        ratios = {
            other: median(mine / other_one for mine, other_one in zip(costs, theirs, strict=True))
            for other, theirs in others.items()
        }
        n = counts[subject] * len(costs)
        lines.append(Line(figure, subject, median(costs), n, None, None, min(costs), max(costs), ratios))
    return lines


def print_lines(lines: Sequence[Line]) -> None:
    """The JSON lines."""
    for line in lines:
        print(line.as_json(), flush=True)


def print_table(lines: Sequence[Line]) -> None:
    """The same for people."""
    verdicts = {True: "within", False: "OVER", None: ""}
    heads = ("figure", "subject", "median", "lowest to highest", "budget", "", "ratio to")
    rows = [heads]
    for line in lines:
        number, unit = line.shown
        spread = f"{line.lowest:.0f} to {line.highest:.0f}" if line.lowest is not None else ""
        budget = f"{BUDGETS[line.figure]:g}" if line.within_budget is not None else ""
        ratios = ", ".join(f"{peer} {ratio:.2f}" for peer, ratio in line.ratio_to.items())
        amount = f"{number:.2f} {unit}" if line.figure == "growth" else f"{number:.0f} {unit}"
        rows.append((line.figure, line.subject, amount, spread, budget, verdicts[line.within_budget], ratios))
    widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=sys.stderr)
