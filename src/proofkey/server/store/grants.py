"""Grants: spending codes and refresh tokens once (RFC 9700 §4.5, §4.14.2), and knowing which grants live.

1. The grant's primary key is the code's id: the unique key is the single use.
2. `attempt` is drawn for each call that spends: a conflict that carries one's own is an answer that was lost.
3. A detected replay is revoked and audited in the transaction that detects it.
"""

from __future__ import annotations

from proofkey.protocol.authorization_code import ProvenCode
from proofkey.protocol.records import Grant, LiveGrant, User, wire_id
from proofkey.protocol.refresh_token import ProvenRefresh
from proofkey.server.store.audit import Recorder, record
from proofkey.server.store.contract import (
    AuthorizationGone,
    BeginOutcome,
    CodeAlreadyUsed,
    CounterAhead,
    GrantBegun,
    Redeemed,
    RedeemOutcome,
    RefreshReplayed,
    Retried,
    Rotated,
    RotateOutcome,
)
from proofkey.server.store.rows import GRANT, GRANT_WIDTH, USER, columns, grant_of, grant_values, user_of
from proofkey.server.store.statement import Interrupted, Row, Script, Statement

_REVOKED_AND_AUDITED = frozenset({"code_replayed", "refresh_replayed"})
_NAMES = ", ".join(GRANT.split())
_GIVEN = ", ".join(f":{name}" for name in GRANT.split())

_PERSON = ", ".join(  # of whom the grant, being live, already says the rest
    f"(SELECT {name} FROM users WHERE users.workspace_id = grants.workspace_id AND users.id = grants.user_id)"  # noqa: S608
    for name in ("username", "claims", "password_hash")
)
_IS_DUE = """sessions.workspace_id = :workspace_id AND sessions.ended_at IS NULL
    AND sessions.idle_until < sessions.expires_at
    AND :now + sessions.idle_for > sessions.idle_until + sessions.idle_for / 60"""

KEEP_GRANT = Statement(
    GRANT + " now",
    f"""INSERT INTO grants ({_NAMES}) SELECT {_GIVEN} WHERE {{live_here :}}
    ON CONFLICT (workspace_id, id) DO NOTHING
    RETURNING {_PERSON}, (SELECT 1 FROM sessions WHERE {_IS_DUE} AND sessions.id = grants.session_id)""",  # noqa: S608
    {"user_id": "TEXT", "session_id": "BYTEA", "consent_id": "BYTEA"},
)
STORED_ATTEMPT = Statement(
    "workspace_id id", "SELECT attempt FROM grants WHERE workspace_id = :workspace_id AND id = :id"
)
EXTEND_SESSION = Statement(
    "workspace_id id now",
    f"""UPDATE sessions
    SET idle_until = CASE WHEN :now + idle_for < expires_at THEN :now + idle_for ELSE expires_at END
    WHERE {_IS_DUE} AND id = :id""",  # noqa: S608
)
FIND_PERSON = Statement(
    "workspace_id id",
    f"SELECT {columns(USER, 'users')} FROM users WHERE workspace_id = :workspace_id AND id = :id",  # noqa: S608
)
ROTATE = Statement(
    "workspace_id id counter refresh_hash step attempt idle_until now",
    """UPDATE grants
    SET counter = counter + :step, attempt = :attempt, idle_until = :idle_until,
        rotated_at = CASE WHEN :step = 1 THEN :now ELSE rotated_at END
    WHERE workspace_id = :workspace_id AND id = :id AND counter = :counter AND refresh_hash = :refresh_hash
      AND {live grants.}
    RETURNING counter""",
)
FIND_GRANT = Statement(
    "workspace_id id now",
    f"""SELECT {columns(GRANT, "g")}, {columns(USER, "u")}
    FROM grants g LEFT JOIN users u ON u.workspace_id = g.workspace_id AND u.id = g.user_id
    WHERE g.workspace_id = :workspace_id AND g.id = :id AND {{live g.}}""",  # noqa: S608
)
REVOKE_GRANT = Statement(
    "workspace_id id why now",
    """UPDATE grants SET revoked_at = :now, revoked_for = :why
    WHERE workspace_id = :workspace_id AND id = :id AND revoked_at IS NULL RETURNING user_id, client_id""",
)
REVOKE_ACCESS = Statement(
    "workspace_id id now",
    """UPDATE grants SET access_valid_after = :now
    WHERE workspace_id = :workspace_id AND id = :id AND revoked_at IS NULL AND access_valid_after < :now""",
)


