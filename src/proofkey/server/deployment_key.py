"""Whether a master key is the deployment's: the one its stored keys are wrapped under.

A process with another one would apply secrets that nobody else can verify, and answer nothing but failures.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from proofkey.seal import SealBroken
from proofkey.server.entropy import Entropy
from proofkey.server.keys import CELL, KeyRing
from proofkey.server.master_key import MasterKey
from proofkey.server.store.contract import ConfigurationStore, StoredKey


class MasterKeyWrong(Exception):
    """What is stored was wrapped under another master key."""

    def __init__(self) -> None:
        super().__init__("the keys in the database are wrapped under another master key: nothing was changed")


async def check_master_key(store: ConfigurationStore, master_key: MasterKey) -> None:
    """Raise `MasterKeyWrong` where the cell has keys and *master_key* does not open them. Writes nothing."""
    _check(KeyRing(store, master_key, os.urandom), await store.find_keys(CELL))


async def hold_master_key(
    store: ConfigurationStore, master_key: MasterKey, *, now: int, entropy: Entropy = os.urandom
) -> None:
    """The same; where there is no key yet, one is made, and from here on *master_key* is the deployment's."""
    await check_master_key(store, master_key)
    ring = KeyRing(store, master_key, entropy)
    _check(ring, await ring.rotate(CELL, "seal", now))  # another process may have been the first


def _check(ring: KeyRing, keys: Iterable[StoredKey]) -> None:
    try:
        for key in keys:
            ring.unwrap(key)
    except SealBroken:
        raise MasterKeyWrong from None
