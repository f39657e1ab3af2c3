"""bench/cpu.py reads what the operating system counted, for a whole tree of processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from bench.cpu import list_tree, pinned_to, read_tree_cpu_us, read_tree_rss_mb

BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
BURN_IN_A_CHILD_THAT_ENDS = (
    "import subprocess, sys\n"
    "subprocess.run([sys.executable, '-c', {burn!r}], check=True)\n"
    "print('ended', flush=True)\n"
    "sys.stdin.read()\n"
)


def test_what_an_ended_child_used_is_counted_for_its_tree() -> None:
    script = BURN_IN_A_CHILD_THAT_ENDS.format(burn=BURN.format(seconds=0.3))
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert b"ended\n" == parent.stdout.readline()
        assert read_tree_cpu_us((parent.pid,)) >= 280_000
        parent.communicate()


def test_sleeping_costs_nothing() -> None:
    before = read_tree_cpu_us((os.getpid(),))
    time.sleep(0.3)
    assert read_tree_cpu_us((os.getpid(),)) - before < 250_000


def test_a_tree_holds_the_children_and_their_memory() -> None:
    mine = read_tree_rss_mb((os.getpid(),))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.pid in list_tree(os.getpid())
        assert read_tree_rss_mb((os.getpid(),)) > mine
        child.communicate(b"\n")
    assert child.pid not in list_tree(os.getpid())


def test_what_is_started_while_pinned_stays_on_that_core() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    with pinned_to(core):
        shown = subprocess.check_output([sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"])
    assert f"{{{core}}}\n".encode() == shown
    assert before == os.sched_getaffinity(0)
