"""What the contract demands of codes, refresh tokens and grants."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

from proofkey.protocol.records import DAY, HOUR, LiveGrant, wire_id
from proofkey.server.store.contract import (
    AuthorizationGone,
    CodeAlreadyUsed,
    CounterAhead,
    GrantBegun,
    Redeemed,
    RefreshReplayed,
    Retried,
    Rotated,
    Store,
)
from tests.store.facts import (
    ALICE,
    CONSENT,
    LEEWAY,
    NOON,
    PLACE,
    SESSION,
    audited,
    code,
    grant,
    read_rows,
    refresh,
    robot_grant,
    row_id,
    set_scene,
    set_scene_with_grant,
)


def kinds(answers: list[object]) -> Counter[str]:
    """How often each outcome was answered."""
    return Counter(type(answer).__name__ for answer in answers)


class RedeemContract:
    """`redeem_code` and `begin_grant`."""

    async def test_a_redeemed_grant_is_found_as_it_was_written(self, store: Store) -> None:
        await set_scene(store)
        written = grant()
        expected = LiveGrant(written, ALICE)
        assert Redeemed(expected) == await store.redeem_code(code(), written, NOON)
        assert expected == await store.find_grant(PLACE, written.id, NOON)

    async def test_of_thirty_callers_at_once_exactly_one_wins_and_its_grant_is_dead(self, store: Store) -> None:
        await set_scene(store)
        answers = await asyncio.gather(*(store.redeem_code(code(), grant(0, n), NOON) for n in range(30)))
        assert Counter(Redeemed=1, CodeAlreadyUsed=29) == kinds(list(answers))
        assert await store.find_grant(PLACE, row_id(0), NOON) is None
        assert [("alice", "spa", wire_id(row_id(0)))] == list(await audited(store, "code_replayed"))

    async def test_fifty_codes_at_once_are_all_redeemed(self, store: Store) -> None:
        await set_scene(store)
        answers = await asyncio.gather(*(store.redeem_code(code(n), grant(n, n), NOON) for n in range(50)))
        assert Counter(Redeemed=50) == kinds(list(answers))
        for number in range(50):
            assert LiveGrant(grant(number, number), ALICE) == await store.find_grant(PLACE, row_id(number), NOON)

    async def test_a_replay_has_killed_the_grant_when_its_answer_returns(self, store: Store) -> None:
        await set_scene_with_grant(store)
        assert CodeAlreadyUsed() == await store.redeem_code(code(), grant(0, 1), NOON + 1)
        assert await store.find_grant(PLACE, row_id(0), NOON + 1) is None
        assert AuthorizationGone() == await store.rotate_refresh(refresh(), NOON + 1)
        assert [("code_replayed", NOON + 1)] == await read_rows(store, "SELECT revoked_for, revoked_at FROM grants")

    async def test_the_same_attempt_again_is_an_answer_that_was_lost(self, store: Store) -> None:
        written = await set_scene_with_grant(store)
        assert Redeemed(LiveGrant(written, ALICE)) == await store.redeem_code(code(), written, NOON)
        assert await store.find_grant(PLACE, row_id(0), NOON) is not None

    async def test_nothing_is_written_where_the_authorization_is_gone(self, store: Store) -> None:
        await set_scene(store)
        for changed in (
            grant(user_epoch=1),
            grant(user_id="nobody"),
            grant(session_id=b"no-such-session!"),
            grant(consent_id=b"no-such-consent!"),
        ):
            assert AuthorizationGone() == await store.redeem_code(code(), changed, NOON)
        assert [(0,)] == await read_rows(store, "SELECT COUNT(*) FROM grants")

    async def test_a_disabled_client_redeems_nothing(self, store: Store) -> None:
        await set_scene(store)
        await store.disable_client(PLACE, "spa", NOON)
        assert AuthorizationGone() == await store.redeem_code(code(), grant(), NOON)
        assert AuthorizationGone() == await store.redeem_code(code(), grant(created_at=NOON + 1), NOON + 1)

    async def test_a_code_needs_its_session_even_for_offline_access(self, store: Store) -> None:
        await set_scene(store)
        await store.end_session(PLACE, SESSION.id, NOON)
        assert AuthorizationGone() == await store.redeem_code(code(), grant(offline=True), NOON)

    async def test_a_session_past_its_idle_end_redeems_nothing(self, store: Store) -> None:
        await set_scene(store)
        assert AuthorizationGone() == await store.redeem_code(code(), grant(), SESSION.idle_until)

    async def test_another_workspace_with_the_same_ids_has_none_of_it(self, store: Store) -> None:
        await set_scene_with_grant(store)
        assert await store.find_grant("elsewhere", row_id(0), NOON) is None
        await store.revoke_grant("elsewhere", row_id(0), "signed_out", NOON)
        assert await store.find_grant(PLACE, row_id(0), NOON) is not None

    async def test_a_grant_that_is_not_the_proven_code_s_is_a_bug(self, store: Store) -> None:
        await set_scene(store)
        (answer,) = await asyncio.gather(store.redeem_code(code(0), grant(1), NOON), return_exceptions=True)
        assert isinstance(answer, ValueError)

    async def test_redeeming_moves_the_idle_end_of_the_session_but_not_every_time(self, store: Store) -> None:
        await set_scene(store)
        soon, later = NOON + 5 * 60_000, NOON + HOUR
        await store.redeem_code(code(1), grant(1), soon)
        assert [(SESSION.idle_until,)] == await read_rows(store, "SELECT idle_until FROM sessions")
        await store.redeem_code(code(2), grant(2), later)
        assert [(SESSION.idle_until + HOUR,)] == await read_rows(store, "SELECT idle_until FROM sessions")

    async def test_the_idle_end_never_passes_the_absolute_end(self, store: Store) -> None:
        await set_scene(store)
        await store.renew_session(replace(SESSION, expires_at=SESSION.idle_until + HOUR), NOON)
        await store.redeem_code(code(1), grant(1), NOON + 11 * HOUR)
        assert [(SESSION.idle_until + HOUR,)] == await read_rows(store, "SELECT idle_until FROM sessions")

    async def test_a_client_acts_for_itself_while_it_is_enabled(self, store: Store) -> None:
        await set_scene(store)
        assert GrantBegun() == await store.begin_grant(robot_grant(), NOON)
        assert LiveGrant(robot_grant(), None) == await store.find_grant(PLACE, robot_grant().id, NOON)
        await store.disable_client(PLACE, "service", NOON + 1)
        assert await store.find_grant(PLACE, robot_grant().id, NOON + 1) is None
        assert AuthorizationGone() == await store.begin_grant(replace(robot_grant(), id=row_id(8)), NOON + 1)

    async def test_of_thirty_that_begin_one_grant_exactly_one_does(self, store: Store) -> None:
        await set_scene(store)
        answers = await asyncio.gather(*(store.begin_grant(robot_grant(n), NOON) for n in range(30)))
        assert Counter(GrantBegun=1, AuthorizationGone=29) == kinds(list(answers))


class RefreshContract:
    """`rotate_refresh`."""

    async def test_rotation_moves_counter_and_idle_end(self, store: Store) -> None:
        written = await set_scene_with_grant(store)
        assert Rotated() == await store.rotate_refresh(refresh(), NOON + 5)
        found = await store.find_grant(PLACE, row_id(0), NOON + 5)
        assert found is not None
        attempt = found.grant.attempt
        rotated = replace(written, attempt=attempt, counter=1, rotated_at=NOON + 5, idle_until=NOON + 31 * DAY)
        assert LiveGrant(rotated, ALICE) == found

    async def test_a_token_that_does_not_rotate_keeps_its_counter(self, store: Store) -> None:
        written = await set_scene_with_grant(store)
        for now in (NOON + 5, NOON + DAY // 4):
            assert Rotated() == await store.rotate_refresh(refresh(rotates=False), now)
            found = await store.find_grant(PLACE, row_id(0), now)
            assert found is not None
            kept = (found.grant.counter, found.grant.rotated_at, found.grant.idle_until)
            assert (0, 0, NOON + 31 * DAY) == kept
        assert written.created_at == NOON

    async def test_of_fifty_refreshes_at_once_one_rotates_and_nobody_is_signed_out(self, store: Store) -> None:
        await set_scene_with_grant(store)
        answers = await asyncio.gather(*(store.rotate_refresh(refresh(), NOON + 5) for _ in range(50)))
        assert Counter(Rotated=1, Retried=49) == kinds(list(answers))
        found = await store.find_grant(PLACE, row_id(0), NOON + 5)
        assert found is not None
        assert 1 == found.grant.counter

    async def test_without_leeway_of_fifty_at_once_one_rotates_and_the_family_is_dead(self, store: Store) -> None:
        await set_scene_with_grant(store)
        answers = await asyncio.gather(*(store.rotate_refresh(refresh(leeway_for=0), NOON + 5) for _ in range(50)))
        counted = kinds(list(answers))
        assert (1, 49) == (counted["Rotated"], counted["RefreshReplayed"] + counted["AuthorizationGone"])
        assert counted["RefreshReplayed"] >= 1
        assert await store.find_grant(PLACE, row_id(0), NOON + 5) is None
        assert [("alice", "spa", wire_id(row_id(0)))] == list(await audited(store, "refresh_replayed"))

    async def test_a_retry_within_the_leeway_writes_nothing_and_extends_nothing(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await store.rotate_refresh(refresh(), NOON)
        before = await read_rows(store, "SELECT * FROM grants")
        assert Retried() == await store.rotate_refresh(refresh(idle_until=NOON + 99 * DAY), NOON + LEEWAY - 1)
        assert before == await read_rows(store, "SELECT * FROM grants")

    async def test_after_the_leeway_the_previous_token_kills_the_family(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await store.rotate_refresh(refresh(), NOON)
        assert RefreshReplayed() == await store.rotate_refresh(refresh(), NOON + LEEWAY)
        assert await store.find_grant(PLACE, row_id(0), NOON + LEEWAY) is None
        assert AuthorizationGone() == await store.rotate_refresh(refresh(counter=1), NOON + LEEWAY)

    async def test_the_leeway_is_counted_from_the_first_rotation(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await store.rotate_refresh(refresh(), NOON)
        assert isinstance(await store.rotate_refresh(refresh(), NOON + LEEWAY - 1), Retried)
        assert RefreshReplayed() == await store.rotate_refresh(refresh(), NOON + LEEWAY)

    async def test_once_its_successor_was_used_the_previous_token_kills_the_family(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await store.rotate_refresh(refresh(), NOON)
        await store.rotate_refresh(refresh(counter=1), NOON + 1)
        assert RefreshReplayed() == await store.rotate_refresh(refresh(), NOON + 2)
        assert await store.find_grant(PLACE, row_id(0), NOON + 2) is None
        assert [("refresh_replayed", NOON + 2)] == await read_rows(store, "SELECT revoked_for, revoked_at FROM grants")

    async def test_a_counter_from_the_future_is_refused_and_revokes_nothing(self, store: Store) -> None:
        await set_scene_with_grant(store)
        assert CounterAhead() == await store.rotate_refresh(refresh(counter=1), NOON)
        assert await store.find_grant(PLACE, row_id(0), NOON) is not None

    async def test_another_secret_neither_rotates_nor_revokes(self, store: Store) -> None:
        await set_scene_with_grant(store)
        assert AuthorizationGone() == await store.rotate_refresh(refresh(refresh_hash=b"x" * 32), NOON)
        await store.rotate_refresh(refresh(), NOON)
        assert AuthorizationGone() == await store.rotate_refresh(refresh(refresh_hash=b"x" * 32), NOON + DAY)
        assert await store.find_grant(PLACE, row_id(0), NOON) is not None

    async def test_a_grant_that_was_never_made_cannot_be_refreshed(self, store: Store) -> None:
        await set_scene(store)
        assert AuthorizationGone() == await store.rotate_refresh(refresh(), NOON)


class RevokeContract:
    """`revoke_grant` and `revoke_access`."""

    async def test_the_first_reason_of_thirty_stays_and_a_replay_is_audited_once(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await store.revoke_grant(PLACE, row_id(0), "refresh_replayed", NOON + 1)
        await asyncio.gather(*(store.revoke_grant(PLACE, row_id(0), "code_replayed", NOON + 2) for _ in range(30)))
        assert [("refresh_replayed", NOON + 1)] == await read_rows(store, "SELECT revoked_for, revoked_at FROM grants")
        assert 1 == len(await audited(store, "refresh_replayed"))
        assert [] == list(await audited(store, "code_replayed"))
        assert await store.find_grant(PLACE, row_id(0), NOON + 2) is None

    async def test_a_grant_revoked_by_its_client_is_dead_and_not_audited(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await store.revoke_grant(PLACE, row_id(0), "revoked_by_client", NOON)
        assert await store.find_grant(PLACE, row_id(0), NOON) is None
        assert [] == list(await audited(store, "revoked_by_client"))

    async def test_revoked_access_leaves_the_refresh_token_alive_and_never_moves_back(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await store.revoke_access(PLACE, row_id(0), NOON + 9)
        await store.revoke_access(PLACE, row_id(0), NOON + 5)
        found = await store.find_grant(PLACE, row_id(0), NOON + 9)
        assert found is not None
        assert NOON + 9 == found.grant.access_valid_after
        assert isinstance(await store.rotate_refresh(refresh(), NOON + 9), Rotated)

    async def test_a_consent_given_anew_does_not_revive_what_the_old_one_carried(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await store.withdraw_consent(PLACE, "alice", "spa", NOON)
        await store.give_consent(replace(CONSENT, id=b"another-consent!"), NOON)
        assert await store.find_grant(PLACE, row_id(0), NOON) is None