class Grants(Recorder):
    """The `GrantStore` part of the store."""

    async def redeem_code(self, proven: ProvenCode, grant: Grant, now: int) -> RedeemOutcome:
        """One insert decides; see the contract."""
        code = proven.code
        if (code.workspace_id, code.id, code.client_id) != (grant.workspace_id, grant.id, grant.client_id):
            raise ValueError("the grant is not the one this code proves")
        return await self._database.write(self._redeem, grant, now)

    def _redeem(self, grant: Grant, now: int) -> Script[RedeemOutcome]:
        kept = yield KEEP_GRANT, (*grant_values(grant), now)
        if not kept:
            stored = yield STORED_ATTEMPT, (grant.workspace_id, grant.id)
            if not stored:
                return AuthorizationGone()
            if stored[0][0] != grant.attempt:
                yield from self._revoke(grant.workspace_id, grant.id, "code_replayed", now)
                return CodeAlreadyUsed()
            return Redeemed(LiveGrant(grant, (yield from _find_person(grant))))
        username, claims, password_hash, is_due = kept[0]
        if is_due:
            yield EXTEND_SESSION, (grant.workspace_id, grant.session_id, now)
        person = (grant.workspace_id, grant.user_id, username, claims, grant.user_epoch, password_hash, None)
        return Redeemed(LiveGrant(grant, None if grant.user_id is None else user_of(person)))

    async def rotate_refresh(self, proven: ProvenRefresh, now: int) -> RotateOutcome:
        """One conditional update decides; see the contract."""
        return await self._database.write(self._rotate, proven, self._entropy(16), now)

    def _rotate(self, proven: ProvenRefresh, attempt: bytes, now: int) -> Script[RotateOutcome]:
        place = (proven.workspace_id, proven.grant_id)
        step = 1 if proven.rotates else 0
        rotated = yield (
            ROTATE,
            (*place, proven.counter, proven.refresh_hash, step, attempt, proven.idle_until, now),
        )
        if rotated:
            return Rotated()
        found = yield FIND_GRANT, (*place, now)
        outcome = _why_not_rotated(_live_grant_of(found[0]) if found else None, proven, attempt, now)
        if isinstance(outcome, RefreshReplayed):
            yield from self._revoke(*place, "refresh_replayed", now)
        return outcome

    async def begin_grant(self, grant: Grant, now: int) -> BeginOutcome:
        """Write the grant of a client that acts for itself."""
        return await self._database.write(self._begin, grant, now)

    def _begin(self, grant: Grant, now: int) -> Script[BeginOutcome]:
        kept = yield KEEP_GRANT, (*grant_values(grant), now)
        if not kept:
            stored = yield STORED_ATTEMPT, (grant.workspace_id, grant.id)
            if not stored or stored[0][0] != grant.attempt:
                return AuthorizationGone()
        return GrantBegun()

    async def find_grant(self, workspace_id: str, grant_id: bytes, now: int) -> LiveGrant | None:
        """The grant with its person, if it is live."""
        found = await self._database.read(FIND_GRANT, (workspace_id, grant_id, now))
        return _live_grant_of(found[0]) if found else None

    async def revoke_grant(self, workspace_id: str, grant_id: bytes, why: str, now: int) -> None:
        """Leave a tombstone."""
        await self._database.write(self._revoke, workspace_id, grant_id, why, now)

    def _revoke(self, workspace_id: str, grant_id: bytes, why: str, now: int) -> Script[None]:
        revoked = yield REVOKE_GRANT, (workspace_id, grant_id, why, now)
        if revoked and why in _REVOKED_AND_AUDITED:
            user_id, client_id = revoked[0]
            event = self._event(workspace_id, why, now, user_id=user_id, client_id=client_id, subject=wire_id(grant_id))
            yield from record(event)

    async def revoke_access(self, workspace_id: str, grant_id: bytes, now: int) -> None:
        """End the access tokens issued so far."""
        await self._database.write(_revoke_access, workspace_id, grant_id, now)


def _why_not_rotated(live: LiveGrant | None, proven: ProvenRefresh, attempt: bytes, now: int) -> RotateOutcome:
    if live is None or live.grant.refresh_hash != proven.refresh_hash:
        return AuthorizationGone()
    ahead = live.grant.counter - proven.counter
    if ahead < 0:
        return CounterAhead()
    if ahead == 0:
        raise Interrupted
    if ahead == 1 and live.grant.attempt == attempt:
        return Rotated()
    if ahead == 1 and proven.leeway_for > 0 and now - live.grant.rotated_at < proven.leeway_for:
        return Retried()
    return RefreshReplayed()


def _revoke_access(workspace_id: str, grant_id: bytes, now: int) -> Script[None]:
    yield REVOKE_ACCESS, (workspace_id, grant_id, now)


def _find_person(grant: Grant) -> Script[User | None]:
    if grant.user_id is None:
        return None
    found = yield FIND_PERSON, (grant.workspace_id, grant.user_id)
    return user_of(found[0]) if found else None


def _live_grant_of(row: Row) -> LiveGrant:
    grant = grant_of(row)
    return LiveGrant(grant, None if grant.user_id is None else user_of(row[GRANT_WIDTH:]))
