"""What a process does beside answering: announcing keys in time, and purging what has long been over.

1. A row outlives whatever may still refer to it: its code, its last access and ID token, and a grace for clocks that differ.
2. A round costs what goes, plus a bounded look at what stays; where it stopped, the next one goes on.
3. What fails for one workspace does not keep the others waiting.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from proofkey.protocol.records import MINUTE, Lifetimes
from proofkey.server.engine import Engine
from proofkey.server.issuer import Issuer
from proofkey.server.store.contract import PurgePlace

EVERY_FOR = 1 * MINUTE
GRACE_FOR = 10 * MINUTE
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rows one look takes in, and when a round of one workspace is over: so many found alive, so many looks."""

    page: int = 500
    living: int = 20_000
    looks: int = 400


class Upkeep:
    """The rounds of one process, and how far each workspace was swept."""

    def __init__(self, engine: Engine, pace: Pace | None = None) -> None:
        self._engine = engine
        self._pace = pace or Pace()
        self._places: dict[str, PurgePlace | None] = {}

    async def sweep(self) -> None:
        """One round: snapshots older than their age are rebuilt, which rotates keys; old rows of loaded workspaces go."""
        for issuer in self._engine.directory.loaded:
            try:
                await self._sweep_workspace(issuer)
            except Exception as failure:  # whatever it is, the others' turn and the next round must still come
                _log.error("upkeep_failed", workspace=issuer.workspace.id, exc_info=failure)

    async def _sweep_workspace(self, issuer: Issuer) -> None:
        now = self._engine.clock()
        workspace = issuer.workspace
        found = await self._engine.directory.find(workspace.tenant, workspace.slug, now)
        before = now - kept_for((found or issuer).workspace.lifetimes)
        await self._purge(workspace.id, before)

    async def _purge(self, workspace_id: str, before: int) -> None:
        living = 0
        for _ in range(self._pace.looks):
            place = self._places.get(workspace_id)
            purged = await self._engine.store.purge(workspace_id, before, place, self._pace.page)
            self._places[workspace_id] = purged.place
            living += self._pace.page - purged.removed
            if purged.place is None or living >= self._pace.living:
                return
            await asyncio.sleep(0)  # between two looks, whoever waits is answered


def kept_for(lifetimes: Lifetimes) -> int:
    """How long a row stays after its end, in milliseconds: what was issued in its last moment must be over, too."""
    return GRACE_FOR + max(lifetimes.code_for, lifetimes.access_token_for, lifetimes.id_token_for)


async def keep_up(engine: Engine) -> None:
    """Run until cancelled."""
    upkeep = Upkeep(engine)
    while True:
        await asyncio.sleep(EVERY_FOR / 1_000)
        await upkeep.sweep()
