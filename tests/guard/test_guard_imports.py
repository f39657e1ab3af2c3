"""Whoever imports the guard loads what the guard needs, and nothing that a start would have to wait for."""

from __future__ import annotations

import subprocess
import sys

UNWELCOME = "starlette fastapi flask django uvicorn jinja2 click apsw asyncpg redis keyring httpx2".split()


def test_importing_the_guard_loads_no_framework_no_server_and_no_http_client() -> None:
    program = f"import sys, proofkey.guard; print([name for name in {UNWELCOME} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "[]\n" == ran.stdout
