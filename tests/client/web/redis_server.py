"""A Redis of the test run's own: a free port on 127.0.0.1, nothing on disk, gone at the end."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing

import pytest


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(port: int, *command: str) -> bytes:
    """One command, behind everybody's back; the first bytes of the answer."""
    words = b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in command)
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as connection:
        connection.sendall(b"*%d\r\n%s" % (len(command), words))
        return connection.recv(65_536)


def _wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(400):
        assert server.poll() is None, "Redis ended before it was ready"
        try:
            if ask(port, "PING") == b"+PONG\r\n":
                return
        except OSError:
            time.sleep(0.025)
    raise AssertionError("Redis was not ready in time")


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """The port of a running server."""
    binary = shutil.which("redis-server")
    assert binary, "no redis-server: apt-get install redis-server"
    port = _free_port()
    command = [binary, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    server = subprocess.Popen([*command, "--loglevel", "warning"], cwd="/", stdout=subprocess.DEVNULL)
    try:
        _wait_until_ready(server, port)
        yield port
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def redis_url(redis_port: int) -> str:
    """The address of an empty database."""
    ask(redis_port, "FLUSHALL")
    return f"redis://127.0.0.1:{redis_port}/0"
