"""The manual's page about native programs runs as written, and its table of commands is the command line's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from proofkey.cli import COMMANDS
from proofkey.client import LoginOptions
from proofkey.demo.description import render_summary
from tests.test_docs import PAUSE, ROOT, blocks, compare, environment, here
from tests.test_docs import demo as demo

PAGE = "docs/native.md"


def test_the_page_runs_as_written(demo: dict[str, Any], tmp_path: Path) -> None:
    written = blocks(PAGE, "python")
    program = "".join(f"{here(code, demo)}\nprint({PAUSE!r})\n" for code, _ in written)
    (tmp_path / "page.py").write_text(program, encoding="utf-8")
    places = {"XDG_STATE_HOME": str(tmp_path / "state"), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    ran = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env={**environment(demo), **places},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == ran.returncode, ran.stderr
    compare([told for _, told in written], ran.stdout)


def test_readme_manual_and_demo_sign_in_alike(demo: dict[str, Any]) -> None:
    """Whoever follows one of them can go on with another: they find the same sign-in, for the same API."""
    pages = [(ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/commands.md", PAGE)]
    lines = [here(text, demo) for text in pages] + [render_summary(demo)]
    found = [re.findall(r" (login --issuer .*)", text)[0] for text in lines]
    assert 1 == len(set(found)), found
    [asked] = re.findall(r"scope=(\".*?\"), resource=\"(.*?)\"", lines[2])
    assert found[0].endswith(f" --scope {asked[0]} --resource {asked[1]}")


def test_every_option_of_login_is_in_its_table() -> None:
    section = (ROOT / PAGE).read_text(encoding="utf-8").split("## What `login` can be told")[1].split("\n## ")[0]
    assert list(LoginOptions.__annotations__) == re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_its_commands_exist() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert {"login", "whoami", "token", "curl", "logout"} <= set(COMMANDS)
    assert set(re.findall(r"^\| \[`(\w+)`\]", page, re.MULTILINE)) <= set(COMMANDS)
