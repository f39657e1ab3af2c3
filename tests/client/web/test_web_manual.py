"""The manual's page on web applications: its blocks run, its table of addresses and its examples exist."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from pathlib import Path
from typing import Any

import pytest

from proofkey.client.web import Api, SignIn
from proofkey.client.web.endpoints import ENDPOINTS
from proofkey.client.web.site import Options

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")


def test_its_python_blocks_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLIENT_SECRET", "a-secret-of-more-than-thirty-two-characters")
    monkeypatch.setenv("SESSION_KEY", "00" * 32)
    names: dict[str, Any] = {"os": os}
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(block, names)
    assert (3, True, True) == (len(blocks), isinstance(names["app"], SignIn), isinstance(names["patient"], SignIn))


def test_it_names_every_address_the_sign_in_owns() -> None:
    told = set(re.findall(r"^\| `(?:GET |POST )?/auth/([a-z-]+)`", PAGE, re.MULTILINE))
    assert set(ENDPOINTS) == told


def test_the_examples_it_links_to_exist() -> None:
    linked = re.findall(r"\]\(\.\./([^)#]+)[^)]*\)", PAGE)
    assert {"examples/web-starlette/app.py", "examples/web-flask/app.py"} <= set(linked)
    assert [] == [path for path in linked if not (ROOT / path).is_file()]


def test_its_tables_name_every_option() -> None:
    _, sign_in, api = re.split(
        r"^`(?:SignIn|Api)\(.*\)` takes these", PAGE.split("## In production")[0], flags=re.MULTILINE
    )
    told = [
        re.findall(r"`(\w+)`", row)
        for table in (sign_in, api)
        for row in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE)
    ]
    named = [*inspect.signature(SignIn.__init__).parameters][2:-1]
    expected = {*named, *Options.__annotations__, *(field.name for field in dataclasses.fields(Api))}
    assert expected == {name for names in told for name in names}
