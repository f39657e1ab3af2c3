"""Pasting the address: as people paste it, at a real terminal, beside the listener, and from a pipe."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from proofkey.client.answer import read_pasted
from tests.dev_server import DevServer
from tests.visitor import come_back, sign_in

ROOT = Path(__file__).parents[2]
REDIRECT = "http://127.0.0.1:8123/callback"


@pytest.mark.parametrize(
    "pasted",
    [
        f"{REDIRECT}?code=c&state=s",
        f"  '{REDIRECT}?code=c&state=s' \n",
        f'"{REDIRECT}?code=c&state=s"',
        f"<{REDIRECT}?code=c&state=s>",
        f"\x1b[200~{REDIRECT}?code=c&state=s\x1b[201~",
        "127.0.0.1:8123/callback?code=c&state=s",
        "?code=c&state=s",
        "code=c&state=s",
    ],
)
def test_an_address_may_be_pasted_as_people_paste(pasted: str) -> None:
    assert f"{REDIRECT}?code=c&state=s" == read_pasted(pasted, REDIRECT)


def test_nothing_pasted_is_nothing() -> None:
    assert ["", ""] == [read_pasted(" \n", REDIRECT), read_pasted("''", REDIRECT)]
    assert "https://evil.example/?state=s" == read_pasted("https://evil.example/?state=s", REDIRECT)


PROGRAM = """
import sys
from proofkey.client import MemoryStore, login
me = login(sys.argv[1], "native", browser=None, store=MemoryStore(), patience_for=30_000)
print("signed in", bool(me.claims["sub"]))
print("then read:", input())
"""


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, program: str, *arguments: str, **environment: str) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=ROOT,
            env={**os.environ, **environment},
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # the controlling terminal
        )
        os.close(theirs)
        self.shown = ""

    def read_until(self, word: str) -> str:
        """All it has shown, once *word* is there."""
        deadline = time.monotonic() + 90
        while word not in self.shown:
            assert time.monotonic() < deadline, self.shown
            try:
                self.shown += os.read(self.ours, 65_536).decode()
            except OSError:
                break
        assert word in self.shown, self.shown
        return self.shown

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def end(self) -> int:
        status = self.process.wait(20)
        os.close(self.ours)
        return status

    def address(self) -> str:
        """The address the person is sent to."""
        shown = self.read_until("press Enter:")
        return next(line.strip() for line in shown.splitlines() if "/oauth2/authorize?" in line)


def test_at_a_terminal_the_address_is_pasted_and_the_rest_is_the_program_s_own(dev: DevServer) -> None:
    terminal = Terminal(PROGRAM, dev.issuer)
    callback = sign_in(terminal.address(), "alice", dev.password_of("alice"))
    assert re.search(r"Waiting until [0-9]{2}:[0-9]{2}; Ctrl-C ends it\.", terminal.shown)
    terminal.type("http://127.0.0.1/not-this-one?state=x\n")
    assert "That is not the answer of this login" in terminal.read_until("Paste the whole address")
    terminal.type(callback.replace("state=", "state=x") + "\n")
    terminal.read_until("[callback_state_differs]")
    terminal.type(f"  '{callback}'\n")
    terminal.read_until("signed in")
    terminal.type("my next line\n")
    terminal.read_until("then read: my next line")
    assert 0 == terminal.end()


def test_a_very_long_address_can_be_pasted(dev: DevServer) -> None:
    terminal = Terminal(PROGRAM, dev.issuer)
    callback = sign_in(terminal.address(), "alice", dev.password_of("alice"))
    address, _, query = callback.partition("?")
    terminal.type(f"{address}?session_state={'x' * 9_000}&{query}\n")
    terminal.read_until("signed in")
    terminal.type("\n")
    assert 0 == terminal.end()


def test_the_listener_still_takes_the_answer_while_paste_is_possible(dev: DevServer) -> None:
    terminal = Terminal(PROGRAM, dev.issuer)
    come_back(sign_in(terminal.address(), "alice", dev.password_of("alice")))
    terminal.read_until("signed in")
    terminal.type("next\n")
    terminal.read_until("then read: next")
    assert 0 == terminal.end()


def test_the_terminal_is_as_it_was_after_an_interruption(dev: DevServer) -> None:
    terminal = Terminal(PROGRAM, dev.issuer)
    before = termios.tcgetattr(terminal.ours)[3] | termios.ICANON
    terminal.address()
    terminal.type("\x03")
    terminal.read_until("KeyboardInterrupt")
    assert 0 != terminal.process.wait(20)
    assert before == termios.tcgetattr(terminal.ours)[3]
    os.close(terminal.ours)


def test_with_no_terminal_stdin_is_read_where_it_is_told_to(dev: DevServer) -> None:
    program = PROGRAM.replace("store=", "paste=True, redirect_uri='com.example.demo:/callback', store=")
    with subprocess.Popen(
        [sys.executable, "-c", program, dev.issuer],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stderr is not None
        address = next(line.strip() for line in process.stderr if "/oauth2/authorize?" in line)
        callback = sign_in(address, "alice", dev.password_of("alice"))
        out, err = process.communicate(f"{callback}\nmore\n", timeout=30)
    assert (0, "then read: more") == (process.returncode, out.splitlines()[-1]), err


def test_an_input_that_ends_without_an_address_ends_the_login(dev: DevServer) -> None:
    program = PROGRAM.replace("store=", "paste=True, redirect_uri='com.example.demo:/callback', store=")
    ran = subprocess.run(
        [sys.executable, "-c", program, dev.issuer], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT
    )
    assert "LoginAbandoned: callback_not_pasted" in ran.stderr.splitlines()[-1]
