"""Which files the checks look at: everything git knows of or would take, and nothing it ignores."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments: str) -> str:
    """What git answers, run in the repository; an empty string where it refuses."""
    answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return answer.stdout if answer.returncode == 0 else ""


def find_files(*patterns: str) -> list[Path]:
    """Files that match the git *patterns*, tracked or new, that exist now."""
    names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns).split("\0")
    return [ROOT / name for name in sorted(set(names)) if name and (ROOT / name).is_file()]


def report(check: str, complaints: Iterable[str]) -> None:
    """Say what is wrong and exit 1, or say nothing."""
    found = list(complaints)
    for complaint in found:
        print(f"{check}: {complaint}", file=sys.stderr)
    sys.exit(1 if found else 0)
