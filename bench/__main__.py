"""`make bench`: start the servers, take every figure of each in turn, several rounds, and print what they cost."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import uvloop

from bench.cpu import choose_cores, pinned_to, read_tree_cpu_us, read_tree_rss_mb, run_before_others
from bench.figures import Gauge
from bench.growth import measure_growth
from bench.guard import measure_guard
from bench.guard_dpop import measure_guard_dpop
from bench.report import Line, print_lines, print_table, summarize
from bench.subjects import Running, Subject, authlib_flask, find_listener, npm_oidc_provider, proofkey, serving
from bench.yardstick import time_signature

REQUESTS = ("flow", "refresh", "userinfo", "introspection")
FIGURES = ("start", *REQUESTS, "rss", "growth", "guard")
SERVED = {*REQUESTS, "rss"}
"""Figures that need the servers to run."""
STARTS = 5
FLOWS_BEFORE_RSS = 10_000


def parse_arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=FIGURES, help="only these figures")
    parser.add_argument("--n", type=int, default=3_000, help="requests of each figure in a round, of Proofkey")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count; one more goes before them to warm up")
    parser.add_argument("--no-peers", action="store_true", help="only Proofkey")
    parser.add_argument("--peers-only", action="store_true", help="only the others")
    parser.add_argument("--database", help="a postgresql:// address; the server processes there are counted, too")
    parser.add_argument("--grants", type=int, nargs=2, default=(100, 100_000), help="of growth: how few, how many")
    return parser.parse_args()


def choose_subjects(asked: argparse.Namespace) -> list[Subject]:
    """Whom to measure."""
    ours = [] if asked.peers_only else [proofkey(asked.database)]
    return ours if asked.no_peers else [*ours, npm_oidc_provider(), authlib_flask()]


def say(text: str) -> None:
    """Tell a person what goes on."""
    print(text, file=sys.stderr, flush=True)


def measure_starts(subjects: list[Subject], folder: Path, core: int) -> list[Line]:
    """From the start of the process, in an empty folder, to the first answer."""
    lines = []
    for subject in subjects:
        say(f"start: {subject.name}")
        taken, cpu, rss = [], [], []
        for turn in range(STARTS):
            with serving(subject, folder / f"start-{subject.name}-{turn}".replace(" ", "-"), core) as running:
                taken.append(running.started_in * 1_000)
                cpu.append(read_tree_cpu_us((running.child.pid,)))
                rss.append(read_tree_rss_mb((running.child.pid,)))
        lines.append(
            Line("start", subject.name, median(cpu), STARTS, median(rss), median(taken), min(taken), max(taken))
        )
    return lines


async def measure_rounds(gauges: dict[str, Gauge], asked: argparse.Namespace) -> list[Line]:
    """Every figure of every subject in turn, so that what disturbs the machine disturbs all alike."""
    figures = [figure for figure in REQUESTS if figure in asked.only]
    if not figures:
        return []
    counts = {name: max(50, asked.n // gauge.running.subject.cost) for name, gauge in gauges.items()}
    costs: dict[str, dict[str, list[float]]] = {figure: {name: [] for name in gauges} for figure in figures}
    for turn in range(asked.rounds + 1):
        signature = f"one ES256 signature takes {time_signature(choose_cores()[0]):.0f} µs"
        say(f"round {turn} of {asked.rounds}, {signature}" if turn else f"round that does not count, {signature}")
        for figure in figures:
            for name, gauge in gauges.items():
                cost = await getattr(gauge, figure)(counts[name])
                if turn:
                    costs[figure][name].append(cost)
    return [line for figure in figures for line in summarize(figure, counts, costs[figure])]


async def measure_rss(gauge: Gauge) -> Line:
    """Resident memory after many flows, when nothing is under way."""
    running = gauge.running
    n = FLOWS_BEFORE_RSS // running.subject.cost
    say(f"rss: {running.subject.name}, {n} flows")
    cost = await gauge.flow(n)
    await asyncio.sleep(1)
    return Line("rss", running.subject.name, cost, n, read_tree_rss_mb((running.child.pid,)))


async def measure_running(started: list[Running], asked: argparse.Namespace) -> list[Line]:
    """All figures that need the servers to run side by side."""
    gauges = {running.subject.name: Gauge(running) for running in started}
    for name, gauge in gauges.items():
        say(f"signing in and warming up: {name}")
        await gauge.prepare()
    lines = await measure_rounds(gauges, asked)
    if "rss" in asked.only:
        lines += [await measure_rss(gauge) for gauge in gauges.values()]
    return lines


def measure(asked: argparse.Namespace, folder: Path) -> list[Line]:
    """Everything that was asked for, servers on one core and this process on another."""
    server_core, _ = choose_cores()
    subjects = choose_subjects(asked)
    lines = measure_starts(subjects, folder, server_core) if "start" in asked.only else []
    if SERVED & set(asked.only):
        lines += measure_served(subjects, asked, folder)
    if "growth" in asked.only and not asked.peers_only and not asked.database:
        lines.append(measure_growth(folder, asked.grants, asked.n, asked.rounds))
    if "guard" in asked.only and not asked.peers_only:
        say("guard")
        with pinned_to(server_core):
            lines += asyncio.run(measure_guard(asked.n, asked.rounds))
            lines += asyncio.run(measure_guard_dpop(asked.n, asked.rounds))
    return lines


def measure_served(subjects: list[Subject], asked: argparse.Namespace, folder: Path) -> list[Line]:
    """The figures of servers that run side by side."""
    server_core, own_core = choose_cores()
    with ExitStack() as servers:
        started = [
            servers.enter_context(serving(subject, folder / subject.name.replace(" ", "-"), server_core))
            for subject in subjects
        ]
        if asked.database and not asked.peers_only:
            started[0].database_pids = (find_listener(asked.database),)
        with pinned_to(own_core):
            return uvloop.run(measure_running(started, asked))


def main() -> None:
    """Measure, and print."""
    asked = parse_arguments()
    run_before_others()
    with tempfile.TemporaryDirectory(prefix="proofkey-bench-") as folder:
        lines = measure(asked, Path(folder))
    print_lines(lines)
    print_table(lines)


if __name__ == "__main__":
    main()
