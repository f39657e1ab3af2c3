"""`proofkey dev` as processes of its own for tests: started on free ports, stopped by SIGTERM, what it logged kept."""

from __future__ import annotations

import json
import re
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest

PROOFKEY = Path(sys.executable).with_name("proofkey")
START_WITHIN = 30.0
STOP_WITHIN = 5.0


class DevServer:
    """One running `proofkey dev`. `told` is the JSON it printed."""

    def __init__(self, data: Path, options: tuple[str, ...], log_file: Path) -> None:
        command: list[str | Path] = [PROOFKEY, "dev", "--json", "--data", data, *options]
        if "--port" not in options:
            command += ["--port", "0"]
        self.data = data
        self.log_file = log_file
        with log_file.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        self.told = self._read_description()

    def _read_description(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if selector.select(START_WITHIN) else b""
        if not line:
            self.kill()
            raise AssertionError(f"proofkey dev did not start:\n{self.log}")
        told: dict[str, Any] = json.loads(line)
        return told

    @property
    def issuer(self) -> str:
        """The issuer's URL, which need not be where this process listens."""
        issuer: str = self.told["issuer"]
        return issuer

    @property
    def here(self) -> str:
        """The issuer's address at this very process."""
        at = urlsplit(self.issuer)
        return f"{at.scheme}://localhost:{self.port}{at.path}"

    @property
    def port(self) -> int:
        """The port on which this process answers for the issuer, as it logged it."""
        found = re.search(r"listening .*port=(\d+)", self.log)
        assert found, self.log
        return int(found[1])

    @property
    def log(self) -> str:
        """Everything it wrote to stderr so far."""
        return self.log_file.read_text(encoding="utf-8")

    def application(self, name: str) -> dict[str, Any]:
        """client_id, client_secret and addresses of an application, by its name in the file."""
        found: dict[str, Any] = self.told["clients"][name]
        return found

    def secret_of(self, name: str) -> tuple[str, str]:
        """The credentials of a confidential application."""
        application = self.application(name)
        return application["client_id"], application["client_secret"]

    def password_of(self, username: str) -> str:
        """The password of one of its people."""
        return next(str(each["password"]) for each in self.told["users"] if each["username"] == username)

    def stop(self) -> None:
        """SIGTERM; it must be gone in time, with status 0 and not another word on stdout."""
        assert self.process.stdout is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                status = self.process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            rest = self.process.stdout.read()
            self.process.stdout.close()
            assert (0, b"") == (status, rest), self.log

    def kill(self) -> None:
        """SIGKILL: no warning, no time."""
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class StartDev(Protocol):
    """Starts one more `proofkey dev`; without *data* in a directory of its own."""

    def __call__(self, *options: str, data: Path | None = None) -> DevServer: ...


def _starting(folder: Path) -> Iterator[StartDev]:
    started: list[DevServer] = []

    def start(*options: str, data: Path | None = None) -> DevServer:
        number = len(started)
        server = DevServer(data or folder / f"data{number}", options, folder / f"dev{number}.log")
        started.append(server)
        return server

    yield start
    for server in reversed(started):
        server.stop()


@pytest.fixture
def start_dev(tmp_path: Path) -> Iterator[StartDev]:
    """Start servers of the test's own; all are stopped at its end, and must stop well."""
    yield from _starting(tmp_path)


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """One server for all tests that leave it as they found it."""
    for start in _starting(tmp_path_factory.mktemp("dev")):
        yield start()
