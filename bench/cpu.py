"""What the operating system says a tree of processes costs: CPU time and resident memory (Linux, proc(5)).

1. CPU is read where the work is done, in the server, never derived from elapsed time: a slow generator or a busy machine
   delays an answer, but does not make it dearer.
2. A live process is read by its CPU clock (clock_getcpuclockid(3): all its threads, ended ones included, in nanoseconds);
   its children that have ended are in `cutime` and `cstime` of /proc/PID/stat, in ticks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROC = Path("/proc")
MICROSECONDS_A_TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")
PARENT, CHILDREN_USER, CHILDREN_SYSTEM = 1, 13, 14
"""Places in /proc/PID/stat, counted from the field after the command's name."""


def read_stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; empty when the process is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def list_tree(root: int) -> list[int]:
    """*root* and all its living descendants."""
    parents = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (stat := read_stat(int(entry.name))):
            parents[int(entry.name)] = int(stat[PARENT])
    tree = [root]
    for pid in tree:
        tree.extend(child for child, parent in parents.items() if parent == pid)
    return tree


def read_cpu_us(pid: int) -> float:
    """Microseconds of CPU this process, and its children that have ended, have used."""
    stat = read_stat(pid)
    if not stat:
        return 0.0
    cpu_clock = (~pid << 3) | 2
    ended = (int(stat[CHILDREN_USER]) + int(stat[CHILDREN_SYSTEM])) * MICROSECONDS_A_TICK
    return time.clock_gettime_ns(cpu_clock) / 1_000 + ended


def read_tree_cpu_us(roots: tuple[int, ...]) -> float:
    """Microseconds of CPU that the trees under *roots* have used so far."""
    return sum(read_cpu_us(pid) for root in roots for pid in list_tree(root))


def read_tree_rss_mb(roots: tuple[int, ...]) -> float:
    """Megabytes (10^6 bytes) resident in the trees under *roots*; pages that two processes share count twice."""
    kilobytes = 0
    for pid in (pid for root in roots for pid in list_tree(root)):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                kilobytes += int(line.split()[1])
    return kilobytes * 1024 / 1_000_000


def run_before_others() -> None:
    """Ask for precedence over whatever else the machine does; servers inherit it. Ordinary users may not, and do without."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)


def choose_cores() -> tuple[int, int]:
    """One core for the server and another for the generator; the same where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


@contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """Run on *core*, and so does everything started meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
