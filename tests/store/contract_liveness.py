"""What the contract demands when somebody ends what a grant rests on, before, while or after it is used (law 10)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from proofkey.protocol.records import LiveGrant
from proofkey.server.store.contract import AuthorizationGone, Redeemed, Store
from tests.store.facts import (
    ALICE,
    NOON,
    PLACE,
    SESSION,
    SPA,
    code,
    grant,
    refresh,
    row_id,
    set_scene,
    set_scene_with_grant,
)

_GRANTS = 10


async def _sign_out(store: Store) -> None:
    await store.end_session(PLACE, SESSION.id, NOON)


async def _withdraw(store: Store) -> None:
    await store.withdraw_consent(PLACE, "alice", "spa", NOON)


async def _disable_alice(store: Store) -> None:
    await store.disable_user(PLACE, "alice", NOON)


async def _disable_spa(store: Store) -> None:
    await store.disable_client(PLACE, "spa", NOON)


async def _change_password(store: Store) -> None:
    await store.keep_user(replace(ALICE, epoch=1, password_hash="$argon2id$new"), ("alice",), NOON)


async def _sign_in_anew(store: Store) -> None:
    await store.start_session(replace(SESSION, id=b"another-session!", cookie_hash=b"d" * 32), SESSION.id, NOON)


class _EndContract:
    """One way to end things, against every way to use them."""

    end: Callable[[Store], Awaitable[None]]
    survives_offline = False

    async def test_what_was_redeemed_before_is_dead_after(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await type(self).end(store)
        assert await store.find_grant(PLACE, row_id(0), NOON) is None
        assert AuthorizationGone() == await store.rotate_refresh(refresh(), NOON)
        assert AuthorizationGone() == await store.rotate_refresh(refresh(rotates=False), NOON)

    async def test_nothing_is_redeemed_after(self, store: Store) -> None:
        await set_scene(store)
        await type(self).end(store)
        assert AuthorizationGone() == await store.redeem_code(code(), grant(), NOON)
        assert AuthorizationGone() == await store.redeem_code(code(), grant(offline=True), NOON)

    async def test_raced_against_redemptions_no_grant_is_left_alive(self, store: Store) -> None:
        await set_scene(store)
        redeem = [store.redeem_code(code(n), grant(n), NOON) for n in range(3 * _GRANTS)]
        await asyncio.gather(*redeem[:_GRANTS], type(self).end(store), *redeem[_GRANTS:])
        for number in range(3 * _GRANTS):
            assert await store.find_grant(PLACE, row_id(number), NOON) is None

    async def test_raced_against_refreshes_no_grant_is_left_alive(self, store: Store) -> None:
        await set_scene(store)
        for number in range(3 * _GRANTS):
            await store.redeem_code(code(number), grant(number), NOON)
        rotate = [store.rotate_refresh(refresh(n), NOON) for n in range(3 * _GRANTS)]
        await asyncio.gather(*rotate[:_GRANTS], type(self).end(store), *rotate[_GRANTS:])
        for number in range(3 * _GRANTS):
            assert await store.find_grant(PLACE, row_id(number), NOON) is None
            assert AuthorizationGone() == await store.rotate_refresh(refresh(number, 1), NOON)

    async def test_only_sign_out_leaves_offline_grants_alive(self, store: Store) -> None:
        written = await set_scene_with_grant(store, offline=True)
        await type(self).end(store)
        expected = LiveGrant(written, ALICE) if self.survives_offline else None
        assert expected == await store.find_grant(PLACE, row_id(0), NOON)


class SignOutContract(_EndContract):
    end = staticmethod(_sign_out)
    survives_offline = True


class SignInAnewContract(_EndContract):
    end = staticmethod(_sign_in_anew)
    survives_offline = True


class WithdrawalContract(_EndContract):
    end = staticmethod(_withdraw)


class DisabledUserContract(_EndContract):
    end = staticmethod(_disable_alice)

    async def test_enabled_again_the_person_starts_with_nothing(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await _disable_alice(store)
        await store.keep_user(ALICE, ("alice",), NOON + 1)
        assert await store.find_grant(PLACE, row_id(0), NOON + 1) is None
        assert await store.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON + 1) is None
        found = await store.find_user(PLACE, "alice")
        assert found is not None
        assert (1, None) == (found.epoch, found.disabled_at)


class DisabledClientContract(_EndContract):
    end = staticmethod(_disable_spa)

    async def test_enabled_again_the_application_starts_with_nothing(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await _disable_spa(store)
        await store.keep_client(PLACE, SPA, NOON + 1)
        assert await store.find_grant(PLACE, row_id(0), NOON + 1) is None
        later = grant(1, created_at=NOON + 2)
        assert Redeemed(LiveGrant(later, ALICE)) == await store.redeem_code(code(1), later, NOON + 2)


class NewEpochContract(_EndContract):
    end = staticmethod(_change_password)

    async def test_a_declared_person_never_brings_an_old_epoch_back(self, store: Store) -> None:
        await set_scene_with_grant(store)
        await _change_password(store)
        await store.keep_user(ALICE, ("alice",), NOON + 1)
        assert await store.find_grant(PLACE, row_id(0), NOON + 1) is None


class IdleSessionContract:
    async def test_a_grant_ends_with_its_session_and_an_offline_one_does_not(self, store: Store) -> None:
        await set_scene_with_grant(store)
        offline = grant(1, offline=True)
        await store.redeem_code(code(1), offline, NOON)
        assert await store.find_grant(PLACE, row_id(0), SESSION.idle_until) is None
        assert LiveGrant(offline, ALICE) == await store.find_grant(PLACE, row_id(1), SESSION.idle_until)
