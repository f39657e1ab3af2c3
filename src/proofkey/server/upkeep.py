"""What a process does beside answering: announcing keys in time, and purging what has long been over."""

from __future__ import annotations

import asyncio

import structlog

from proofkey.protocol.records import MINUTE
from proofkey.server.engine import Engine

EVERY_FOR = 1 * MINUTE
GRACE_FOR = 10 * MINUTE
PURGE_LIMIT = 1_000
_log = structlog.get_logger()


async def keep_up(engine: Engine) -> None:
    """Run until cancelled. A failed round is logged and tried again at the next."""
    while True:
        await asyncio.sleep(EVERY_FOR / 1_000)
        try:
            await sweep(engine)
        except Exception as failure:  # whatever it is, the next round must still come
            _log.error("upkeep_failed", exc_info=failure)


async def sweep(engine: Engine) -> None:
    """One round: snapshots older than their age are rebuilt, which rotates keys; old rows of loaded workspaces go."""
    now = engine.clock()
    for issuer in engine.directory.loaded:
        await engine.directory.find(issuer.workspace.tenant, issuer.workspace.slug, now)
        await engine.store.purge(issuer.workspace.id, now - GRACE_FOR, PURGE_LIMIT)
