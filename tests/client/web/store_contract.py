"""What every session store must do: one suite, run against all four and against broken ones it must reject."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from hashlib import sha256
from typing import TypeVar

from proofkey.client.web import SessionStore, StoredSession

NOON = 1_795_262_400_000
HOUR = 3_600_000
CALLERS = 30
Answer = TypeVar("Answer")


def key(name: str) -> bytes:
    """A hash, as all keys are."""
    return sha256(name.encode()).digest()


def session(name: str = "alice's", **changed: object) -> StoredSession:
    """A session that lives two hours, one without use."""
    kept = StoredSession(key(name), key("sid"), key("alice"), "sealed", idle_until=NOON + HOUR, until=NOON + 2 * HOUR)
    return replace(kept, **changed)  # type: ignore[arg-type]


async def at_once(*calls: Awaitable[Answer]) -> Counter[Answer]:
    """How often each answer was given."""
    return Counter(await asyncio.gather(*calls))


class SessionStoreContract:
    """The promises, in the contract's order."""

    async def test_a_kept_transaction_is_taken_once(self, store: SessionStore) -> None:
        await store.keep_transaction(key("t"), "sealed", until=NOON + HOUR, now=NOON)
        assert "sealed" == await store.take_transaction(key("t"), now=NOON)
        assert await store.take_transaction(key("t"), now=NOON) is None

    async def test_of_thirty_who_take_a_transaction_one_gets_it(self, store: SessionStore) -> None:
        await store.keep_transaction(key("t"), "sealed", until=NOON + HOUR, now=NOON)
        answers = await at_once(*(store.take_transaction(key("t"), now=NOON) for _ in range(CALLERS)))
        assert Counter({None: CALLERS - 1, "sealed": 1}) == answers

    async def test_a_transaction_that_is_over_is_not_given(self, store: SessionStore) -> None:
        await store.keep_transaction(key("t"), "sealed", until=NOON + HOUR, now=NOON)
        assert await store.take_transaction(key("t"), now=NOON + HOUR) is None

    async def test_a_session_is_found_as_it_was_started(self, store: SessionStore) -> None:
        without_sid = session("no sid", sid_key=None)
        await store.start_session(session(), now=NOON)
        await store.start_session(without_sid, now=NOON)
        assert session() == await store.find_session(key("alice's"))
        assert without_sid == await store.find_session(key("no sid"))
        assert await store.find_session(key("nobody's")) is None

    async def test_use_moves_the_idle_lifetime_on(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        assert await store.slide_session(key("alice's"), idle_until=NOON + 2 * HOUR, now=NOON + 1)
        assert session(idle_until=NOON + 2 * HOUR) == await store.find_session(key("alice's"))

    async def test_a_session_that_is_over_is_not_brought_back_by_use(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        assert not await store.slide_session(key("alice's"), idle_until=NOON + 2 * HOUR, now=NOON + HOUR)
        assert not await store.slide_session(key("nobody's"), idle_until=NOON + 2 * HOUR, now=NOON)

    async def test_of_thirty_who_claim_the_refresh_one_has_it(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        claims = (self.claim(store) for _ in range(CALLERS))
        assert Counter({False: CALLERS - 1, True: 1}) == await at_once(*claims)

    async def claim(self, store: SessionStore, version: int = 0, now: int = NOON) -> bool:
        return await store.claim_refresh(key("alice's"), expected_version=version, claimed_until=now + 9, now=now)

    async def renew(self, store: SessionStore, sealed: str = "renewed", version: int = 0, now: int = NOON) -> bool:
        return await store.renew_session(key("alice's"), expected_version=version, sealed=sealed, now=now)

    async def test_a_claim_lapses_and_can_be_given_up(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        assert await self.claim(store)
        assert not await self.claim(store, now=NOON + 8)
        assert await self.claim(store, now=NOON + 9)
        await store.release_refresh(key("alice's"), expected_version=0)
        assert await self.claim(store, now=NOON + 10)

    async def test_renewing_counts_on_and_releases_the_claim(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        assert await self.claim(store)
        assert await self.renew(store)
        assert session(sealed="renewed", version=1) == await store.find_session(key("alice's"))
        assert not await self.claim(store), "the claim was for what has been renewed since"
        assert await self.claim(store, version=1)

    async def test_giving_up_a_claim_does_not_touch_the_next_one(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        assert await self.renew(store)
        assert await self.claim(store, version=1)
        await store.release_refresh(key("alice's"), expected_version=0)
        assert not await self.claim(store, version=1)

    async def test_of_thirty_who_renew_one_is_kept(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        renewals = (self.renew(store, sealed=f"renewed {number}") for number in range(CALLERS))
        assert Counter({False: CALLERS - 1, True: 1}) == await at_once(*renewals)
        found = await store.find_session(key("alice's"))
        assert found is not None
        assert 1 == found.version

    async def test_a_session_that_ended_is_not_renewed(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        assert session() == await store.end_session(key("alice's"))
        assert not await self.renew(store)
        assert not await self.claim(store)
        assert await store.find_session(key("alice's")) is None

    async def test_a_session_that_is_over_is_not_renewed(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        assert not await self.renew(store, now=NOON + HOUR)

    async def test_of_thirty_who_end_a_session_one_gets_it(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        answers = await at_once(*(store.end_session(key("alice's")) for _ in range(CALLERS)))
        assert Counter({None: CALLERS - 1, session(): 1}) == answers

    async def test_renewing_and_ending_at_once_leaves_no_session(self, store: SessionStore) -> None:
        for number in range(10):
            await store.start_session(session(), now=NOON)
            await asyncio.gather(self.renew(store), store.end_session(key("alice's")))
            assert await store.find_session(key("alice's")) is None, number

    async def end(
        self, store: SessionStore, about: str = "alice", notice: str = "jti", signed_in_by: int = NOON, now: int = NOON
    ) -> bool:
        until = now + HOUR
        return await store.end_sessions(key(about), notice=key(notice), signed_in_by=signed_in_by, until=until, now=now)

    async def test_sessions_are_ended_by_sid_or_by_subject(self, store: SessionStore) -> None:
        await store.start_session(session("laptop", sid_key=key("s1")), now=NOON)
        await store.start_session(session("phone", sid_key=key("s2")), now=NOON)
        await store.start_session(session("desk", sid_key=None), now=NOON)
        await store.start_session(session("bob's", sid_key=key("s3"), subject_key=key("bob")), now=NOON)
        assert await self.end(store, "s1", "first")
        assert await store.find_session(key("laptop")) is None
        assert await store.find_session(key("phone")) is not None
        assert await self.end(store, "alice", "second")
        assert await store.find_session(key("phone")) is None
        assert await store.find_session(key("desk")) is None
        assert await store.find_session(key("bob's")) is not None

    async def test_what_was_signed_in_later_stays(self, store: SessionStore) -> None:
        await store.start_session(session("before", signed_in_at=NOON), now=NOON)
        await store.start_session(session("after", signed_in_at=NOON + 1), now=NOON)
        assert await self.end(store)
        assert await store.find_session(key("before")) is None
        assert await store.find_session(key("after")) is not None

    async def test_a_session_that_ended_before_it_started_does_not_start(self, store: SessionStore) -> None:
        for about, number in (("sid", 1), ("alice", 2)):
            assert await self.end(store, about, about, signed_in_by=NOON + number)
            late = session(signed_in_at=NOON + number)
            assert not await store.start_session(late, now=NOON + 9)
            assert await store.find_session(key("alice's")) is None
        assert await store.start_session(session(signed_in_at=NOON + 3), now=NOON + 9)
        without_sid = session("no sid", sid_key=None, subject_key=key("bob"))
        assert await store.start_session(without_sid, now=NOON + 9)

    async def test_the_latest_of_several_notices_counts(self, store: SessionStore) -> None:
        assert await self.end(store, notice="first", signed_in_by=NOON + 5)
        assert await self.end(store, notice="second", signed_in_by=NOON + 2)
        assert not await store.start_session(session(signed_in_at=NOON + 4), now=NOON + 9)

    async def test_starting_and_ending_at_once_leaves_no_session(
        self, store: SessionStore, second: SessionStore
    ) -> None:
        for number in range(CALLERS):
            one, other = (store, second) if number % 2 else (second, store)
            started = session(str(number), subject_key=key(f"person {number}"))
            await asyncio.gather(one.start_session(started, now=NOON), self.end(other, f"person {number}", str(number)))
            assert await store.find_session(key(str(number))) is None, number

    async def test_a_session_that_is_ended_while_it_is_renewed_stays_ended(self, store: SessionStore) -> None:
        for number in range(10):
            await store.start_session(session(signed_in_at=NOON + number), now=NOON)
            assert await self.claim(store)
            ending = self.end(store, notice=str(number), signed_in_by=NOON + number)
            await asyncio.gather(self.renew(store), ending)
            assert await store.find_session(key("alice's")) is None, number
            assert not await self.renew(store)

    async def test_a_notice_that_comes_again_ends_nothing_new(self, store: SessionStore) -> None:
        assert await self.end(store)
        assert await store.start_session(session(signed_in_at=NOON + 1), now=NOON + 1)
        assert not await self.end(store, signed_in_by=NOON + 9, now=NOON + 9)
        assert await store.find_session(key("alice's")) is not None
        assert await store.start_session(session("again", signed_in_at=NOON + 9), now=NOON + 9)

    async def test_of_thirty_who_bring_a_notice_one_is_the_first(self, store: SessionStore) -> None:
        assert Counter({False: CALLERS - 1, True: 1}) == await at_once(*(self.end(store) for _ in range(CALLERS)))
        assert await self.end(store, notice="another")

    async def test_a_notice_is_remembered_for_its_time(self, store: SessionStore) -> None:
        short = {"signed_in_by": NOON + 99, "until": NOON + 20, "now": NOON}
        assert await store.end_sessions(key("alice"), notice=key("jti"), **short)
        await asyncio.sleep(0.05)
        assert await store.start_session(session(), now=NOON + 20)

    async def test_a_crowd_waits_its_turn(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        looks = (store.find_session(key("alice's")) for _ in range(500))
        assert Counter({session(): 500}) == await at_once(*looks)

    async def test_two_stores_see_the_same(self, store: SessionStore, second: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        assert session() == await second.find_session(key("alice's"))
        both = (
            each.claim_refresh(key("alice's"), expected_version=0, claimed_until=NOON + 9, now=NOON)
            for each in (store, second)
            for _ in range(CALLERS)
        )
        assert Counter({False: 2 * CALLERS - 1, True: 1}) == await at_once(*both)

    async def test_what_is_over_is_purged_and_nothing_else(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        await store.start_session(session("longer", idle_until=NOON + 2 * HOUR), now=NOON)
        await store.keep_transaction(key("t"), "sealed", until=NOON + 1, now=NOON)
        await store.end_sessions(key("bob"), notice=key("jti"), signed_in_by=NOON, until=NOON + 1, now=NOON)
        assert await store.purge(NOON + HOUR, 100) in (3, 0), "or the store forgets by itself"
        assert 0 == await store.purge(NOON + HOUR, 100)
        assert await store.find_session(key("longer")) is not None

    async def test_it_can_be_closed_and_opened_again(self, store: SessionStore) -> None:
        await store.start_session(session(), now=NOON)
        await store.close()
        await store.open()
        assert session() == await store.find_session(key("alice's"))
