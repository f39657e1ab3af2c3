"""A provider that is not ours, running as a process: started, asked, and stopped with what it logged kept."""

from __future__ import annotations

import json
import selectors
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

START_WITHIN = 60.0
STOP_WITHIN = 10.0


class ForeignProvider:
    """Runs *command*, which prints one line of JSON once it listens (`issuer`, `clients`) and ends when its stdin does."""

    def __init__(self, command: list[str], log_file: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log_file = log_file
        with log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
            )
        told = self._read_description()
        self.issuer: str = told["issuer"]
        self.clients: dict[str, dict[str, Any]] = told["clients"]
        self._metadata: dict[str, Any] | None = None

    def _read_description(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if selector.select(START_WITHIN) else b""
        if not line.startswith(b"{"):
            self.stop()
            raise AssertionError(f"{line!r} in place of a description:\n{self.log}")
        told: dict[str, Any] = json.loads(line)
        return told

    @property
    def log(self) -> str:
        """Everything it wrote to stderr so far."""
        return self.log_file.read_text(encoding="utf-8")

    @property
    def metadata(self) -> dict[str, Any]:
        """Its metadata, asked for once: of OpenID Connect Discovery, and what RFC 8414's document has beyond."""
        if self._metadata is None:
            self._metadata = {}
            for name in ("oauth-authorization-server", "openid-configuration"):
                answer = httpx2.get(f"{self.issuer}/.well-known/{name}", trust_env=False)
                assert answer.status_code == 200, answer.text
                self._metadata |= answer.json()
        return self._metadata

    def register(self, *redirect_uris: str, public: bool = True, **client_metadata: Any) -> dict[str, Any]:
        """A client of the test's own (RFC 7591): its `client_id`, `client_secret` and the rest of what was registered."""
        asked = {
            "redirect_uris": redirect_uris,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none" if public else "client_secret_basic",
            **client_metadata,
        }
        answer = httpx2.post(self.metadata["registration_endpoint"], json=asked, trust_env=False)
        assert answer.status_code == 201, answer.text
        registered: dict[str, Any] = answer.json()
        return registered

    def stop(self) -> None:
        """Close its stdin, which ends it; what does not end in time is killed, and fails."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
