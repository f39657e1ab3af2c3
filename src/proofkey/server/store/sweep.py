"""Purging what has ended, and looking for what cannot be.

1. Rows are walked in the order of their keys, a page at a time: no index pays for it at sign-in, writers get in between, and
   a page costs the same however many rows there are.
2. A page is looked at by reading; only where something in it has ended is there a transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proofkey.server.store.audit import Recorder
from proofkey.server.store.contract import Purged, PurgePlace
from proofkey.server.store.statement import Script, Statement, Values


@dataclass(frozen=True, slots=True)
class _Walk:
    """How one table is walked: before its first key and behind its last, where a page ends, and what in it has ended."""

    begins: Any
    ends: Any
    page: Statement
    look: Statement
    remove: Statement


def _walk(table: str, key: str, keys: tuple[object, object], ended: str) -> _Walk:
    page = Statement(
        "workspace_id after skipped",
        f"""SELECT {key} FROM {table} WHERE workspace_id = :workspace_id AND {key} > :after
        ORDER BY {key} LIMIT 1 OFFSET :skipped""",  # noqa: S608 - only names of columns
    )
    in_page = f"workspace_id = :workspace_id AND {key} > :after AND {key} <= :last AND ({ended})"
    look = Statement(
        "workspace_id after last before",
        f"SELECT 1 FROM {table} WHERE {in_page} LIMIT 1",  # noqa: S608
    )
    remove = Statement(
        "workspace_id after last before",
        f"DELETE FROM {table} WHERE {in_page} RETURNING {key}",  # noqa: S608
    )
    return _Walk(*keys, page, look, remove)


_IDS = (b"", b"\xff" * 64)
_WALKS = (
    _walk("grants", "id", _IDS, "created_at < :before AND (idle_until < :before OR expires_at < :before)"),
    _walk("sessions", "id", _IDS, "ended_at < :before OR idle_until < :before OR expires_at < :before"),
    _walk("attempts", "bucket", (-1, 65_536), "ends_at < :before"),
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

    async def purge(self, workspace_id: str, before: int, place: PurgePlace | None, limit: int) -> Purged:
        """Look at the next *limit* rows and remove those that ended before *before*."""
        table, after = (0, _WALKS[0].begins) if place is None else (place.table, place.after)
        walk = _WALKS[table]
        found = await self._database.read(walk.page, (workspace_id, after, limit - 1))
        page = (workspace_id, after, found[0][0] if found else walk.ends, before)
        removed = 0
        if await self._database.read(walk.look, page):
            removed = await self._database.write(_remove, walk, page)
        return Purged(removed, _next_place(table, found[0][0] if found else None))

    async def check_integrity(self) -> tuple[str, ...]:
        """What the database finds wrong with itself, and rows that no call of ours can have left behind."""
        return await self._database.check(_CHECKS)


def _next_place(table: int, last: Any) -> PurgePlace | None:
    """Behind *last*; where that is None, the table is at its end, and the next one begins."""
    if last is not None:
        return PurgePlace(table, last)
    return PurgePlace(table + 1, _WALKS[table + 1].begins) if table + 1 < len(_WALKS) else None


def _remove(walk: _Walk, page: Values) -> Script[int]:
    removed = yield walk.remove, page
    return len(removed)
