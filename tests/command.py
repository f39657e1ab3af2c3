"""The `proofkey` command as a process, and what a plain HTTP client reads of what it serves."""

from __future__ import annotations

import json
import os
import random
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.dev_server import PROOFKEY

RUN_WITHIN = 30


def run(*arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a `proofkey` that ends by itself."""
    done = subprocess.run(
        [PROOFKEY, *arguments], capture_output=True, text=True, timeout=RUN_WITHIN, env=os.environ | environment
    )
    return done.returncode, done.stdout, done.stderr


def get(url: str, ca_file: str | None = None) -> tuple[int, Any]:
    """Status and JSON, or text, of what stands at *url*."""
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    try:
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            status, body = refused.code, refused.read()
    try:
        return status, json.loads(body)
    except ValueError:
        return status, body.decode()


def port_of(url: str) -> int:
    """The port of *url*."""
    port = urlsplit(url).port
    assert port is not None
    return port


def free_ports() -> int:
    """The first of three ports in a row that nobody uses."""
    for _ in range(200):
        port = random.randrange(20_000, 32_000)
        sockets = []
        try:
            for offset in range(3):
                sockets.append(socket.create_server(("127.0.0.1", port + offset)))  # noqa: PERF401 - closed below
            return port
        except OSError:
            continue
        finally:
            for bound in sockets:
                bound.close()
    raise AssertionError("no three free ports in a row")
