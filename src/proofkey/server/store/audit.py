"""Audit events: what a person or an administrator did, and detected replays, written with what they tell of.

An event's id begins with its time in milliseconds (6 bytes), so that events lie in order, and ends in 10 random bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from proofkey.server.store.contract import AuditEvent
from proofkey.server.store.statement import Database, Script, Statement

RECORD = Statement(
    "workspace_id id at what user_id client_id subject",
    """INSERT INTO audit_events (workspace_id, id, at, what, user_id, client_id, subject)
    VALUES (:workspace_id, :id, :at, :what, :user_id, :client_id, :subject)
    ON CONFLICT (workspace_id, id) DO NOTHING""",
)


class Recorder:
    """What every part of the store has: the database, and entropy for the ids of events."""

    def __init__(self, database: Database, entropy: Callable[[int], bytes]) -> None:
        self._database = database
        self._entropy = entropy

    def _event(
        self,
        workspace_id: str,
        what: str,
        now: int,
        *,
        user_id: str | None = None,
        client_id: str | None = None,
        subject: str = "",
    ) -> AuditEvent:
        return AuditEvent(
            workspace_id, now.to_bytes(6, "big") + self._entropy(10), now, what, user_id, client_id, subject
        )


def record(event: AuditEvent) -> Script[None]:
    """Write *event*; a second time changes nothing."""
    yield (
        RECORD,
        (event.workspace_id, event.id, event.at, event.what, event.user_id, event.client_id, event.subject),
    )
