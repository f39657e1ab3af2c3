"""A PostgreSQL of the test run's own: Debian's binaries, an unprivileged user, a free port on 127.0.0.1, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_DEBIAN = Path("/usr/lib/postgresql")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "log_min_messages": "fatal",
}
_HANG_UP = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server; its one superuser needs no password."""

    binaries: Path
    port: int
    as_user: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of its database."""
        return f"postgresql://proofkey@127.0.0.1:{self.port}/postgres"

    def tell(self, *statements: str) -> None:
        """Run statements behind everybody's back."""
        command: list[str | Path] = [self.binaries / "psql", "--no-psqlrc", "--quiet", "--output=/dev/null", self.url]
        done = subprocess.run(
            [*command, *(f"--command={text}" for text in statements)], capture_output=True, text=True, cwd="/"
        )
        assert done.returncode == 0, done.stderr

    def hang_up(self) -> None:
        """End everybody's connection."""
        self.tell(_HANG_UP)


def _find_binaries() -> Path:
    versions = [path for path in _DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    assert versions, f"no PostgreSQL under {_DEBIAN}: apt-get install postgresql"
    return max(versions, key=lambda path: int(path.parent.name))


def _unprivileged() -> dict[str, Any]:
    """What makes a child process run as somebody harmless; PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: subprocess.Popen[bytes], postgres: Postgres) -> None:
    ready: list[str | Path] = [
        postgres.binaries / "pg_isready",
        "-q",
        "-U",
        "proofkey",
        "-h",
        "127.0.0.1",
        "-p",
        str(postgres.port),
    ]
    for _ in range(600):
        assert server.poll() is None, "PostgreSQL ended before it was ready"
        if subprocess.run(ready, cwd="/").returncode == 0:
            return
        time.sleep(0.05)
    raise AssertionError("PostgreSQL was not ready within half a minute")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server for the whole run (one for each worker)."""
    binaries, as_user = _find_binaries(), _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="proofkey-postgres-"))
    if as_user:
        os.chown(folder, as_user["user"], as_user["group"])
    data = folder / "data"
    try:
        initdb: list[str | Path] = [binaries / "initdb", "-D", data, "-U", "proofkey", "--auth=trust", "--no-sync"]
        initdb += ["--encoding=UTF8", "--locale=C.UTF-8"]
        made = subprocess.run(initdb, capture_output=True, text=True, cwd=folder, **as_user)
        assert made.returncode == 0, made.stderr
        running = Postgres(binaries, _free_port(), as_user)
        settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(running.port)}.items()]
        start: list[str | Path] = [binaries / "postgres", "-D", data, *settings]
        server = subprocess.Popen(start, cwd=folder, **as_user)
        try:
            _wait_until_ready(server, running)
            yield running
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nobody wants what it would still write
            server.wait(60)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The address of an empty database: whatever the test before left there, connections included, is gone."""
    postgres.hang_up()
    postgres.tell("SET client_min_messages = error", "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return postgres.url
