"""What the contract demands of several stores, in one process and in several, on one database."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from dataclasses import replace
from pathlib import Path

from proofkey.protocol.records import HOUR, User
from proofkey.server.store import open_store
from proofkey.server.store.contract import AttemptLimit, Store, StoredKey
from tests.store.contract_grants import kinds
from tests.store.facts import NOON, PLACE, SESSION, code, grant, refresh, row_id, set_scene, set_scene_with_grant

_ROOT = Path(__file__).parents[2]


async def start_racer(url: str, *arguments: str) -> Process:
    """A process of its own that opens the store at *url*; see `racer.py`."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.racer", url, *arguments, stdin=PIPE, stdout=PIPE, cwd=_ROOT
    )


async def next_line(process: Process) -> str:
    """What it says next."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


class TwoStoresContract:
    """Two stores of one process: `store` and `other`."""

    async def test_one_code_is_redeemed_once_by_either(self, store: Store, other: Store) -> None:
        await set_scene(store)
        answers = await asyncio.gather(
            *(one.redeem_code(code(), grant(0, n), NOON) for n, one in enumerate([store, other] * 25))
        )
        assert Counter(Redeemed=1, CodeAlreadyUsed=49) == kinds(list(answers))
        assert await other.find_grant(PLACE, row_id(0), NOON) is None

    async def test_one_refresh_token_is_rotated_once_by_either(self, store: Store, other: Store) -> None:
        await set_scene_with_grant(store)
        answers = await asyncio.gather(*(one.rotate_refresh(refresh(), NOON) for one in [store, other] * 25))
        assert Counter(Rotated=1, Retried=49) == kinds(list(answers))

    async def test_what_one_ended_the_other_s_next_call_sees(self, store: Store, other: Store) -> None:
        await set_scene_with_grant(store)
        assert await other.find_grant(PLACE, row_id(0), NOON) is not None
        await store.end_session(PLACE, SESSION.id, NOON)
        assert await other.find_grant(PLACE, row_id(0), NOON) is None
        assert await other.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON) is None

    async def test_sign_out_there_leaves_nothing_redeemed_here_alive(self, store: Store, other: Store) -> None:
        await set_scene(store)
        redeem = [store.redeem_code(code(n), grant(n), NOON) for n in range(40)]
        await asyncio.gather(*redeem[:20], other.end_session(PLACE, SESSION.id, NOON), *redeem[20:])
        for number in range(40):
            assert await store.find_grant(PLACE, row_id(number), NOON) is None

    async def test_both_count_one_throttle(self, store: Store, other: Store) -> None:
        limits = (AttemptLimit(1, 7, HOUR), AttemptLimit(2, 9, HOUR))
        answers = await asyncio.gather(*(one.count_attempt(PLACE, limits, NOON) for one in [store, other] * 25))
        assert Counter(Allowed=7, Throttled=43) == kinds(list(answers))

    async def test_both_agree_on_a_key_and_on_whose_a_name_is(self, store: Store, other: Store) -> None:
        keys = [StoredKey("", "seal", 1, NOON, NOON, bytes([n]), b"") for n in range(40)]
        both = [store, other] * 20
        assert 1 == len(set(await asyncio.gather(*(one.keep_key(key) for one, key in zip(both, keys, strict=True)))))
        people = [User(PLACE, f"person-{n}", "p", {}) for n in range(40)]
        answers = await asyncio.gather(
            *(one.keep_user(person, ("wanted",), NOON) for one, person in zip(both, people, strict=True))
        )
        assert Counter(UserKept=1, LoginNameTaken=39) == kinds(list(answers))


class ProcessesContract:
    """Processes of their own on the empty database at `url`."""

    async def test_processes_that_open_at_once_redeem_each_code_once(self, url: str) -> None:
        racers = [await start_racer(url, "redeem", str(number), "60") for number in range(3)]
        try:
            assert ["ready"] * 3 == [await next_line(racer) for racer in racers]
            store = open_store(url)
            await store.open()
            await set_scene(store)
            said = await asyncio.gather(*(racer.communicate(b"go\n") for racer in racers))
            outcomes = [json.loads(out) for out, _ in said]
            assert [0] * 3 == [racer.returncode for racer in racers]
            for number, of_one_code in enumerate(zip(*outcomes, strict=True)):
                assert Counter(Redeemed=1, CodeAlreadyUsed=2) == Counter(of_one_code)
                assert await store.find_grant(PLACE, row_id(number), NOON) is None
            await store.close()
        finally:
            for racer in racers:
                if racer.returncode is None:
                    racer.kill()
                    await racer.wait()

    async def test_what_was_acknowledged_before_a_kill_is_there_after_it(self, url: str) -> None:
        store = open_store(url)
        await store.open()
        await set_scene(store)
        await store.close()
        for victim in range(4):
            acknowledged = await _acknowledged_by_a_victim(url, victim)
            await store.open()
            assert () == await store.check_integrity()
            for number in acknowledged:
                assert await store.find_grant(PLACE, row_id(number), NOON) is not None
            thief = replace(grant(acknowledged[-1]), attempt=b"of-somebody-else")
            answer = await store.redeem_code(code(acknowledged[-1]), thief, NOON)
            assert "CodeAlreadyUsed" == type(answer).__name__
            await store.close()


async def _acknowledged_by_a_victim(url: str, victim: int) -> list[int]:
    """The numbers of the codes that a process said were redeemed, before it was killed amid redeeming more."""
    racer = await start_racer(url, "until_killed", str(victim * 1_000_000))
    assert "ready" == await next_line(racer)
    assert racer.stdin is not None
    racer.stdin.write(b"go\n")
    acknowledged = [int(await next_line(racer)) for _ in range(150 + 37 * victim)]
    racer.kill()
    rest, _ = await racer.communicate()
    whole = rest.decode().rpartition("\n")[0].split()
    return acknowledged + [int(number) for number in whole]
