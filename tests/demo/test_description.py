"""What `proofkey dev` tells people to try can be pasted into a shell, in the directory it was started in."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from proofkey.demo.description import render_summary
from tests.dev_server import PROOFKEY, StartDev
from tests.test_docs import environment


def run_there(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """*line* in a shell that has neither our commands on its path nor a browser."""
    path = os.pathsep.join(part for part in os.defpath.split(os.pathsep) if part)
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("options", [(), ("--tls",)])
def test_what_to_try_works_as_pasted(
    options: tuple[str, ...], start_dev: StartDev, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = start_dev(*options).told
    monkeypatch.setattr("sys.argv", [str(PROOFKEY), "dev"])
    monkeypatch.chdir(tmp_path)
    login, _, flow, curl = (line.strip() for line in render_summary(told).rstrip().splitlines()[-4:])
    for command in (f"{login} --redirect-uri com.example.demo:/callback", flow):
        asked = run_there(f"{command} --no-browser", tmp_path)
        assert asked.stderr.splitlines()[-1].endswith("[callback_not_pasted]"), asked.stderr
    answered = run_there(f"{curl} --silent --show-error", tmp_path)
    assert (0, "") == (answered.returncode, answered.stderr)
    assert f'"issuer":"{told["issuer"]}"' in answered.stdout


def test_who_signs_in_as_told_has_a_name_and_may_read_the_notes(
    start_dev: StartDev, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = start_dev().told
    monkeypatch.setattr("sys.argv", [str(PROOFKEY), "dev"])
    login, read = (line.strip() for line in render_summary(told).rstrip().splitlines()[-4:-2])
    kept = {"XDG_STATE_HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    for command, printed in ((login, "signed in as Alice Adler"), (f"{read} --silent", '"notes": ["Your first note')):
        ran = subprocess.run(
            ["bash", "-c", command],
            env=environment(told) | kept,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (0, True) == (ran.returncode, printed in ran.stdout), (ran.stdout, ran.stderr)


def test_only_what_the_application_may_is_asked_for(start_dev: StartDev) -> None:
    told = start_dev().told
    for scopes, asked in (
        (["openid", "email"], ["--client-id", "native", "--scope", "openid"]),
        (["notes:read"], ["--scope", "notes:read", "--resource", told["resource"]["audience"]]),
        (["email"], ["--client-id", "native"]),
    ):
        clients = {"native": {**told["clients"]["native"], "scopes": scopes}}
        [login] = [line for line in render_summary({**told, "clients": clients}).splitlines() if " login " in line]
        assert asked == shlex.split(login)[-len(asked) :]


def test_a_path_is_shown_from_here_where_that_is_shorter(
    start_dev: StartDev, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = start_dev().told
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv" / "bin" / "proofkey"), "dev"])
    monkeypatch.chdir(tmp_path)
    assert f"    .venv/bin/proofkey flow {told['issuer']} --client-id native" in render_summary(told).splitlines()


def test_the_playground_is_named_and_offered(start_dev: StartDev) -> None:
    told = start_dev().told
    lines = render_summary(told).splitlines()
    assert f"    Playground  {told['playground']}" in lines
    assert f"    open {told['playground']} and walk through the flow, message by message" in lines
    without = render_summary({**told, "playground": None})
    assert ("Playground" in without, told["playground"] in without) == (False, False)
