"""The contract rejects stores that are broken in the ways stores are broken: each of these fails the test that names its law."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest

from proofkey.protocol.authorization_code import ProvenCode
from proofkey.protocol.records import Grant, LiveGrant, User
from proofkey.protocol.refresh_token import ProvenRefresh
from proofkey.server.store.contract import (
    Allowed,
    AttemptLimit,
    AttemptOutcome,
    CodeAlreadyUsed,
    KeepUserOutcome,
    LoginNameTaken,
    Redeemed,
    RedeemOutcome,
    RefreshReplayed,
    Rotated,
    RotateOutcome,
    Throttled,
    UserKept,
)
from proofkey.server.store.postgres import PostgresDatabase
from proofkey.server.store.sql import SqlStore
from proofkey.server.store.sqlite import SqliteDatabase
from proofkey.server.store.statement import Script, Statement
from tests.store.contract_configuration import ConfigurationContract, SweepContract
from tests.store.contract_grants import RedeemContract, RefreshContract, RevokeContract
from tests.store.contract_liveness import (
    DisabledClientContract,
    DisabledUserContract,
    IdleSessionContract,
    NewEpochContract,
    SignOutContract,
    WithdrawalContract,
)
from tests.store.contract_lost_answers import LostAnswerContract
from tests.store.contract_people import ConsentContract, SessionContract, ThrottleContract, UserContract
from tests.store.facts import open_every_connection, read_rows

Test = tuple[type, str]

FIRST_REASON = (RevokeContract, "test_the_first_reason_of_thirty_stays_and_a_replay_is_audited_once")
FIFTY_REFRESHES = (RefreshContract, "test_of_fifty_refreshes_at_once_one_rotates_and_nobody_is_signed_out")
ALTERATIONS: dict[str, tuple[str, str, Test]] = {
    "a code is overwritten": (
        "(workspace_id, id) DO NOTHING RETURNING",
        "(workspace_id, id) DO UPDATE SET attempt = excluded.attempt RETURNING",
        (RedeemContract, "test_of_thirty_callers_at_once_exactly_one_wins_and_its_grant_is_dead"),
    ),
    "rotation asks for no counter": ("AND counter = ?3", "", FIFTY_REFRESHES),
    "rotation asks for no secret": (
        "AND refresh_hash = ?4",
        "",
        (RefreshContract, "test_another_secret_neither_rotates_nor_revokes"),
    ),
    "rotation does not say when": (
        "WHEN ?5 = 1 THEN ?8",
        "WHEN ?5 = 7 THEN ?8",
        (RefreshContract, "test_rotation_moves_counter_and_idle_end"),
    ),
    "a replay kills nobody": (
        "SET revoked_at = ?4, revoked_for = ?3",
        "SET revoked_at = NULLIF(?4, ?4), revoked_for = ?3",
        (RedeemContract, "test_a_replay_has_killed_the_grant_when_its_answer_returns"),
    ),
    "the last reason stays": ("AND revoked_at IS NULL RETURNING user_id", "RETURNING user_id", FIRST_REASON),
    "revoked access moves back": (
        "AND access_valid_after < ?3",
        "",
        (RevokeContract, "test_revoked_access_leaves_the_refresh_token_alive_and_never_moves_back"),
    ),
    "sign-out is ignored": (
        "AND live_session.ended_at IS NULL",
        "",
        (SignOutContract, "test_what_was_redeemed_before_is_dead_after"),
    ),
    "an idle session carries on": (
        "AND live_session.idle_until > ?3",
        "",
        (IdleSessionContract, "test_a_grant_ends_with_its_session_and_an_offline_one_does_not"),
    ),
    "offline access needs no session at redemption": (
        "(?7 IS NULL OR EXISTS (",
        "(?7 IS NULL OR ?9 = 1 OR EXISTS (",
        (SignOutContract, "test_nothing_is_redeemed_after"),
    ),
    "another consent will do": (
        "AND live_consent.id = ",
        "OR live_consent.id = ",
        (RevokeContract, "test_a_consent_given_anew_does_not_revive_what_the_old_one_carried"),
    ),
    "an old epoch will do": (
        "live_user.epoch = ",
        "live_user.epoch >= ",
        (NewEpochContract, "test_what_was_redeemed_before_is_dead_after"),
    ),
    "epochs go back": (
        "CASE WHEN excluded.epoch > users.epoch THEN",
        "CASE WHEN 1 THEN",
        (NewEpochContract, "test_a_declared_person_never_brings_an_old_epoch_back"),
    ),
    "another password leaves the epoch": (
        "WHEN COALESCE(users.password_hash, '') <> COALESCE(excluded.password_hash, '') THEN users.epoch + 1",
        "",
        (UserContract, "test_another_password_moves_the_epoch_once_whatever_the_caller_thinks_it_is"),
    ),
    "disabling leaves the epoch": (
        "SET disabled_at = ?3, epoch = epoch + 1",
        "SET disabled_at = ?3",
        (DisabledUserContract, "test_enabled_again_the_person_starts_with_nothing"),
    ),
    "a disabled client redeems": (
        "AND live_client.disabled_at IS NULL",
        "",
        (RedeemContract, "test_a_disabled_client_redeems_nothing"),
    ),
    "an enabled client finds its old grants": (
        "live_client.grants_since < ",
        "-2 < ",
        (DisabledClientContract, "test_enabled_again_the_application_starts_with_nothing"),
    ),
    "workspaces share grants": (
        "WHERE g.workspace_id = ?1 AND",
        "WHERE ?1 = ?1 AND",
        (RedeemContract, "test_another_workspace_with_the_same_ids_has_none_of_it"),
    ),
    "withdrawal writes nothing": (
        "DELETE FROM consents WHERE",
        "DELETE FROM consents WHERE 0 AND",
        (WithdrawalContract, "test_raced_against_redemptions_no_grant_is_left_alive"),
    ),
    "renewal keeps the old cookie": (
        "SET cookie_hash = ?3, authenticated_at",
        "SET authenticated_at",
        (SessionContract, "test_of_thirty_renewals_at_once_one_cookie_is_left"),
    ),
    "renewal wakes the dead": (
        "s.ended_at IS NULL AND s.idle_until > ?13 AND",
        "",
        (SessionContract, "test_raced_against_sign_out_no_renewal_brings_a_session_back"),
    ),
    "consent is replaced": (
        "SET resources = ?4, access = ?5",
        "SET resources = ?4, access = substr(?5, 1, 6)",
        (ConsentContract, "test_what_thirty_requests_add_at_once_is_all_kept_under_one_id"),
    ),
    "the last key wins": (
        "(workspace_id, key_use, generation) DO NOTHING",
        "(workspace_id, key_use, generation) DO UPDATE SET private_part = excluded.private_part",
        (ConfigurationContract, "test_of_thirty_keys_of_one_generation_one_stands_for_everybody"),
    ),
    "purging takes what lives": (
        "created_at < ?4 AND (idle_until < ?4 OR expires_at < ?4)",
        "created_at < ?4",
        (SweepContract, "test_only_what_ended_before_is_removed"),
    ),
    "forgiving goes below zero": (
        "AND counted > 0",
        "",
        (ThrottleContract, "test_thirty_forgiven_at_once_leave_nothing_counted"),
    ),
}


class Altered(SqliteDatabase):
    """SQLite with one thing said differently."""

    def __init__(self, path: Path, old: str, new: str) -> None:
        super().__init__(path)
        self._old, self._new = old, new
        self.altered = False

    def _text(self, statement: Statement) -> str:
        text = statement.numbered("?")
        self.altered = self.altered or self._old in text
        return text.replace(self._old, self._new)


@pytest.mark.parametrize(("old", "new", "test"), ALTERATIONS.values(), ids=ALTERATIONS.keys())
async def test_a_statement_that_leaves_out_its_condition_is_rejected(
    old: str, new: str, test: Test, tmp_path: Path
) -> None:
    database = Altered(tmp_path / "proofkey.db", old, new)
    await _rejected(test, SqlStore(database))
    assert database.altered


class AlteredPostgres(PostgresDatabase):
    """PostgreSQL with one thing said differently."""

    old, new, altered = "", "", False

    def _text(self, statement: Statement) -> str:
        text = super()._text(statement)
        self.altered = self.altered or self.old in text
        return text.replace(self.old, self.new)


@pytest.mark.parametrize(
    ("old", "new", "test"),
    [
        ("AND counter = $3", "AND $3 >= 0", FIFTY_REFRESHES),
        (
            "WHERE attempts.ends_at <= $3 OR attempts.counted < $5",
            "WHERE $3 + $5 > 0",
            (ThrottleContract, "test_of_fifty_attempts_at_once_exactly_the_allowed_go_on"),
        ),
        (
            "(workspace_id, name) DO NOTHING",
            "(workspace_id, name) DO UPDATE SET user_id = excluded.user_id",
            (UserContract, "test_of_thirty_people_who_claim_one_name_exactly_one_gets_it"),
        ),
        ("AND revoked_at IS NULL RETURNING user_id", "RETURNING user_id", FIRST_REASON),
    ],
    ids=["rotation", "throttle", "login name", "revocation"],
)
async def test_what_one_writer_would_hide_is_rejected_where_many_write(
    old: str, new: str, test: Test, postgres_url: str
) -> None:
    database = AlteredPostgres(postgres_url)
    database.old, database.new = old, new
    await _rejected(test, SqlStore(database))
    assert database.altered


class ReadThenWrite(SqlStore):
    """What most of the field does: look, decide, and then write."""

    async def redeem_code(self, proven: ProvenCode, grant: Grant, now: int) -> RedeemOutcome:
        if await read_rows(self, "SELECT 1 FROM grants"):
            await super().redeem_code(proven, grant, now)
            return CodeAlreadyUsed()
        await asyncio.sleep(0)
        await super().redeem_code(proven, grant, now)
        return Redeemed(LiveGrant(grant, None))

    async def rotate_refresh(self, proven: ProvenRefresh, now: int) -> RotateOutcome:
        live = await self.find_grant(proven.workspace_id, proven.grant_id, now)
        await asyncio.sleep(0)
        if live is None or live.grant.counter != proven.counter:
            return RefreshReplayed()
        await super().rotate_refresh(proven, now)
        return Rotated()

    async def keep_user(self, user: User, login_names: Sequence[str], now: int) -> KeepUserOutcome:
        for name in login_names:
            if await self.find_user(user.workspace_id, name) is not None:
                return LoginNameTaken(name)
        await super().keep_user(user, (user.username,), now)
        return UserKept()

    async def count_attempt(self, workspace_id: str, limits: Sequence[AttemptLimit], now: int) -> AttemptOutcome:
        counted = await read_rows(self, "SELECT MIN(counted) FROM attempts")
        if (counted[0][0] or 0) >= limits[0].allowed:
            return Throttled(now + limits[0].window_for)
        await super().count_attempt(workspace_id, limits, now)
        return Allowed()


class ForgetsReplays(SqlStore):
    """Answers a replay and leaves the grant alive."""

    def _revoke(self, *_: object) -> Script[None]:
        yield Statement("", "SELECT 1"), ()


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (ReadThenWrite, (RedeemContract, "test_of_thirty_callers_at_once_exactly_one_wins_and_its_grant_is_dead")),
        (ReadThenWrite, FIFTY_REFRESHES),
        (ReadThenWrite, (UserContract, "test_of_thirty_people_who_claim_one_name_exactly_one_gets_it")),
        (ReadThenWrite, (ThrottleContract, "test_of_fifty_attempts_at_once_exactly_the_allowed_go_on")),
        (ForgetsReplays, (RedeemContract, "test_a_replay_has_killed_the_grant_when_its_answer_returns")),
        (ForgetsReplays, (RefreshContract, "test_after_the_leeway_the_previous_token_kills_the_family")),
        (ForgetsReplays, (RefreshContract, "test_once_its_successor_was_used_the_previous_token_kills_the_family")),
    ],
    ids=["code", "refresh", "login name", "throttle", "replayed code", "late refresh", "older refresh"],
)
async def test_a_store_that_looks_before_it_writes_or_forgets_is_rejected(
    broken: type[SqlStore], test: Test, tmp_path: Path
) -> None:
    await _rejected(test, broken(SqliteDatabase(tmp_path / "proofkey.db")))


class Forgetful(Altered):
    """Commits once without saying so, and does not know its own work again."""

    to_lose = 0

    def _commit(self) -> None:
        super()._commit()
        if self.to_lose:
            self.to_lose = 0
            raise apsw.IOError("lost")

    def lose(self) -> None:
        self.to_lose = 1


@pytest.mark.parametrize(
    ("old", "new", "test"),
    [
        (
            "SELECT attempt FROM grants",
            "SELECT x'00' FROM grants",
            (LostAnswerContract, "test_a_redemption_whose_answer_was_lost_is_still_the_caller_s"),
        ),
        (
            "attempt = ?6, ",
            "",
            (LostAnswerContract, "test_a_rotation_whose_answer_was_lost_kills_nobody_even_without_leeway"),
        ),
    ],
    ids=["code", "refresh"],
)
async def test_a_store_that_does_not_know_its_own_attempt_is_rejected(
    old: str, new: str, test: Test, tmp_path: Path
) -> None:
    database = Forgetful(tmp_path / "proofkey.db", old, new)
    await _rejected(test, SqlStore(database), database.lose)
    assert database.altered


async def _rejected(test: Test, store: SqlStore, *fixtures: object) -> None:
    """Run one test of the contract as pytest would, and see it fail."""
    contract, name = test
    await store.open()
    if isinstance(store._database, PostgresDatabase):
        await open_every_connection(store)
    try:
        with pytest.raises(AssertionError):
            await getattr(contract(), name)(store, *fixtures)
    finally:
        await store.close()
