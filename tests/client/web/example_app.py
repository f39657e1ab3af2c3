"""The examples as their servers run them: processes of their own in front of one `proofkey dev`, stopped at the end."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.dev_server import DevServer, _starting

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FILE = EXAMPLES / "web-page" / "proofkey.yaml"
PASSWORD = "correct-horse-battery"
BIN = Path(sys.executable).parent
START_WITHIN = 30.0


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Registered:
    """A server on which the examples are registered, at their ports."""

    server: DevServer
    ports: dict[str, int]


def registered(folder: Path, names: list[str]) -> Iterator[Registered]:
    """The examples' own declaration, with an address for each of them."""
    ports = {name: free_port() for name in names}
    text = FILE.read_text(encoding="utf-8")
    for path in ("callback", "logged-out"):
        uris = ", ".join(f'"http://127.0.0.1:{port}/auth/{path}"' for port in ports.values())
        text = text.replace(f'["http://127.0.0.1:8000/auth/{path}"]', f"[{uris}]")
    (folder / "proofkey.yaml").write_text(text, encoding="utf-8")
    for start in _starting(folder):
        yield Registered(start("--config", str(folder / "proofkey.yaml")), ports)


@contextmanager
def running(at: Registered, name: str, command: list[str], sessions: str, log: Path) -> Iterator[str]:
    """The example *name* answers; its origin."""
    origin = f"http://127.0.0.1:{at.ports[name]}"
    application = at.server.application("web")
    environment = {
        **os.environ,
        "PROOFKEY_ISSUER": at.server.issuer,
        "PROOFKEY_CLIENT_ID": application["client_id"],
        "PROOFKEY_CLIENT_SECRET": application["client_secret"],
        "REDIRECT_URI": f"{origin}/auth/callback",
        "SESSIONS": sessions,
        "SESSION_KEY": secrets.token_hex(32),
        "NOTES_API": at.server.told["resource"]["url"].removesuffix("/notes"),
        "NOTES_AUDIENCE": at.server.told["resource"]["audience"],
    }
    filled = [word.replace("PORT", str(at.ports[name])) for word in command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(BIN / filled[0]), *filled[1:]], cwd=EXAMPLES / name, env=environment, stdout=output, stderr=output
        )
    try:
        wait_until_ready(process, origin, log)
        yield origin
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def wait_until_ready(process: subprocess.Popen[bytes], origin: str, log: Path) -> None:
    """Return once it answers."""
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            httpx2.get(f"{origin}/auth/session", trust_env=False)
        except httpx2.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())
