"""How fast this machine is right now: what one ES256 signature costs here, the dearest single step of every flow.

A figure taken while the machine is slowed down (a neighbour on the other half of the core, a lower clock) is dearer for
everybody; the yardstick says by how much. It is no figure of any server.
"""

from __future__ import annotations

import time
from statistics import median

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from bench.cpu import pinned_to

SIGNATURES = 200
KEY = ec.generate_private_key(ec.SECP256R1())
ALGORITHM = ec.ECDSA(SHA256())


def time_signature(core: int) -> float:
    """Microseconds of CPU that one signature takes on *core*."""
    taken = []
    with pinned_to(core):
        for _ in range(SIGNATURES):
            began = time.thread_time_ns()
            KEY.sign(b"a header and its claims", ALGORITHM)
            taken.append((time.thread_time_ns() - began) / 1_000)
    return median(taken)
