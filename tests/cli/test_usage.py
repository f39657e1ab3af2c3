"""How commands end when they are called wrongly: once in words, and nothing on stdout."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from pathlib import Path

import click
import pytest

from proofkey.cli import main
from tests.command import run
from tests.dev_server import PROOFKEY


def test_a_bare_command_shows_what_there_is() -> None:
    status, out, err = run()
    lines = err.splitlines()
    assert (2, "", "error: usage: a command is needed [usage]") == (status, out, lines[-1])
    commands = ["apply", "curl", "dev", "flow", "login", "logout", "serve", "token", "whoami"]
    assert commands == [line.split()[0] for line in lines[-1 - len(commands) : -1]]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["login", "--help"]])
def test_where_nothing_can_be_written_it_is_said(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([PROOFKEY, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert 1 == done.returncode
    assert [
        "error: failed: nothing can be written: No space left on device [output_unwritable]"
    ] == done.stderr.splitlines()


def test_it_is_said_where_stdout_has_no_descriptor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(click.Group, "main", fail)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        main.main([])
    said = "error: failed: nothing can be written: Broken pipe [output_unwritable]\n"
    assert (1, said) == (ended.value.code, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serv"], "No such command 'serv'."),
        (["dev", "--prot", "1"], "No such option"),
        (["apply"], "Missing option '-f' / '--file'."),
        (["flow", "http://issuer.example", "--client-id", "a"], "ISSUER must be an https URL"),
    ],
)
def test_a_mistake_is_said_once(arguments: list[str], words: str) -> None:
    status, out, err = run(*arguments)
    assert (2, "", 1) == (status, out, err.count(words))
    assert err.startswith("Usage: proofkey ")
    assert err.splitlines()[-1].startswith("error: usage: ")
