"""The key ring: signing, sealing and refresh keys, their rotation, and who holds them in clear.

1. A key's life follows from two moments and its successor's: announced → active → retired → removed. Nothing else is stored.
2. A successor is announced before it signs or seals, for longer than any cache of keys lives.
3. A retired key stays for the longest life it protects. The database holds private parts only encrypted.
4. All processes agree: the store keeps the first key written for a generation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from proofkey import jose
from proofkey.protocol.records import DAY, HOUR, MINUTE
from proofkey.server.entropy import Entropy
from proofkey.server.master_key import MasterKey
from proofkey.server.store.contract import ConfigurationStore, StoredKey

KeyUse: TypeAlias = Literal["seal", "refresh", "ES256", "RS256"]
KeyState: TypeAlias = Literal["announced", "active", "retired", "removed"]
CELL = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When keys of one use follow each other, in milliseconds."""

    rotate_every: int
    announce_for: int
    keep_for: int


SCHEDULES: dict[str, Schedule] = {
    "seal": Schedule(rotate_every=7 * DAY, announce_for=10 * MINUTE, keep_for=1 * DAY),
    "refresh": Schedule(rotate_every=90 * DAY, announce_for=10 * MINUTE, keep_for=3_651 * DAY),  # as long as any grant
    "ES256": Schedule(rotate_every=30 * DAY, announce_for=1 * DAY, keep_for=1 * DAY + HOUR),
    "RS256": Schedule(rotate_every=30 * DAY, announce_for=1 * DAY, keep_for=1 * DAY + HOUR),
}


def state_of(key: StoredKey, successor: StoredKey | None, now: int) -> KeyState:
    """Where *key* stands in its life at *now*."""
    if now < key.active_at:
        return "announced"
    if successor is None or now < successor.active_at:
        return "active"
    return "retired" if now < successor.active_at + SCHEDULES[key.use].keep_for else "removed"


def states_of(keys: Iterable[StoredKey], now: int) -> list[tuple[StoredKey, KeyState]]:
    """The keys of one use, oldest first, each with its state."""
    ordered = sorted(keys, key=lambda key: key.generation)
    successors = [*ordered[1:], None]
    return [(key, state_of(key, after, now)) for key, after in zip(ordered, successors, strict=False)]


def active_key(keys: Iterable[StoredKey], now: int) -> StoredKey:
    """The one that signs or seals at *now*. Raises `LookupError` where there is none."""
    states = states_of(keys, now)
    for wanted in ("active", "announced"):  # announced alone: this clock is behind the one that made the very first key
        for key, state in states:
            if state == wanted:
                return key
    raise LookupError("no active key")


class KeyRing:
    """Makes, rotates and unwraps the keys of one deployment."""

    def __init__(self, store: ConfigurationStore, master_key: MasterKey, entropy: Entropy) -> None:
        self._store = store
        self._master_key = master_key
        self._entropy = entropy
        self._signing: dict[bytes, jose.SigningKey] = {}

    async def rotate(self, workspace_id: str, use: KeyUse, now: int) -> tuple[StoredKey, ...]:
        """The keys of that use, after announcing the next one if it is time, and dropping those whose life is over."""
        keys = [key for key in await self._store.find_keys(workspace_id) if key.use == use]
        schedule = SCHEDULES[use]
        latest = max(keys, key=lambda key: key.generation, default=None)
        if latest is None:
            keys.append(await self._store.keep_key(await self._new(workspace_id, use, 1, now, active_at=now)))
        elif now >= latest.active_at + schedule.rotate_every - schedule.announce_for:
            active_at = max(latest.active_at + schedule.rotate_every, now + schedule.announce_for)
            new = await self._new(workspace_id, use, latest.generation + 1, now, active_at=active_at)
            keys.append(await self._store.keep_key(new))
        kept = []
        for key, state in states_of(keys, now):
            if state == "removed":
                await self._store.drop_key(workspace_id, use, key.generation)
            else:
                kept.append(key)
        return tuple(kept)

    async def _new(self, workspace_id: str, use: KeyUse, generation: int, now: int, *, active_at: int) -> StoredKey:
        private, public = await self._generate(use)
        wrapped = self._master_key.wrap(private, _context(workspace_id, use, generation), self._entropy(12))
        return StoredKey(workspace_id, use, generation, now, active_at, wrapped, public)

    async def _generate(self, use: KeyUse) -> tuple[bytes, bytes]:
        if use == "ES256" or use == "RS256":
            private = await asyncio.to_thread(jose.generate_key, use)  # an RSA key takes a tenth of a second
            return private, jose.public_part(private)
        return self._entropy(32), b""

    def unwrap(self, key: StoredKey) -> bytes:
        """The private part in clear. Raises `SealBroken` where the master key is not the one that wrapped it."""
        return self._master_key.unwrap(key.private, _context(key.workspace_id, key.use, key.generation))

    def signing_key(self, key: StoredKey) -> jose.SigningKey:
        """The key, ready to sign; parsed once."""
        found = self._signing.get(key.private)
        if found is None:
            alg: jose.Algorithm = "RS256" if key.use == "RS256" else "ES256"
            found = self._signing[key.private] = jose.SigningKey(self.unwrap(key), alg)
        return found


def _context(workspace_id: str, use: str, generation: int) -> str:
    return f"key\0{workspace_id}\0{use}\0{generation}"
