"""Passwords, by Argon2id (RFC 9106) at the OWASP setting m=19,456 KiB, t=2, p=1.

1. Hashing runs off the event loop, two at a time at most, so that sign-ins cannot starve tokens.
2. An unknown person costs what a known one costs: a dummy hash is verified in their place.
"""

from __future__ import annotations

import asyncio
import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_M_MMAP_THRESHOLD = -3  # malloc.h
MAX_PASSWORD = 1_024
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
_NOBODYS = (  # of 32 random bytes that were thrown away, at the setting below
    "$argon2id$v=19$m=19456,t=2,p=1$2tpFCzDFy6QnCYcuVXZCCQ$ALcURCkA9HH5ZFHMXNy2yoTWWOQGG0fS6U/plx488VM"
)
_HASHER = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def _return_big_blocks() -> None:
    """Have glibc map every block of a megabyte or more on its own, so that it goes back to the system when freed.

    Left alone, the first 19 MiB block freed raises that limit above itself, and each thread keeps its block for good.
    Other C libraries have no `mallopt`, and no need of it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 20)


@cache
def _threads() -> ThreadPoolExecutor:
    _return_big_blocks()
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def _verify(password: str, password_hash: str | None) -> bool:
    try:
        return _HASHER.verify(password_hash or _NOBODYS, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


async def hash_password(password: str) -> str:
    """The encoded Argon2id hash, about 25 ms off the loop."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), _HASHER.hash, password)


async def verify_password(password: str, password_hash: str | None) -> bool:
    """True where *password* made *password_hash*. None, for an unknown person, costs the same and is False."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), _verify, password, password_hash)
