"""The OpenID Foundation's conformance suite, asked by its REST API: plans, their modules, and how each ended."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from proofkey.server.local_ca import trusting

ENDED = frozenset({"FINISHED", "INTERRUPTED"})
READY = ENDED | {"WAITING"}
_COUNTS = frozenset({"FAILURE", "WARNING", "REVIEW", "INTERRUPTED"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a module ended: the suite's status and result, and the conditions that were not met."""

    status: str
    result: str
    complaints: tuple[str, ...]


class Suite:
    """A running suite at *url*; *ca_file* is who vouches for its certificate."""

    def __init__(self, url: str, ca_file: Path) -> None:
        self.url = url.rstrip("/")
        self._http = httpx2.Client(verify=trusting(ca_file), trust_env=False, timeout=60)

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._http.request(method, f"{self.url}/api/{path}", **options)
        if answer.status_code >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def version(self) -> str:
        """What it calls itself."""
        return str(self._ask("GET", "server")["version"])

    def create_plan(self, name: str, variant: Mapping[str, str], configuration: Mapping[str, Any]) -> dict[str, Any]:
        """A plan with all its modules, none of them started."""
        parameters = {"planName": name, "variant": json.dumps(variant)}
        plan: dict[str, Any] = self._ask("POST", "plan", params=parameters, json=configuration)
        return plan

    def start(self, plan_id: str, module: Mapping[str, Any]) -> str:
        """Start one module of a plan; its id once it waits for the client, or has ended already."""
        variant = json.dumps(module["variant"])
        parameters = {"test": module["testModule"], "plan": plan_id, "variant": variant}
        started: str = self._ask("POST", "runner", params=parameters)["id"]
        self._wait(started, READY, 30)
        return started

    def issuer_of(self, module_id: str) -> str:
        """Where the client finds the provider that this module plays."""
        issuer: str = self._ask("GET", f"runner/{module_id}")["exposed"]["issuer"]
        return issuer

    def outcome(self, module_id: str) -> Outcome:
        """How it ended; what does not end by itself in time is told as it stands."""
        said = self._wait(module_id, ENDED, 12)
        log = self._ask("GET", f"log/{module_id}")
        complaints = tuple(f"{entry['src']}: {entry['msg']}" for entry in log if entry.get("result") in _COUNTS)
        return Outcome(said["status"], said.get("result") or "NONE", complaints)

    def _wait(self, module_id: str, statuses: frozenset[str], seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            said: dict[str, Any] = self._ask("GET", f"info/{module_id}")
            if said["status"] in statuses or time.monotonic() > deadline:
                return said
            time.sleep(0.1)
