"""The manual's code is executed: every block, in its order, against a real `proofkey dev`, and prints what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.dev_server import StartDev
from tests.visitor import sign_in

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAUSE = "~~~~ end of block ~~~~"


@pytest.fixture
def demo(start_dev: StartDev) -> dict[str, Any]:
    """What a `proofkey dev` of this test's own says of itself."""
    return start_dev().told


def blocks(page: str, language: str) -> list[tuple[str, str]]:
    """Each block of *language*, with the text block that follows it (empty where none does)."""
    found = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    following = [*found[1:], ("", "")]
    return [
        (code, told if told_as == "text" else "")
        for (written_in, code), (told_as, told) in zip(found, following, strict=True)
        if written_in == language
    ]


def here(code: str, demo: dict[str, Any]) -> str:
    """The addresses in the manual are those of a server on its usual ports."""
    origins = {
        "http://localhost:8400/demo/main": demo["issuer"],
        "http://127.0.0.1:8401": demo["app"],
        "http://127.0.0.1:8402/notes": demo["resource"]["url"],
        "http://127.0.0.1:8402": demo["resource"]["audience"],
    }
    for usual, actual in origins.items():
        code = code.replace(usual, actual).replace(quote(usual, safe=""), quote(actual, safe=""))
    return code


def environment(demo: dict[str, Any]) -> dict[str, str]:
    person = f"{sys.executable} {ROOT / 'tests' / 'visitor.py'} {demo['user']['username']} {demo['user']['password']}"
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "BROWSER": f"{person} %s &", "PATH": path, "PYTHONWARNINGS": "error"}


def compare(told: list[str], printed: str) -> None:
    """Block by block, what the manual says was printed, and what was."""
    parts = printed.split(PAUSE + "\n")[: len(told)]
    assert [text.strip() for text in told] == [
        part.strip() if expected else "" for part, expected in zip(parts, told, strict=True)
    ]


def test_the_tutorial_runs_as_written(demo: dict[str, Any], tmp_path: Path) -> None:
    written = blocks("docs/tutorial.md", "python")
    program = "".join(f"{here(code, demo)}\nprint({PAUSE!r})\n" for code, _ in written)
    (tmp_path / "tutorial.py").write_text(program, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "tutorial.py"],
        cwd=tmp_path,
        env=environment(demo),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == ran.returncode, ran.stderr
    compare([here(told, demo) for _, told in written], ran.stdout)


def test_the_guards_page_runs_as_written(demo: dict[str, Any], tmp_path: Path) -> None:
    written = blocks("docs/guard.md", "python")
    program = "".join(f"{here(code, demo)}\nprint({PAUSE!r})\n" for code, _ in written)
    (tmp_path / "guarded.py").write_text(program, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "guarded.py"],
        cwd=tmp_path,
        env=environment(demo) | {"SERVICE_SECRET": demo["clients"]["service"]["client_secret"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == ran.returncode, ran.stderr
    compare([here(told, demo) for _, told in written], ran.stdout)


def test_the_tutorial_s_node_lines_run_as_written(tmp_path: Path) -> None:
    [(code, told)] = blocks("docs/tutorial.md", "javascript")
    (tmp_path / "lines.mjs").write_text(code, encoding="utf-8")
    ran = subprocess.run([BIN / "node", "lines.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (told, "") == (ran.stdout, ran.stderr)


def run_in_bash(page: str, demo: dict[str, Any], folder: Path) -> str:
    """All blocks of *page* in one shell; where it says "Open: URL" and waits, a person signs in."""
    script = "\n".join(f"{here(code, demo)}\necho {PAUSE!r}" for code, _ in blocks(page, "sh"))
    (folder / "page.sh").write_text(f"set -eu\n{script}\n", encoding="utf-8")
    printed = []
    with subprocess.Popen(
        ["bash", "page.sh"],
        cwd=folder,
        env=environment(demo),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        assert shell.stderr is not None
        for line in shell.stdout:
            printed.append(line)
            if line.startswith("Open: "):
                callback = sign_in(line[6:].strip(), demo["user"]["username"], demo["user"]["password"])
                shell.stdin.write(callback + "\n")
                shell.stdin.flush()
        complaints = shell.stderr.read()
    assert 0 == shell.returncode, complaints
    return "".join(printed)


@pytest.mark.parametrize("page", ["docs/curl.md", "README.md"])
def test_the_curl_lines_run_as_written(page: str, demo: dict[str, Any], tmp_path: Path) -> None:
    compare([here(told, demo) for _, told in blocks(page, "sh")], run_in_bash(page, demo, tmp_path))
