"""The servers that are measured: how each is started, and what it says of itself once it is ready."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil  # type: ignore[import-untyped]

from bench.cpu import pinned_to

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PATIENCE = 30.0
POSTGRESQL_PORT = 5432


@dataclass(frozen=True, slots=True)
class Application:
    """A registered client as the server announced it."""

    client_id: str
    client_secret: str | None
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A server to measure: its command, given a free port and an empty folder.

    `bearer` names the application whose access tokens its userinfo and introspection accept.
    `cost` is roughly what a flow costs beside ours, so that a round of every subject takes about as long; `warm_up` how
    many flows it takes until a flow gets no cheaper (a compiler that learns while it runs needs thousands).
    """

    name: str
    command: Callable[[int, Path], list[str]]
    bearer: str
    cost: int
    warm_up: int


@dataclass(slots=True)
class Running:
    """A started server. `started_in`: seconds from the start of its process to the first request answered."""

    subject: Subject
    folder: Path
    child: subprocess.Popen[bytes]
    announced: dict[str, Any]
    metadata: dict[str, Any]
    started_in: float
    database_pids: tuple[int, ...] = ()

    @property
    def roots(self) -> tuple[int, ...]:
        """The processes whose trees do this server's work."""
        return (self.child.pid, *self.database_pids)

    @property
    def issuer(self) -> str:
        return str(self.announced["issuer"])

    @property
    def scope(self) -> str:
        """What is asked for: the person's name and address, and the first scope of the sample API."""
        return " ".join(["openid", "profile", "email", *list(self.announced["resource"]["scopes"])[:1]])

    def application(self, name: str) -> Application:
        known = self.announced["clients"][name]
        return Application(known["client_id"], known.get("client_secret"), known["redirect_uris"][0])

    def stop(self) -> None:
        """End it, politely at first."""
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        if self.child.stdout is not None:
            self.child.stdout.close()


def proofkey(database: str | None = None) -> Subject:
    """Proofkey as `proofkey dev` runs it: SQLite with `synchronous=FULL` unless *database* names another."""
    options = ["--database", database] if database else []
    name = "proofkey on " + database.partition(":")[0] if database else "proofkey"

    def command(_port: int, folder: Path) -> list[str]:
        return [str(BIN / "proofkey"), "dev", "--json", "--port", "0", "--data", str(folder / "data"), *options]

    return Subject(name, command, "web", 1, 1_000)


def npm_oidc_provider() -> Subject:
    """npm `oidc-provider`, everything in memory."""

    def command(port: int, _folder: Path) -> list[str]:
        return [str(BIN / "node"), str(HERE / "peers" / "oidc_provider.mjs"), str(port)]

    return Subject("oidc-provider", command, "web", 2, 5_000)


def authlib_flask() -> Subject:
    """Authlib on Flask, one gunicorn worker, SQLite with `synchronous=FULL`."""

    def command(port: int, folder: Path) -> list[str]:
        return [sys.executable, "-m", "bench.peers.authlib_flask", str(port), str(folder)]

    return Subject("authlib-flask", command, "web", 8, 200)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_listener(database: str) -> int:
    """The process that listens where the address *database* points to, the root of the database's tree."""
    port = urlsplit(database).port or POSTGRESQL_PORT
    for connection in psutil.net_connections("inet"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            return int(connection.pid)
    raise RuntimeError(f"nothing that this user may see listens on port {port}")


def start(subject: Subject, folder: Path, core: int) -> Running:
    """Start *subject* on *core* and wait for its line. Raises RuntimeError when it ends or stays silent."""
    folder.mkdir(parents=True, exist_ok=True)
    log = (folder / "log").open("ab")
    environment = {**os.environ, "NODE_ENV": "production", "PYTHONPATH": str(HERE.parent)}
    with log, pinned_to(core):
        began = time.perf_counter()
        child = subprocess.Popen(
            subject.command(find_free_port(), folder), stdout=subprocess.PIPE, stderr=log, env=environment
        )
    assert child.stdout is not None
    spoke, _, _ = select.select([child.stdout], [], [], PATIENCE)
    line = child.stdout.readline() if spoke else b""
    if not line:
        child.kill()
        child.wait()
        raise RuntimeError(f"{subject.name} did not start:\n{(folder / 'log').read_text()[-2000:]}")
    announced = json.loads(line)
    metadata = ask_metadata(announced["issuer"])
    return Running(subject, folder, child, announced, metadata, time.perf_counter() - began)


@contextmanager
def serving(subject: Subject, folder: Path, core: int) -> Iterator[Running]:
    """*subject* for as long as the block runs."""
    running = start(subject, folder, core)
    try:
        yield running
    finally:
        running.stop()


def ask_metadata(issuer: str) -> dict[str, Any]:
    """The issuer's metadata (OpenID Connect Discovery §4): the first request a server answers."""
    with urlopen(f"{issuer}/.well-known/openid-configuration", timeout=PATIENCE) as answer:
        metadata: dict[str, Any] = json.load(answer)
    return metadata
