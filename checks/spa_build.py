"""The single-page library: its types hold, it fits its budget, and the copy the demo serves is what its source builds."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from checks.source_files import ROOT, report

SPA = ROOT / "spa"
BUILT = SPA / "dist"
SERVED = ROOT / "src" / "proofkey" / "demo" / "static" / "spa"
NAMES = {"proofkey-spa.js": "index.js", "worker.js": "worker.js"}
"""What the demo serves, and what the build calls it."""
CORE = ("index.js", "worker.js")
BUDGET = 6_000
"""Bytes of the core, minified and compressed (gzip, level 9), each file apart."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """What a command of the virtual environment's node says, run in spa/."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=SPA, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


def build() -> Iterator[str]:
    """Install what building needs, where it is missing; then types, then dist/. Says what failed."""
    if not (SPA / "node_modules" / "esbuild").is_dir():
        installed = run("npm", "ci", "--no-audit", "--no-fund", "--silent")
        if installed.returncode:
            yield f"npm ci failed: {installed.stderr.strip()}"
            return
    built = run("node", "build.mjs")
    if built.returncode:
        yield f"the build failed:\n{built.stdout}{built.stderr}".strip()


def compressed(path: Path) -> int:
    """How many bytes travel."""
    return len(gzip.compress(path.read_bytes(), 9, mtime=0))


def judge_build() -> Iterator[str]:
    """What is wrong with dist/."""
    size = sum(compressed(BUILT / name) for name in CORE)
    if size > BUDGET:
        yield f"index.js and worker.js have {size} bytes compressed (at most {BUDGET})"
    for name in sorted(path.name for path in BUILT.glob("*.js")):
        if str(ROOT) in (BUILT / name).read_text(encoding="utf-8"):
            yield f"{name} holds a path of this machine"


def judge_copies() -> Iterator[str]:
    """Which served file is not what was built."""
    for name, source in NAMES.items():
        served = SERVED / name
        if not served.is_file() or served.read_bytes() != (BUILT / source).read_bytes():
            yield f"{served.relative_to(ROOT)} is not what spa/ builds: python -m checks.spa_build --copy"


def copy() -> None:
    """Put what was built where the demo serves it."""
    SERVED.mkdir(exist_ok=True)
    for name, source in NAMES.items():
        (SERVED / name).write_bytes((BUILT / source).read_bytes())


def main() -> None:
    """Build, judge; with --copy renew what the demo serves first."""
    failed = list(build())
    if failed:
        report("spa", failed)
    if "--copy" in sys.argv:
        copy()
    report("spa", [*judge_build(), *judge_copies()])


if __name__ == "__main__":
    main()
