"""When a browser is opened, which, and how: over SSH, in containers, in the Windows Subsystem for Linux."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proofkey.client.browser import find_obstacle

URL = "https://issuer.example/authorize?a=1&b=%22x%22&c=$(id)"
OPENS = "import sys; from proofkey.client import open_browser; print(open_browser(sys.argv[1]))"


def program(folder: Path, name: str, status: int = 0) -> Path:
    """A program that writes down how it was called."""
    path = folder / name
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {folder}/called\nexit {status}\n')
    path.chmod(0o755)
    return folder / "called"


def opened(**environment: str) -> str:
    """What a process in *environment* says of opening the browser."""
    ran = subprocess.run(
        [sys.executable, "-c", OPENS, URL],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "src", **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def test_the_person_s_word_comes_first_also_over_ssh(tmp_path: Path) -> None:
    called = program(tmp_path, "viewer")
    assert "True" == opened(BROWSER=f"{tmp_path}/viewer %s", SSH_CONNECTION="1.2.3.4 5 6.7.8.9 22")
    assert f"{URL}\n" == called.read_text()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22", "DISPLAY": ":10"}, "SSH"),
        ({"SSH_TTY": "/dev/pts/1"}, "SSH"),
        ({"container": "podman", "DISPLAY": ":0"}, "container"),
    ],
)
def test_where_nobody_would_look_none_is_opened(environment: dict[str, str], words: str) -> None:
    assert words in str(find_obstacle(environment))
    assert "False" == opened(**environment)


@pytest.mark.parametrize("started", ["{folder}/viewer %s", "{folder}/viewer"])
def test_the_browser_does_not_get_the_key_of_the_tokens(tmp_path: Path, started: str) -> None:
    viewer, told = tmp_path / "viewer", tmp_path / "told"
    viewer.write_text(f'#!/bin/sh\nenv > {told}\necho "$1" >> {told}\n')
    viewer.chmod(0o755)
    assert "True" == opened(BROWSER=started.format(folder=tmp_path), PROOFKEY_TOKEN_KEY="k" * 43)
    assert (True, False) == (URL in told.read_text(), "PROOFKEY_TOKEN_KEY" in told.read_text())
    wsl = tmp_path / "wslview"
    viewer.rename(wsl)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert "True" == opened(WSL_DISTRO_NAME="Debian", PATH=path, PROOFKEY_TOKEN_KEY="k" * 43)
    assert (True, False) == (URL in told.read_text(), "PROOFKEY_TOKEN_KEY" in told.read_text())


def test_without_a_display_no_browser_of_the_terminal_is_taken(tmp_path: Path) -> None:
    called = program(tmp_path, "w3m")
    program(tmp_path, "www-browser")
    assert "False" == opened(PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert not called.exists()


def test_in_wsl_it_is_the_browser_of_windows_and_no_shell_reads_the_address(tmp_path: Path) -> None:
    called = program(tmp_path, "rundll32.exe")
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert "True" == opened(WSL_DISTRO_NAME="Debian", PATH=path)
    assert f"url.dll,FileProtocolHandler\n{URL}\n" == called.read_text()
    program(tmp_path, "wslview")
    assert "True" == opened(WSL_DISTRO_NAME="Debian", PATH=path)
    assert f"{URL}\n" == called.read_text()


def test_in_wsl_without_windows_programs_none_is_opened(tmp_path: Path) -> None:
    assert "Windows" in str(find_obstacle({"WSL_DISTRO_NAME": "Debian"}))
    assert "False" == opened(WSL_DISTRO_NAME="Debian")


def test_a_viewer_that_fails_is_none(tmp_path: Path) -> None:
    program(tmp_path, "wslview", status=1)
    assert "False" == opened(WSL_DISTRO_NAME="Debian", PATH=f"{tmp_path}:{os.environ['PATH']}")
