"""Small files, small functions: the numbers of ARCHITECTURE.md's "Budgets", measured over src/ and spa/src/.

A file counts its physical lines; a function counts its lines of code: no blank lines, comments or docstring.
"""

from __future__ import annotations

import ast
import io
import statistics
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from checks.source_files import ROOT, find_files, report

NOT_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Budget:
    """How many lines the median, the 90th percentile and the largest may have."""

    of: str
    median: int
    p90: int
    largest: int


FILES = Budget("file", 120, 300, 400)
FUNCTIONS = Budget("function", 8, 22, 40)


def docstring_lines(tree: ast.AST) -> set[int]:
    """The lines that hold docstrings."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef | ast.Module) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            lines.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def code_lines(source: str, tree: ast.AST) -> set[int]:
    """The lines on which code stands."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - docstring_lines(tree)


def measure_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function's name and how many lines of code it has, its signature included."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    lines = code_lines(source, tree)
    for node in ast.walk(tree):
        if isinstance(node, Function):
            extent = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", sum(line in lines for line in extent)


def measure_files(paths: Sequence[Path]) -> Iterator[tuple[str, int]]:
    """Each file that holds more than its docstring, and how many lines it has."""
    for path in paths:
        source = path.read_text(encoding="utf-8")
        if path.suffix != ".py" or code_lines(source, ast.parse(source)):
            yield str(path.relative_to(ROOT)), len(source.splitlines())


def complain(budget: Budget, measured: Sequence[tuple[str, int]]) -> Iterator[str]:
    """What exceeds the budget."""
    sizes = sorted(size for _, size in measured)
    if len(sizes) < 2:
        return
    yield from (
        f"{name} has {size} lines (at most {budget.largest})" for name, size in measured if size > budget.largest
    )
    median, p90 = statistics.median(sizes), statistics.quantiles(sizes, n=10)[-1]
    if median > budget.median:
        yield f"the median {budget.of} has {median} lines (at most {budget.median})"
    if p90 > budget.p90:
        yield f"the 90th percentile {budget.of} has {p90:.0f} lines (at most {budget.p90})"


def main() -> None:
    """Measure and report."""
    paths = find_files("src/*.py", "spa/src/*.ts")
    functions = [measured for path in paths if path.suffix == ".py" for measured in measure_functions(path)]
    report("size", [*complain(FILES, list(measure_files(paths))), *complain(FUNCTIONS, functions)])


if __name__ == "__main__":
    main()
