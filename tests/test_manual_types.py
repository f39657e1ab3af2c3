"""What the manual and the examples show passes a strict type checker, as it does for whoever copies it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UNTYPED = ("--allow-untyped-defs", "--allow-untyped-calls", "--allow-untyped-decorators")


def complaints_of(folder: Path, *options: str) -> list[str]:
    """What mypy says of the files in *folder*, each a program of its own."""
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--strict", *options, *folder.iterdir()]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [line for line in ran.stdout.splitlines() if ": error: " in line] + ran.stderr.splitlines()


@pytest.mark.timeout(240)
def test_the_examples_pass_strictly(tmp_path: Path) -> None:
    for found in (ROOT / "examples").glob("*/*.py"):
        copied = tmp_path / f"{found.parent.name}_{found.name}".replace("-", "_")
        copied.write_text(found.read_text(encoding="utf-8"), encoding="utf-8")
    assert [] == complaints_of(tmp_path)


@pytest.mark.timeout(240)
def test_the_manual_s_blocks_pass_but_for_what_they_leave_unannotated(tmp_path: Path) -> None:
    for page in ("web", "native"):
        blocks = re.findall(
            r"^```python\n(.*?)^```$",
            (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"),
            re.MULTILINE | re.DOTALL,
        )
        (tmp_path / f"{page}_blocks.py").write_text("import os\n" + "\n".join(blocks), encoding="utf-8")
    assert [] == complaints_of(tmp_path, *UNTYPED)
