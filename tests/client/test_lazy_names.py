"""`import proofkey.client` costs nothing: each name's module is imported when the name is first used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import proofkey.client

HEAVY = "('httpx2', 'joserfc', 'cryptography', 'keyring', 'msgspec', 'click', 'asyncio')"


def test_importing_the_package_imports_nothing_that_takes_time() -> None:
    program = f"import sys, proofkey.client; print([name for name in {HEAVY} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "[]\n" == ran.stdout


def test_what_the_type_checker_sees_is_what_there_is() -> None:
    tree = ast.parse(Path(str(proofkey.client.__file__)).read_text(encoding="utf-8"))
    seen = {
        alias.name: str(node.module).removeprefix("proofkey.client.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("proofkey.client.")
        for alias in node.names
    }
    assert seen == proofkey.client._HOMES
    assert sorted(seen) == sorted(proofkey.client.__all__)
    assert set(seen) <= set(dir(proofkey.client))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'logon'"):
        _ = proofkey.client.logon
