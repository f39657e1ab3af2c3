"""Whether a sign-in gets dearer with what is stored: the same server over few and over many people and grants."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import uvloop

from bench.cpu import choose_cores, pinned_to
from bench.figures import Gauge
from bench.fill import fill
from bench.report import Line
from bench.subjects import Running, proofkey, serving


def prepare_store(folder: Path, grants: int, core: int) -> None:
    """Make a database with one real sign-in, and then *grants* more people like that one."""
    with serving(proofkey(), folder, core) as running:
        uvloop.run(Gauge(running).prepare())
    (database,) = (folder / "data").glob("*.db")
    fill(database, grants)


async def measure_both(started: list[Running], n: int, rounds: int) -> list[list[float]]:
    """The cost of a flow at each server, round by round; a warming round before."""
    gauges = [Gauge(running) for running in started]
    for gauge in gauges:
        await gauge.prepare()
    costs: list[list[float]] = [[] for _ in gauges]
    for turn in range(rounds + 1):
        for place, gauge in enumerate(gauges):
            cost = await gauge.flow(n)
            if turn:
                costs[place].append(cost)
    return costs


def measure_growth(folder: Path, sizes: tuple[int, int], n: int, rounds: int) -> Line:
    """The cost of a flow over the larger store, and its ratio to that over the smaller."""
    server_core, own_core = choose_cores()
    with ExitStack() as servers:
        started = []
        for size in sizes:
            print(f"growth: filling a store with {size} people and grants", file=sys.stderr, flush=True)
            prepare_store(folder / f"growth-{size}", size, server_core)
            started.append(servers.enter_context(serving(proofkey(), folder / f"growth-{size}", server_core)))
        with pinned_to(own_core):
            few, many = uvloop.run(measure_both(started, n, rounds))
    ratio = median(dear / cheap for dear, cheap in zip(many, few, strict=True))
    ratios = {f"{sizes[0]} grants": ratio}
    return Line("growth", "proofkey", median(many), n * rounds, None, None, min(many), max(many), ratios)
