"""Lock files pin versions by hash and name no download address; no tracked file names a machine's own paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from checks.source_files import ROOT, find_files, report

ADDRESS = re.compile(r"[a-z+]+://|\"resolved\"|--(?:extra-)?index-url|--find-links|--trusted-host")
FUNDING = re.compile(r'^\s*"url": "')
"""npm copies each package's `funding` page into its lock; nothing is downloaded from there."""
PIN = re.compile(r"^[A-Za-z0-9_.\-\[\],]+==\S+", re.MULTILINE)
MACHINE = re.compile(
    r"(?<![\w.\-/}])/(?:work|farm|root)/\w|/home/\w+/|pypi\.org|pythonhosted\.org|registry\.(?:npm|yarn)|proxy\.golang\.org"
)


def lock_addresses(path: Path) -> Iterator[str]:
    """Lines of a lock file that say where to download from, and Python pins without a hash."""
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if ADDRESS.search(line) and not FUNDING.match(line):
            yield f"{path.relative_to(ROOT)}:{number}: a lock names no address: {line.strip()}"
    if path.suffix == ".txt":
        for pin in PIN.finditer(text):
            if "--hash=sha256:" not in text[pin.end() :].split("\n", 2)[1]:
                yield f"{path.relative_to(ROOT)}: {pin.group()} has no hash"


def machine_paths(path: Path) -> Iterator[str]:
    """Lines that only make sense on one machine, or that name a package registry's host."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(lines, 1):
        if MACHINE.search(line):
            yield f"{path.relative_to(ROOT)}:{number}: a machine's path or a registry's host: {line.strip()[:100]}"


def main() -> None:
    """Look at the locks, then at every file."""
    locks = find_files("requirements/*.txt", "*package-lock.json")
    in_locks = [complaint for path in locks for complaint in lock_addresses(path)]
    report("locks", [*in_locks, *(complaint for path in find_files() for complaint in machine_paths(path))])


if __name__ == "__main__":
    main()
