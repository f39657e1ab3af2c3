"""What a proof of possession adds to a request at the guard: CPU beside what verifying two signatures alone takes.

Every request brings a token bound to the one key of its client, and a proof of its own. Proofs open once, so each pass over
them goes to a guard that has seen none; it has fetched the issuer's key before the clock starts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.guard import AUDIENCE, Tokens, issuing, let_in, request_with, send_all
from bench.report import Line, summarize
from proofkey.client import DpopKey
from proofkey.guard import Dpop, Guard, MemoryReplay, ResourceServer, require

URL = "https://api.example/notes"
ALONE = "two ES256 alone"


async def measure_guard_dpop(n: int, rounds: int) -> list[Line]:
    """Two figures: the whole of a request with a proof, and what is left of it without the two verifications."""
    key = DpopKey.generate()
    async with issuing({"cnf": {"jkt": key.jkt}}) as tokens:
        costs: dict[str, list[float]] = {"proofkey": [], ALONE: []}
        for turn in range(rounds + 1):
            spent, alone = await measure_round(tokens, key, max(1, n // len(tokens.texts)))
            if turn:
                costs["proofkey"].append(spent)
                costs[ALONE].append(alone)
    lines = summarize("guard_dpop", dict.fromkeys(costs, n), costs)
    beyond = [whole - alone for whole, alone in zip(costs["proofkey"], costs[ALONE], strict=True)]
    return [
        *lines,
        Line("guard_dpop_checks", "proofkey", median(beyond), n * rounds, None, None, min(beyond), max(beyond)),
    ]


async def measure_round(tokens: Tokens, key: DpopKey, repeats: int) -> tuple[float, float]:
    """Microseconds of CPU a request, with everything, and of two verifications alone."""
    spent = alone = 0
    for _ in range(repeats):
        requests = [request_with_proof(token, key, number) for number, token in enumerate(tokens.texts)]
        server = ResourceServer(
            tokens.issuer, audience=AUDIENCE, public_url="https://api.example", bindings=[Dpop(MemoryReplay())]
        )
        await server.prefetch()
        guard = Guard(let_in, server, require("notes:read"))
        began = time.process_time_ns()
        await send_all(guard, requests)
        spent += time.process_time_ns() - began
        began = time.process_time_ns()
        tokens.verify_alone()
        tokens.verify_alone()
        alone += time.process_time_ns() - began
    count = repeats * len(tokens.texts) * 1_000
    return spent / count, alone / count


def request_with_proof(token: str, key: DpopKey, number: int) -> dict[str, Any]:
    """The ASGI scope of a request with a bound token and its proof."""
    proof = key.proof("GET", URL, now=time.time_ns() // 1_000_000, jti=f"{number:022}", access_token=token)
    scope = request_with(token)
    headers: Sequence[tuple[bytes, bytes]] = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
    return {**scope, "headers": [*headers, (b"authorization", f"DPoP {token}".encode()), (b"dpop", proof.encode())]}
