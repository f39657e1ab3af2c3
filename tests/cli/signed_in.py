"""A person's command line: the five commands of a native client as processes, with a place of their own to keep tokens."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.dev_server import PROOFKEY, DevServer

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class CommandLine:
    """`proofkey` with tokens kept in *folder*, and alice in place of a browser."""

    server: DevServer
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Without what a developer has set, and with `BROWSER` signing in as alice."""
        visitor = f"{sys.executable} {ROOT / 'tests' / 'visitor.py'}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROOFKEY_")}
        return {
            **kept,
            "XDG_STATE_HOME": str(self.folder / "state"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "BROWSER": f"{visitor} alice {self.server.password_of('alice')} %s",
        }

    def run(self, *arguments: str, stdin: str | None = None, **environment: str) -> tuple[int, str, str]:
        """Exit status, stdout and stderr."""
        ran = subprocess.run(
            [PROOFKEY, *arguments],
            env=self.environment | environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ran.returncode, ran.stdout, ran.stderr

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The command, running."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [PROOFKEY, *arguments], env=self.environment | environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def login(self, *options: str) -> None:
        """Sign in as alice."""
        status, _, err = self.run("login", "--issuer", self.server.issuer, "--client-id", "native", *options)
        assert 0 == status, err


@pytest.fixture
def shell(dev: DevServer, tmp_path: Path) -> CommandLine:
    """Nobody is signed in."""
    return CommandLine(dev, tmp_path)


@pytest.fixture
def signed_in(shell: CommandLine) -> Iterator[CommandLine]:
    """Alice is, with the notes API's scopes."""
    shell.login("--scope", "openid profile offline_access notes:read notes:write")
    yield shell
    shell.run("logout")
