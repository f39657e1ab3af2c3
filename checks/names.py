"""Names that say nothing: no file or folder has one, and no function or class."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from checks.source_files import ROOT, find_files, report

PLACES = {"utils", "util", "helpers", "helper", "common", "shared", "base", "manager", "service", "misc"}
THINGS = PLACES - {"service", "shared"} | {"handle", "handler", "process", "do", "data", "info"}
NAMED_BY_OTHERS = {"data_received"}
"""What asyncio calls its own methods."""

WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


def words(name: str) -> set[str]:
    """The words of a snake_case or CamelCase name, in lower case."""
    return {word.lower() for word in WORD.findall(name)}


def bad_places(path: Path) -> Iterator[str]:
    """Folders and files on the way to *path* whose whole stem is a forbidden name."""
    inside = path.relative_to(ROOT)
    for part in (*inside.parent.parts, inside.name.split(".")[0]):
        if part.lower() in PLACES:
            yield f"{inside}: no file or folder is called {part!r}; name what it holds"


def bad_things(path: Path) -> Iterator[str]:
    """Functions and classes in *path* with a forbidden word in their name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            said = set() if node.name in NAMED_BY_OTHERS else words(node.name)
            for word in sorted(said & THINGS):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {word!r} says nothing; name what it does"


def main() -> None:
    """Look at every file's place, and at every name in src/."""
    places = [complaint for path in find_files() for complaint in bad_places(path)]
    things = [complaint for path in find_files("src/*.py") for complaint in bad_things(path)]
    report("names", [*places, *things])


if __name__ == "__main__":
    main()
