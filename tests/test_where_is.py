"""ARCHITECTURE.md's "Where is…?" tells the truth: each file exists and defines what it is said to hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| … (?P<question>.+?) \| (?P<file>\S+) \| `(?P<symbol>\w+)` \|$", re.MULTILINE)
SECTION = re.compile(r"^## Where is…\?$(.*?)^## ", re.MULTILINE | re.DOTALL)


def table() -> str:
    found = SECTION.search((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


ROWS = [(row["question"], row["file"], row["symbol"]) for row in ROW.finditer(table())]


def defined_in(path: Path) -> set[str]:
    """Functions, methods, classes and constants that *path* defines; of TypeScript, what it exports."""
    if path.suffix == ".ts":
        return set(
            re.findall(r"^export (?:const|class|interface) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        )
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def test_every_row_of_the_table_is_read() -> None:
    assert len(re.findall(r"^\| …", table(), re.MULTILINE)) == len(ROWS)
    assert 20 <= len(ROWS)


@pytest.mark.parametrize(("question", "file", "symbol"), ROWS, ids=[symbol for _, _, symbol in ROWS])
def test_where_is(question: str, file: str, symbol: str) -> None:
    assert (ROOT / file).is_file(), f"{question} {file} does not exist"
    assert symbol in defined_in(ROOT / file), f"{question} {file} does not define {symbol}"
