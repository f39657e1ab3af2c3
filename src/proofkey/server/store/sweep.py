"""Purging what has ended, and looking for what cannot be.

Rows are walked in the order of their keys, a chunk to a transaction: no index pays for it at sign-in, and writers get in
between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proofkey.server.store.audit import Recorder
from proofkey.server.store.statement import Script, Statement

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class _Walk:
    """How one table is walked: where a chunk ends, and what in it has ended."""

    begins: Any
    chunk: Statement
    remove: Statement


def _walk(table: str, key: str, begins: object, ended: str) -> _Walk:
    chunk = Statement(
        "workspace_id after size",
        f"""SELECT {key} FROM {table} WHERE workspace_id = :workspace_id AND {key} > :after
        ORDER BY {key} LIMIT :size""",  # noqa: S608 - only names of columns
    )
    remove = Statement(
        "workspace_id after last before",
        f"""DELETE FROM {table}
        WHERE workspace_id = :workspace_id AND {key} > :after AND {key} <= :last AND ({ended}) RETURNING {key}""",  # noqa: S608
    )
    return _Walk(begins, chunk, remove)


_WALKS = (
    _walk("grants", "id", b"", "created_at < :before AND (idle_until < :before OR expires_at < :before)"),
    _walk("sessions", "id", b"", "ended_at < :before OR idle_until < :before OR expires_at < :before"),
    _walk("attempts", "bucket", -1, "ends_at < :before"),
)

_FINDINGS = {
    "login names of nobody": "SELECT COUNT(*) FROM login_names n WHERE NOT EXISTS"
    " (SELECT 1 FROM users u WHERE u.workspace_id = n.workspace_id AND u.id = n.user_id)",
    "grants revoked without a reason": "SELECT COUNT(*) FROM grants WHERE revoked_at IS NOT NULL AND revoked_for IS NULL",
    "grants that rotated backwards": "SELECT COUNT(*) FROM grants WHERE counter < 0 OR (counter > 0 AND rotated_at < 1)",
    "sessions of nobody": "SELECT COUNT(*) FROM sessions s WHERE NOT EXISTS"
    " (SELECT 1 FROM users u WHERE u.workspace_id = s.workspace_id AND u.id = s.user_id)",
    "consents of nobody": "SELECT COUNT(*) FROM consents k WHERE NOT EXISTS"
    " (SELECT 1 FROM users u WHERE u.workspace_id = k.workspace_id AND u.id = k.user_id)",
    "attempts below zero": "SELECT COUNT(*) FROM attempts WHERE counted < 0",
}
_CHECKS = {finding: Statement("", text) for finding, text in _FINDINGS.items()}


class Sweep(Recorder):
    """What keeps the database small and tells whether it is sound."""

    async def purge(self, workspace_id: str, before: int, limit: int) -> int:
        """Remove up to *limit* rows each of grants, sessions and throttle buckets that ended before *before*."""
        return sum([await self._purge_table(walk, workspace_id, before, limit) for walk in _WALKS])

    async def _purge_table(self, walk: _Walk, workspace_id: str, before: int, limit: int) -> int:
        after = walk.begins
        removed = 0
        while removed < limit:
            size = min(_CHUNK, limit - removed)
            gone, last, seen = await self._database.write(_purge_chunk, walk, workspace_id, before, after, size)
            removed += gone
            if seen < size:
                break
            after = last
        return removed

    async def check_integrity(self) -> tuple[str, ...]:
        """What the database finds wrong with itself, and rows that no call of ours can have left behind."""
        return await self._database.check(_CHECKS)


def _purge_chunk(walk: _Walk, workspace_id: str, before: int, after: Any, size: int) -> Script[tuple[int, Any, int]]:
    seen = yield walk.chunk, (workspace_id, after, size)
    if not seen:
        return 0, after, 0
    last = seen[-1][0]
    removed = yield walk.remove, (workspace_id, after, last, before)
    return len(removed), last, len(seen)
