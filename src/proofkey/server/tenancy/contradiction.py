"""How a declaration is refused: where it contradicts itself, where a file is wrong, and where a deployment says otherwise."""

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


class DeclarationRefused(Exception):
    """The file cannot be used; the message begins with file, line and column (from 1)."""

    def __init__(self, file: str, line: int, column: int, expected: str) -> None:
        super().__init__(f"{file}:{line}:{column}: {expected}")


class ApplyRefused(Exception):
    """The deployment holds something the declaration cannot be reconciled with; the message says what."""


def contradict(path: Path, expected: str) -> NoReturn:
    """Raise the contradiction found at *path*."""
    raise Contradiction(path, expected)
