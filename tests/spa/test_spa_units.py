"""The library's own unit tests, under node's test runner; and that the check of its build has teeth."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from checks import spa_build

ROOT = Path(__file__).resolve().parents[2]
SPA = ROOT / "spa"


def node(*command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=SPA, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


def test_the_pure_parts_pass_their_tests_and_the_vectors() -> None:
    ran = node("node", "test.mjs")
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert "fail 0" in ran.stdout


def test_the_library_has_no_dependency_at_run_time() -> None:
    package = (SPA / "package.json").read_text(encoding="utf-8")
    assert '"dependencies"' not in package


def test_two_builds_are_the_same_bytes_and_hold_no_path(tmp_path: Path) -> None:
    copied = tmp_path / "elsewhere"
    copied.mkdir()
    for name in ("build.mjs", "package.json", "tsconfig.json"):
        (copied / name).write_bytes((SPA / name).read_bytes())
    (copied / "src").symlink_to(SPA / "src")
    (copied / "node_modules").symlink_to(SPA / "node_modules")
    built = subprocess.run(
        [str(Path(sys.executable).with_name("node")), str(copied / "build.mjs"), "--no-types"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "" == built.stderr
    for name in ("index.js", "worker.js", "dpop.js", "exchange.js", "react.js"):
        assert (SPA / "dist" / name).read_bytes() == (copied / "dist" / name).read_bytes()
    assert [] == list(spa_build.judge_build())


def test_the_check_sees_a_core_too_large_and_a_copy_that_is_not_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spa_build, "BUDGET", 1_000)
    assert any("at most 1000" in complaint for complaint in spa_build.judge_build())
    monkeypatch.setattr(spa_build, "ROOT", tmp_path)
    monkeypatch.setattr(spa_build, "SERVED", tmp_path)
    (tmp_path / "worker.js").write_bytes((SPA / "dist" / "worker.js").read_bytes())
    assert ["proofkey-spa.js is not what spa/ builds: python -m checks.spa_build --copy"] == list(
        spa_build.judge_copies()
    )
