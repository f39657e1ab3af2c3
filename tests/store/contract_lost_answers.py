"""What the contract demands when a commit happens and its answer does not arrive: the caller still hears what is true."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from proofkey.protocol.records import LiveGrant
from proofkey.server.store.contract import CodeAlreadyUsed, GrantBegun, Redeemed, Rotated, Store, StoredKey, UserKept
from tests.store.contract_grants import kinds
from tests.store.facts import (
    ALICE,
    CONSENT,
    NOON,
    PLACE,
    SESSION,
    audited,
    code,
    grant,
    refresh,
    robot_grant,
    row_id,
    set_scene,
    set_scene_with_grant,
)

Lose = Callable[[], None]
"""Drop the connection right after the next commit."""


class LostAnswerContract:
    async def test_a_redemption_whose_answer_was_lost_is_still_the_caller_s(self, store: Store, lose: Lose) -> None:
        await set_scene(store)
        lose()
        assert Redeemed(LiveGrant(grant(), ALICE)) == await store.redeem_code(code(), grant(), NOON)
        assert LiveGrant(grant(), ALICE) == await store.find_grant(PLACE, row_id(0), NOON)
        assert CodeAlreadyUsed() == await store.redeem_code(code(), grant(0, 1), NOON)

    async def test_of_thirty_redemptions_at_once_still_only_one_wins(self, store: Store, lose: Lose) -> None:
        await set_scene(store)
        lose()
        answers = await asyncio.gather(*(store.redeem_code(code(), grant(0, n), NOON) for n in range(30)))
        assert Counter(Redeemed=1, CodeAlreadyUsed=29) == kinds(list(answers))
        assert await store.find_grant(PLACE, row_id(0), NOON) is None
        assert 1 == len(await audited(store, "code_replayed"))

    async def test_a_rotation_whose_answer_was_lost_kills_nobody_even_without_leeway(
        self, store: Store, lose: Lose
    ) -> None:
        await set_scene_with_grant(store)
        lose()
        assert Rotated() == await store.rotate_refresh(refresh(leeway_for=0), NOON)
        found = await store.find_grant(PLACE, row_id(0), NOON)
        assert found is not None
        assert 1 == found.grant.counter

    async def test_a_refresh_that_does_not_rotate_is_answered(self, store: Store, lose: Lose) -> None:
        await set_scene_with_grant(store)
        lose()
        assert Rotated() == await store.rotate_refresh(refresh(leeway_for=0, rotates=False), NOON)
        found = await store.find_grant(PLACE, row_id(0), NOON)
        assert found is not None
        assert 0 == found.grant.counter

    async def test_a_client_s_own_grant_is_begun(self, store: Store, lose: Lose) -> None:
        await set_scene(store)
        lose()
        assert GrantBegun() == await store.begin_grant(robot_grant(), NOON)

    async def test_a_replay_is_answered_and_audited_once(self, store: Store, lose: Lose) -> None:
        await set_scene_with_grant(store)
        lose()
        assert CodeAlreadyUsed() == await store.redeem_code(code(), grant(0, 1), NOON)
        assert 1 == len(await audited(store, "code_replayed"))

    async def test_what_a_person_did_is_done_and_audited_once(self, store: Store, lose: Lose) -> None:
        await set_scene(store)
        after = replace(SESSION, id=b"the-next-session", cookie_hash=b"n" * 32)
        lose()
        await store.start_session(after, SESSION.id, NOON)
        lose()
        assert await store.renew_session(after, NOON)
        lose()
        assert await store.choose_account(PLACE, after.id, b"request-2", NOON)
        lose()
        assert CONSENT == await store.give_consent(CONSENT, NOON)
        lose()
        await store.withdraw_consent(PLACE, "alice", "spa", NOON)
        lose()
        await store.end_session(PLACE, after.id, NOON)
        for what, times in {
            "session_started": 2,
            "session_renewed": 1,
            "consent_given": 2,
            "consent_withdrawn": 1,
            "session_ended": 2,
        }.items():
            assert (what, times) == (what, len(await audited(store, what)))

    async def test_what_an_administrator_did_is_done_and_audited_once(self, store: Store, lose: Lose) -> None:
        await set_scene(store)
        lose()
        assert UserKept() == await store.keep_user(replace(ALICE, claims={}), ("alice", "al"), NOON)
        lose()
        await store.disable_user(PLACE, "alice", NOON)
        lose()
        await store.disable_client(PLACE, "spa", NOON)
        key = StoredKey(PLACE, "ES256", 1, NOON, NOON, b"private", b"public")
        lose()
        assert key == await store.keep_key(key)
        for what, times in {"user_kept": 2, "user_disabled": 1, "client_disabled": 1}.items():
            assert (what, times) == (what, len(await audited(store, what)))
        assert replace(ALICE, claims={}, epoch=1, disabled_at=NOON) == await store.find_user(PLACE, "al")
