"""Values that are sound alone and cannot stand together, and the path to the one to change."""

from __future__ import annotations

from typing import NoReturn, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead to a value of the file."""


class Contradiction(Exception):
    """What stands at `path` contradicts something; `expected` says what to change."""

    def __init__(self, path: Path, expected: str) -> None:
        super().__init__(f"{'.'.join(map(str, path))}: {expected}")
        self.path = path
        self.expected = expected


def contradict(path: Path, expected: str) -> NoReturn:
    """Raise the contradiction found at *path*."""
    raise Contradiction(path, expected)
