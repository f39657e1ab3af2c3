"""The key ring on a real store: what each moment of a key's life allows, and who can read it at rest."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.records import DAY, HOUR, MINUTE, Lifetimes
from proofkey.seal import SealBroken
from proofkey.server.keys import SCHEDULES, KeyRing, KeyUse, active_key, state_of, states_of
from proofkey.server.master_key import MasterKey, hash_client_secret
from proofkey.server.store.contract import StoredKey
from tests.engine import NOON, Deployment

MASTER = MasterKey(b"m" * 32)
USES: tuple[KeyUse, ...] = ("seal", "refresh", "ES256", "RS256")


def key(generation: int, active_at: int, use: KeyUse = "ES256") -> StoredKey:
    return StoredKey("w", use, generation, active_at - DAY, active_at, b"", b"")


def test_a_key_is_announced_active_retired_and_removed_to_the_millisecond() -> None:
    old, new = key(1, NOON), key(2, NOON + 30 * DAY)
    gone = new.active_at + SCHEDULES["ES256"].keep_for
    moments = [NOON - 1, NOON, new.active_at - 1, new.active_at, gone - 1, gone]
    assert ["announced", "active", "active", "retired", "retired", "removed"] == [
        state_of(old, new, now) for now in moments
    ]
    assert "active" == state_of(new, None, gone + 1000 * DAY)


def test_the_active_key_is_the_newest_whose_moment_has_come() -> None:
    keys = [key(3, NOON + DAY), key(1, NOON - 60 * DAY), key(2, NOON)]
    assert [2, 2, 3] == [active_key(keys, now).generation for now in (NOON, NOON + DAY - 1, NOON + DAY)]
    assert [1, 2, 3] == [found.generation for found, _ in states_of(keys, NOON)]


def test_a_clock_behind_the_one_that_made_the_first_key_still_finds_it() -> None:
    assert 1 == active_key([key(1, NOON)], NOON - 5).generation
    with pytest.raises(LookupError):
        active_key([], NOON)


def test_a_key_is_kept_for_the_longest_life_it_protects() -> None:
    lifetimes = Lifetimes()
    assert SCHEDULES["seal"].keep_for >= max(lifetimes.request_for, lifetimes.code_for, DAY)
    assert SCHEDULES["refresh"].keep_for > 3_650 * DAY  # the longest refresh_absolute a file may declare
    for use in ("ES256", "RS256"):
        assert SCHEDULES[use].keep_for >= DAY  # the longest access_token a file may declare
    for schedule in SCHEDULES.values():
        assert schedule.announce_for >= 10 * MINUTE


@pytest.mark.parametrize("use", USES)
async def test_the_first_rotation_makes_a_key_that_is_active_at_once_and_asking_again_makes_none(
    deployment: Deployment, use: KeyUse
) -> None:
    ring = KeyRing(deployment.store, MASTER, os.urandom)
    first = await ring.rotate("w", use, NOON)
    assert [(1, NOON)] == [(found.generation, found.active_at) for found in first]
    assert first == await ring.rotate("w", use, NOON + 1)


@pytest.mark.parametrize("use", USES)
async def test_a_successor_is_announced_once_and_in_time(deployment: Deployment, use: KeyUse) -> None:
    ring, schedule = KeyRing(deployment.store, MASTER, os.urandom), SCHEDULES[use]
    await ring.rotate("w", use, NOON)
    due = NOON + schedule.rotate_every - schedule.announce_for
    assert 1 == len(await ring.rotate("w", use, due - 1))
    announced = await ring.rotate("w", use, due)
    assert [NOON, NOON + schedule.rotate_every] == [found.active_at for found in announced]
    assert announced == await ring.rotate("w", use, due + 1)


async def test_after_a_long_sleep_the_old_key_signs_until_the_new_one_was_announced_long_enough(
    deployment: Deployment,
) -> None:
    ring = KeyRing(deployment.store, MASTER, os.urandom)
    await ring.rotate("w", "ES256", NOON)
    late = NOON + 400 * DAY
    keys = await ring.rotate("w", "ES256", late)
    assert (late + DAY, 1) == (keys[-1].active_at, active_key(keys, late).generation)


async def test_a_removed_key_is_gone_from_the_store(deployment: Deployment) -> None:
    ring = KeyRing(deployment.store, MASTER, os.urandom)
    await ring.rotate("w", "ES256", NOON)
    await ring.rotate("w", "ES256", NOON + 29 * DAY)
    assert [1, 2] == [found.generation for found in await ring.rotate("w", "ES256", NOON + 31 * DAY + HOUR - 1)]
    assert [2] == [found.generation for found in await ring.rotate("w", "ES256", NOON + 31 * DAY + HOUR)]
    assert [2] == [found.generation for found in await deployment.store.find_keys("w")]


async def test_two_rings_agree_on_the_key_that_was_written_first(deployment: Deployment) -> None:
    one, two = (KeyRing(deployment.store, MASTER, os.urandom) for _ in range(2))
    assert await one.rotate("w", "seal", NOON) == await two.rotate("w", "seal", NOON + 1)


async def test_the_private_part_is_encrypted_and_opens_for_its_own_place_alone(deployment: Deployment) -> None:
    ring = KeyRing(deployment.store, MASTER, os.urandom)
    [sealing] = await ring.rotate("w", "seal", NOON)
    secret = ring.unwrap(sealing)
    assert 32 == len(secret)
    assert secret not in sealing.private
    moved = [
        replace(sealing, workspace_id="v"),
        replace(sealing, use="refresh"),
        replace(sealing, generation=2),
        replace(sealing, private=sealing.private[:-1]),
        replace(sealing, private=sealing.private[:-1] + bytes((sealing.private[-1] ^ 1,))),
        replace(sealing, private=b""),
    ]
    for elsewhere in moved:
        with pytest.raises(SealBroken):
            ring.unwrap(elsewhere)
    with pytest.raises(SealBroken):
        KeyRing(deployment.store, MasterKey(b"x" * 32), os.urandom).unwrap(sealing)


async def test_a_signing_key_is_parsed_once_and_knows_its_algorithm(deployment: Deployment) -> None:
    ring = KeyRing(deployment.store, MASTER, os.urandom)
    for alg in ("ES256", "RS256"):
        [stored] = await ring.rotate("w", alg, NOON)
        assert alg == ring.signing_key(stored).alg
        assert ring.signing_key(stored) is ring.signing_key(stored)


def test_a_master_key_has_32_bytes() -> None:
    for length in (0, 31, 33):
        with pytest.raises(ValueError, match="32 bytes"):
            MasterKey(bytes(length))


def test_a_secret_is_hashed_with_its_workspace_and_client() -> None:
    hashed = hash_client_secret(MASTER, "w", "c", "s")
    others = [("v", "c", "s"), ("w", "d", "s"), ("w", "c", "s\0"), ("w", "c", "")]
    assert hashed not in [hash_client_secret(MASTER, *other) for other in others]
    assert hashed != hash_client_secret(MasterKey(b"x" * 32), "w", "c", "s")


@given(st.binary(max_size=80), st.text(max_size=20))
def test_what_is_wrapped_unwraps(plain: bytes, context: str) -> None:
    wrapped = MASTER.wrap(plain, context, os.urandom(12))
    assert plain == MASTER.unwrap(wrapped, context)
    with pytest.raises(SealBroken):
        MASTER.unwrap(wrapped, context + "x")
