"""What a store promises: its protocols, its outcomes, and the six promises.

1. One call is one transaction: it happened or it did not, and the next call from any process sees it.
2. Losing a race is an answer, not an exception.
3. What an answer implies is already written when the answer returns (a replay has killed the grant).
4. Times come from the caller; the store has no clock. Expired is for the protocol to judge; `purge` sweeps.
5. Secrets arrive hashed, keys arrive encrypted; no token, code or password ever reaches a store in clear.
6. Methods that spend something take a proof (`ProvenCode`), never a raw record.

*Live* means, in one statement: the grant is not revoked; its client exists, is not disabled, and was not disabled since the
grant was made; its person exists, is not disabled and has the grant's epoch; its session exists and has not ended, by
sign-out or by either of its times (unless the grant is offline); its consent row, where it names one, still exists.
A missing row means dead (law 10), and what is dead stays dead: enabling again or consenting again revives nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

from proofkey.protocol.authorization_code import ProvenCode
from proofkey.protocol.record import record
from proofkey.protocol.records import Client, Consent, Grant, LiveGrant, Session, SignedIn, User, Workspace
from proofkey.protocol.refresh_token import ProvenRefresh


class StoreUnavailable(Exception):
    """The database did not answer; nothing is known to have been written."""


@record(frozen=True, slots=True)
class Redeemed:
    """This call, and no other, spent the code."""

    live: LiveGrant


@record(frozen=True, slots=True)
class CodeAlreadyUsed:
    """Someone else spent the code; the grant it made is dead."""


@record(frozen=True, slots=True)
class AuthorizationGone:
    """Client, person, session or consent no longer stands as it did; nothing was written."""


@record(frozen=True, slots=True)
class Rotated:
    """The refresh token was spent; the grant holds the new counter (the same one where the client does not rotate)."""


@record(frozen=True, slots=True)
class Retried:
    """The previous token again, within the leeway and before its successor was used: the same successor, nothing written."""


@record(frozen=True, slots=True)
class RefreshReplayed:
    """A spent refresh token was used again; the grant is dead."""


@record(frozen=True, slots=True)
class CounterAhead:
    """A token from the future of its row: a database restored from backup, or a leaked key. Refused, nothing written."""


@record(frozen=True, slots=True)
class GrantBegun:
    """The grant of a client without a person was written."""


@record(frozen=True, slots=True)
class Allowed:
    """The attempt was counted and may go on."""


@record(frozen=True, slots=True)
class Throttled:
    """Too many attempts; the next may come at *until* (milliseconds since 1970)."""

    until: int


@record(frozen=True, slots=True)
class UserKept:
    """The person and all their login names were written, or already stood so."""


@record(frozen=True, slots=True)
class LoginNameTaken:
    """Another person signs in with *name*; nothing was written."""

    name: str


@record(frozen=True, slots=True)
class PurgePlace:
    """How far a workspace was swept: the number of a table, and the key in it that was last looked at."""

    table: int
    after: bytes | int


@record(frozen=True, slots=True)
class Purged:
    """So many rows are gone; `place` is where to go on, None where every table was walked to its end."""

    removed: int
    place: PurgePlace | None


RedeemOutcome: TypeAlias = Redeemed | CodeAlreadyUsed | AuthorizationGone
RotateOutcome: TypeAlias = Rotated | Retried | RefreshReplayed | CounterAhead | AuthorizationGone
BeginOutcome: TypeAlias = GrantBegun | AuthorizationGone
AttemptOutcome: TypeAlias = Allowed | Throttled
KeepUserOutcome: TypeAlias = UserKept | LoginNameTaken


@record(frozen=True, slots=True)
class StoredKey:
    """A key as it lies in the database: private part encrypted under the master key, life told by two moments.

    `workspace_id` is "" for the keys of the whole cell (sealing, refresh MAC).
    Keys of one use are numbered by `generation`; the successor's `active_at` is the predecessor's retirement.
    """

    workspace_id: str
    use: Literal["seal", "refresh", "ES256", "RS256"]
    generation: int
    announced_at: int
    active_at: int
    private: bytes
    public: bytes


@record(frozen=True, slots=True)
class AuditEvent:
    """Something a person or an administrator did, or a replay that was detected. Holds ids only, never a secret."""

    workspace_id: str
    id: bytes
    at: int
    what: str
    user_id: str | None = None
    client_id: str | None = None
    subject: str = ""


@record(frozen=True, slots=True)
class AttemptLimit:
    """One throttle bucket (0 to 65,535) and what it allows: *allowed* attempts in every *window_for* milliseconds."""

    bucket: int
    allowed: int
    window_for: int


class GrantStore(Protocol):
    """Spends codes and refresh tokens, and knows which grants live."""

    async def redeem_code(self, proven: ProvenCode, grant: Grant, now: int) -> RedeemOutcome:
        """Write *grant* under the code's id if nothing stands there and it would be live; extend its session's idle end.

        Here its session must live even where the grant is offline: a code asserts a person at a browser.
        A conflict whose stored `attempt` is this grant's own is `Redeemed`: the answer was lost after commit.
        Any other conflict revokes the stored grant for "code_replayed" (and audits it) before `CodeAlreadyUsed` returns.
        The session's row is written only when that moves `idle_until` by more than a sixtieth of its length.
        """

    async def rotate_refresh(self, proven: ProvenRefresh, now: int) -> RotateOutcome:
        """Advance the grant's counter from the proven token's, in one conditional statement, if the grant is live.

        Sets `rotated_at`, `idle_until` and `attempt` (drawn by the store: a rotation whose answer was lost after commit is
        recognised and stays `Rotated`, whatever the leeway). The previous counter within `proven.leeway_for` of
        `rotated_at` is `Retried`; any other smaller counter revokes the grant for "refresh_replayed" (and audits it) before
        `RefreshReplayed` returns.
        Where `proven.rotates` is false the counter stays, and only `idle_until` moves.
        """

    async def begin_grant(self, grant: Grant, now: int) -> BeginOutcome:
        """Write the grant of a client that acts for itself (client_credentials), if the client is enabled."""

    async def find_grant(self, workspace_id: str, grant_id: bytes, now: int) -> LiveGrant | None:
        """The grant with its person, if it is live."""

    async def revoke_grant(self, workspace_id: str, grant_id: bytes, why: str, now: int) -> None:
        """Leave a tombstone. Idempotent; the first reason stays. "code_replayed" and "refresh_replayed" are audited."""

    async def revoke_access(self, workspace_id: str, grant_id: bytes, now: int) -> None:
        """Access tokens of the grant issued up to *now* are dead; its refresh token lives on."""


class PeopleStore(Protocol):
    """People, their sessions and what they consented to."""

    async def find_user(self, workspace_id: str, login_name: str) -> User | None:
        """The person who signs in with *login_name* (folded by the caller), disabled or not."""

    async def find_user_by_id(self, workspace_id: str, user_id: str) -> User | None:
        """The person with that id, which outlasts every name, disabled or not."""

    async def find_signed_in(self, workspace_id: str, cookie_hash: bytes, client_id: str, now: int) -> SignedIn | None:
        """The live session with this cookie, its enabled person, and their consent to *client_id*, in one statement."""

    async def start_session(self, session: Session, ends: bytes | None, now: int) -> None:
        """Write a new session (audited), and end the one with row id *ends* in the same transaction."""

    async def renew_session(self, session: Session, now: int) -> bool:
        """The same person proved themselves again: new cookie hash, times and methods on the row *session.id* (audited).

        False where that row no longer lives with that person and epoch: start a new session instead.
        """

    async def choose_account(self, workspace_id: str, session_id: bytes, request_id: bytes, now: int) -> bool:
        """The person chose this session's account for that request. False where the session has ended."""

    async def end_session(self, workspace_id: str, session_id: bytes, now: int) -> None:
        """Sign out (audited). Grants without offline_access are dead from here on."""

    async def give_consent(self, consent: Consent, now: int) -> Consent:
        """Add to what the person allowed this client (audited); the row keeps its `id` while it stands. Returns it whole."""

    async def withdraw_consent(self, workspace_id: str, user_id: str, client_id: str, now: int) -> None:
        """Remove the consent (audited): every grant that names it is dead."""

    async def keep_user(self, user: User, login_names: Sequence[str], now: int) -> KeepUserOutcome:
        """Insert or replace a person and the names they sign in with (audited where anything changed).

        A name of another person is never taken over. The stored epoch never goes back, and moves on where this disables or
        brings another password hash.
        """

    async def disable_user(self, workspace_id: str, user_id: str, now: int) -> None:
        """End everything of this person (audited): their sessions, grants and tokens are dead."""

    async def count_attempt(self, workspace_id: str, limits: Sequence[AttemptLimit], now: int) -> AttemptOutcome:
        """Count one sign-in attempt in every bucket, atomically; throttled when any bucket is over its limit.

        A throttled attempt is not counted further, so waiting always helps. Rows are bounded: one per bucket.
        """

    async def forgive_attempt(self, workspace_id: str, limits: Sequence[AttemptLimit], now: int) -> None:
        """The attempt counted in these buckets succeeded: take it back (never below zero), so only failures add up."""


