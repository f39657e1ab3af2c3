"""Every module opens with what it owns, and everything public says what it promises."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from checks.source_files import ROOT, find_files, report


def is_public(name: str) -> bool:
    """Whether callers outside the module may use *name*."""
    return not name.startswith("_")


def undocumented(path: Path) -> Iterator[str]:
    """The module itself, and its public top-level functions and classes, where they say nothing."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if ast.get_docstring(tree) is None:
        yield f"{path.relative_to(ROOT)}: the module does not open with a sentence on what it owns"
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if is_public(node.name) and ast.get_docstring(node) is None:
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: public, and has no docstring"


def main() -> None:
    """Look at every module in src/."""
    report("docstrings", [complaint for path in find_files("src/*.py") for complaint in undocumented(path)])


if __name__ == "__main__":
    main()
