"""What a start of `proofkey` does not wait for, and what it leaves behind in the process."""

from __future__ import annotations

import subprocess
import sys

ASKED = """
import sys
from proofkey.cli import main
try:
    main(["dev", "--help"])
except SystemExit:
    pass
import proofkey.demo.api, proofkey.demo.app, proofkey.server.app
print([name for name in ("httpx2", "rich.console", "asyncpg") if name in sys.modules], file=sys.stderr)
"""
SETTLED = """
import gc
from proofkey.cli.running import settle_memory
settle_memory()
assert (20_000, 20, 20) == gc.get_threshold()
assert gc.get_freeze_count() > 10_000
"""


def test_dev_starts_without_what_only_a_fetch_or_a_terminal_needs() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert "[]" == done.stderr.splitlines()[-1]


def test_a_settled_server_seldom_looks_for_garbage() -> None:
    subprocess.run([sys.executable, "-c", SETTLED], check=True)