class ConfigurationStore(Protocol):
    """Workspaces, applications and keys: what an administrator declares."""

    async def find_workspace(self, tenant: str, slug: str) -> Workspace | None:
        """The workspace at this address."""

    async def keep_workspace(self, workspace: Workspace, now: int) -> None:
        """Insert or replace (audited where anything changed)."""

    async def find_client(self, workspace_id: str, client_id: str) -> Client | None:
        """The application, if it exists and is enabled."""

    async def list_origins(self, workspace_id: str) -> frozenset[str]:
        """The browser origins of all enabled public clients of the workspace."""

    async def list_signing_algorithms(self, workspace_id: str) -> frozenset[str]:
        """The `id_token_signed_response_alg` of all enabled clients of the workspace."""

    async def keep_client(self, workspace_id: str, client: Client, now: int) -> None:
        """Insert or replace, enabled (audited where anything changed). Grants from before it was disabled stay dead."""

    async def disable_client(self, workspace_id: str, client_id: str, now: int) -> None:
        """End everything of this application (audited): its grants and tokens are dead."""

    async def find_keys(self, workspace_id: str) -> tuple[StoredKey, ...]:
        """All keys kept under this workspace ("" for the cell's), by use and generation."""

    async def keep_key(self, key: StoredKey) -> StoredKey:
        """Write *key* unless that generation exists; returns the one that stands, so that all processes agree."""

    async def drop_key(self, workspace_id: str, use: str, generation: int) -> None:
        """Remove a key whose life is over."""


class Store(GrantStore, PeopleStore, ConfigurationStore, Protocol):
    """Everything, and how it is opened, swept and closed."""

    async def open(self) -> None:
        """Connect and migrate forward under a lock. Raises `StoreUnavailable`; a newer schema than ours is refused."""

    async def close(self) -> None:
        """Finish what is under way and let go of the database."""

    async def purge(self, workspace_id: str, before: int, place: PurgePlace | None, limit: int) -> Purged:
        """Look at the next *limit* rows behind *place* (None: from the beginning), and remove those over before *before*.

        Grants, sessions and throttle buckets, one after the other. Nothing is written where nothing goes.
        """

    async def check_integrity(self) -> tuple[str, ...]:
        """What the database finds wrong with itself; empty when sound."""
