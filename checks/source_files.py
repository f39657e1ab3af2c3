"""Which files the checks look at: everything git knows of or would take, and nothing it ignores.

In a copy without git's own folder it is everything but what installing and running leave behind.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_BEHIND = {"node_modules", "__pycache__", "dist", "build"}


def git(*arguments: str) -> str:
    """What git answers, run in the repository; an empty string where it refuses."""
    answer = subprocess.run(
        ["git", "-c", "safe.directory=*", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout if answer.returncode == 0 else ""


def find_files(*patterns: str) -> list[Path]:
    """Files that match the git *patterns*, tracked or new, that exist now."""
    if not (ROOT / ".git").exists():
        return list_copy(patterns or ("*",))
    names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns).split("\0")
    return [ROOT / name for name in sorted(set(names)) if name and (ROOT / name).is_file()]


def list_copy(patterns: Iterable[str]) -> list[Path]:
    """The same without git: a pattern's star matches a slash, as git's does."""
    places = ((path, path.relative_to(ROOT)) for path in sorted(ROOT.rglob("*")) if path.is_file())
    return [
        path
        for path, place in places
        if not any(part in LEFT_BEHIND or (part[0] == "." and part != ".ci") for part in place.parts[:-1])
        and any(fnmatch(str(place), pattern) for pattern in patterns)
    ]


def report(check: str, complaints: Iterable[str]) -> None:
    """Say what is wrong and exit 1, or say nothing."""
    found = list(complaints)
    for complaint in found:
        print(f"{check}: {complaint}", file=sys.stderr)
    sys.exit(1 if found else 0)
