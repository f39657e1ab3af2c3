"""People and the names they sign in with, and the throttle that stands before their passwords.

1. A login name belongs to one person; nobody takes another's.
2. An epoch never goes back; disabling and another password move it on: what was given before stays dead.
3. An attempt is counted before a password is looked at, and a throttled one is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from proofkey.protocol.records import User
from proofkey.server.store.audit import Recorder, record
from proofkey.server.store.contract import (
    Allowed,
    AttemptLimit,
    AttemptOutcome,
    AuditEvent,
    KeepUserOutcome,
    LoginNameTaken,
    Throttled,
    UserKept,
)
from proofkey.server.store.rows import USER, columns, join_words, json_text, split_words, user_of
from proofkey.server.store.statement import Interrupted, Script, Statement

FIND_USER = Statement(
    "workspace_id name",
    f"""SELECT {columns(USER, "u")}
    FROM login_names n JOIN users u ON u.workspace_id = n.workspace_id AND u.id = n.user_id
    WHERE n.workspace_id = :workspace_id AND n.name = :name""",  # noqa: S608 - only names of columns
)
FIND_USER_BY_ID = Statement(
    "workspace_id id",
    f"SELECT {columns(USER, 'u')} FROM users u WHERE u.workspace_id = :workspace_id AND u.id = :id",  # noqa: S608
)
FIND_NAMES = Statement(
    "workspace_id id", "SELECT login_names FROM users WHERE workspace_id = :workspace_id AND id = :id"
)
FIND_OWNER = Statement(
    "workspace_id name", "SELECT user_id FROM login_names WHERE workspace_id = :workspace_id AND name = :name"
)
CLAIM_NAME = Statement(
    "workspace_id name user_id",
    """INSERT INTO login_names (workspace_id, name, user_id) VALUES (:workspace_id, :name, :user_id)
    ON CONFLICT (workspace_id, name) DO NOTHING RETURNING name""",
)
DROP_NAME = Statement(
    "workspace_id name user_id",
    "DELETE FROM login_names WHERE workspace_id = :workspace_id AND name = :name AND user_id = :user_id",
)
KEEP_USER = Statement(
    USER + " login_names",
    """INSERT INTO users (workspace_id, id, username, claims, epoch, password_hash, disabled_at, login_names)
    VALUES (:workspace_id, :id, :username, :claims, :epoch, :password_hash, :disabled_at, :login_names)
    ON CONFLICT (workspace_id, id) DO UPDATE SET
      username = excluded.username, claims = excluded.claims, password_hash = excluded.password_hash,
      disabled_at = excluded.disabled_at, login_names = excluded.login_names,
      epoch = CASE WHEN excluded.epoch > users.epoch THEN excluded.epoch
                   WHEN users.disabled_at IS NULL AND excluded.disabled_at IS NOT NULL THEN users.epoch + 1
                   WHEN COALESCE(users.password_hash, '') <> COALESCE(excluded.password_hash, '') THEN users.epoch + 1
                   ELSE users.epoch END
    WHERE users.username <> excluded.username OR users.claims <> excluded.claims
      OR users.login_names <> excluded.login_names OR users.epoch < excluded.epoch
      OR COALESCE(users.password_hash, '') <> COALESCE(excluded.password_hash, '')
      OR COALESCE(users.disabled_at, -1) <> COALESCE(excluded.disabled_at, -1)
    RETURNING id""",
)
DISABLE_USER = Statement(
    "workspace_id id now",
    """UPDATE users SET disabled_at = :now, epoch = epoch + 1
    WHERE workspace_id = :workspace_id AND id = :id AND disabled_at IS NULL RETURNING id""",
)
FIND_BUCKET = Statement(
    "workspace_id bucket now",
    """SELECT counted, ends_at FROM attempts
    WHERE workspace_id = :workspace_id AND bucket = :bucket AND ends_at > :now""",
)
COUNT_ATTEMPT = Statement(
    "workspace_id bucket now ends_at allowed",
    """INSERT INTO attempts (workspace_id, bucket, counted, ends_at) VALUES (:workspace_id, :bucket, 1, :ends_at)
    ON CONFLICT (workspace_id, bucket) DO UPDATE SET
      counted = CASE WHEN attempts.ends_at > :now THEN attempts.counted + 1 ELSE 1 END,
      ends_at = CASE WHEN attempts.ends_at > :now THEN attempts.ends_at ELSE :ends_at END
    WHERE attempts.ends_at <= :now OR attempts.counted < :allowed
    RETURNING counted""",
)
UNCOUNT_ATTEMPT = Statement(
    "workspace_id bucket now",
    """UPDATE attempts SET counted = counted - 1
    WHERE workspace_id = :workspace_id AND bucket = :bucket AND ends_at > :now AND counted > 0""",
)


class People(Recorder):
    """The part of the `PeopleStore` that is about who may sign in."""

    async def find_user(self, workspace_id: str, login_name: str) -> User | None:
        """The person with this login name."""
        found = await self._database.read(FIND_USER, (workspace_id, login_name))
        return user_of(found[0]) if found else None

    async def find_user_by_id(self, workspace_id: str, user_id: str) -> User | None:
        """The person with this id."""
        found = await self._database.read(FIND_USER_BY_ID, (workspace_id, user_id))
        return user_of(found[0]) if found else None

    async def keep_user(self, user: User, login_names: Sequence[str], now: int) -> KeepUserOutcome:
        """Insert or replace a person and their names."""
        event = self._event(user.workspace_id, "user_kept", now, user_id=user.id)
        return await self._database.write(_keep_user, user, tuple(login_names), event)

    async def disable_user(self, workspace_id: str, user_id: str, now: int) -> None:
        """End everything of this person."""
        event = self._event(workspace_id, "user_disabled", now, user_id=user_id)
        await self._database.write(_disable_user, workspace_id, user_id, event, now)

    async def count_attempt(self, workspace_id: str, limits: Sequence[AttemptLimit], now: int) -> AttemptOutcome:
        """Count one attempt in every bucket, or in none."""
        return await self._database.write(_count_attempt, workspace_id, _in_order(limits), now)

    async def forgive_attempt(self, workspace_id: str, limits: Sequence[AttemptLimit], now: int) -> None:
        """Take one counted attempt back."""
        await self._database.write(_forgive_attempt, workspace_id, _in_order(limits), now)


def _keep_user(user: User, login_names: tuple[str, ...], event: AuditEvent) -> Script[KeepUserOutcome]:
    place = (user.workspace_id, user.id)
    found = yield FIND_NAMES, place
    old_names = split_words(found[0][0]) if found else ()
    new_names = [name for name in dict.fromkeys(login_names) if name not in old_names]
    for name in new_names:
        owner = yield FIND_OWNER, (user.workspace_id, name)
        if owner and owner[0][0] != user.id:
            return LoginNameTaken(name)
    for name in sorted(new_names):
        claimed = yield CLAIM_NAME, (user.workspace_id, name, user.id)
        if not claimed:
            raise Interrupted
    for name in old_names:
        if name not in login_names:
            yield DROP_NAME, (user.workspace_id, name, user.id)
    values = (*place, user.username, json_text(user.claims), user.epoch, user.password_hash, user.disabled_at)
    changed = yield KEEP_USER, (*values, join_words(tuple(dict.fromkeys(login_names))))
    if changed:
        yield from record(event)
    return UserKept()


def _disable_user(workspace_id: str, user_id: str, event: AuditEvent, now: int) -> Script[None]:
    disabled = yield DISABLE_USER, (workspace_id, user_id, now)
    if disabled:
        yield from record(event)


def _in_order(limits: Sequence[AttemptLimit]) -> list[AttemptLimit]:
    """By bucket: two callers who lock rows in the same order never wait for each other in a circle."""
    return sorted(limits, key=lambda limit: limit.bucket)


def _forgive_attempt(workspace_id: str, limits: Sequence[AttemptLimit], now: int) -> Script[None]:
    for limit in limits:
        yield UNCOUNT_ATTEMPT, (workspace_id, limit.bucket, now)


def _count_attempt(workspace_id: str, limits: Sequence[AttemptLimit], now: int) -> Script[AttemptOutcome]:
    until = now
    for limit in limits:
        counted = yield FIND_BUCKET, (workspace_id, limit.bucket, now)
        if counted and counted[0][0] >= limit.allowed:
            until = max(until, counted[0][1])
    if until > now:
        return Throttled(until)
    for position, limit in enumerate(limits):
        values = (workspace_id, limit.bucket, now, now + limit.window_for, limit.allowed)
        allowed = yield COUNT_ATTEMPT, values
        if not allowed:  # another process took the last one: count in every bucket or in none
            for before in limits[:position]:
                yield UNCOUNT_ATTEMPT, (workspace_id, before.bucket, now)
            return Throttled(now + limit.window_for)
    return Allowed()
