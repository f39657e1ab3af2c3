"""What the contract demands of people, sessions, consents and the throttle."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

from proofkey.protocol.records import DAY, HOUR, SignedIn, User, wire_id
from proofkey.server.store.contract import (
    Allowed,
    AttemptLimit,
    LoginNameTaken,
    Store,
    Throttled,
    UserKept,
)
from tests.store.contract_grants import kinds
from tests.store.facts import ALICE, CONSENT, NOON, PLACE, SESSION, audited, read_rows, set_scene


class SessionContract:
    """Sessions."""

    async def test_who_signed_in_is_found_with_person_and_consent(self, store: Store) -> None:
        await set_scene(store)
        cookie = SESSION.cookie_hash
        assert SignedIn(SESSION, ALICE, CONSENT) == await store.find_signed_in(PLACE, cookie, "spa", NOON)
        assert SignedIn(SESSION, ALICE, None) == await store.find_signed_in(PLACE, cookie, "other", NOON)
        assert await store.find_signed_in(PLACE, b"x" * 32, "spa", NOON) is None
        assert await store.find_signed_in("elsewhere", cookie, "spa", NOON) is None

    async def test_a_session_ends_at_either_of_its_ends(self, store: Store) -> None:
        await set_scene(store)
        cookie = SESSION.cookie_hash
        assert await store.find_signed_in(PLACE, cookie, "spa", SESSION.idle_until - 1) is not None
        assert await store.find_signed_in(PLACE, cookie, "spa", SESSION.idle_until) is None
        await store.renew_session(replace(SESSION, idle_until=NOON + 90 * DAY), NOON)
        assert await store.find_signed_in(PLACE, cookie, "spa", SESSION.expires_at - 1) is not None
        assert await store.find_signed_in(PLACE, cookie, "spa", SESSION.expires_at) is None

    async def test_a_new_session_ends_the_one_before_it(self, store: Store) -> None:
        await set_scene(store)
        after = replace(SESSION, id=b"the-next-session", cookie_hash=b"n" * 32)
        await store.start_session(after, SESSION.id, NOON)
        assert await store.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON) is None
        assert SignedIn(after, ALICE, CONSENT) == await store.find_signed_in(PLACE, b"n" * 32, "spa", NOON)
        assert [("alice", None, SESSION.sid)] == list(await audited(store, "session_ended"))
        assert {SESSION.sid, after.sid} == {subject for _, _, subject in await audited(store, "session_started")}

    async def test_thirty_sessions_started_at_once_all_stand(self, store: Store) -> None:
        await set_scene(store)
        begun = [replace(SESSION, id=n.to_bytes(16, "big"), cookie_hash=n.to_bytes(32, "big")) for n in range(1, 31)]
        await asyncio.gather(*(store.start_session(session, None, NOON) for session in begun))
        for session in begun:
            assert await store.find_signed_in(PLACE, session.cookie_hash, "spa", NOON) is not None

    async def test_of_thirty_renewals_at_once_one_cookie_is_left(self, store: Store) -> None:
        await set_scene(store)
        cookies = [n.to_bytes(32, "big") for n in range(30)]
        renewed = await asyncio.gather(
            *(store.renew_session(replace(SESSION, cookie_hash=cookie), NOON) for cookie in cookies)
        )
        assert [True] * 30 == list(renewed)
        found = [await store.find_signed_in(PLACE, cookie, "spa", NOON) for cookie in cookies]
        assert 1 == sum(signed_in is not None for signed_in in found)
        assert await store.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON) is None

    async def test_renewal_writes_what_was_proven(self, store: Store) -> None:
        await set_scene(store)
        renewed = replace(
            SESSION,
            cookie_hash=b"r" * 32,
            authenticated_at=NOON + HOUR,
            acr="mfa",
            amr=("pwd", "otp"),
            idle_until=NOON + 13 * HOUR,
            chosen_for=b"request-9",
        )
        assert await store.renew_session(renewed, NOON + HOUR)
        assert SignedIn(renewed, ALICE, CONSENT) == await store.find_signed_in(PLACE, b"r" * 32, "spa", NOON + HOUR)
        assert [("alice", None, SESSION.sid)] == list(await audited(store, "session_renewed"))

    async def test_what_has_ended_or_is_another_s_is_not_renewed(self, store: Store) -> None:
        await set_scene(store)
        assert not await store.renew_session(replace(SESSION, user_id="bob"), NOON)
        assert not await store.renew_session(replace(SESSION, user_epoch=1), NOON)
        assert not await store.renew_session(replace(SESSION, id=b"no-such-session!"), NOON)
        assert not await store.renew_session(SESSION, SESSION.idle_until)
        await store.disable_user(PLACE, "alice", NOON)
        assert not await store.renew_session(SESSION, NOON)

    async def test_raced_against_sign_out_no_renewal_brings_a_session_back(self, store: Store) -> None:
        await set_scene(store)
        renew = [store.renew_session(replace(SESSION, cookie_hash=n.to_bytes(32, "big")), NOON) for n in range(30)]
        await asyncio.gather(*renew[:15], store.end_session(PLACE, SESSION.id, NOON), *renew[15:])
        for cookie in (*(n.to_bytes(32, "big") for n in range(30)), SESSION.cookie_hash):
            assert await store.find_signed_in(PLACE, cookie, "spa", NOON) is None
        assert not await store.renew_session(SESSION, NOON)

    async def test_an_account_is_chosen_for_one_request_while_the_session_lives(self, store: Store) -> None:
        await set_scene(store)
        assert await store.choose_account(PLACE, SESSION.id, b"request-2", NOON)
        found = await store.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON)
        assert found is not None
        assert b"request-2" == found.session.chosen_for
        await store.end_session(PLACE, SESSION.id, NOON)
        assert not await store.choose_account(PLACE, SESSION.id, b"request-3", NOON)

    async def test_of_thirty_requests_at_once_the_account_is_chosen_for_one(self, store: Store) -> None:
        await set_scene(store)
        requests = [f"request-{n}".encode() for n in range(30)]
        chosen = await asyncio.gather(*(store.choose_account(PLACE, SESSION.id, wanted, NOON) for wanted in requests))
        found = await store.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON)
        assert [True] * 30 == list(chosen)
        assert found is not None
        assert found.session.chosen_for in requests

    async def test_signing_out_thirty_times_at_once_is_audited_once(self, store: Store) -> None:
        await set_scene(store)
        await asyncio.gather(*(store.end_session(PLACE, SESSION.id, NOON) for _ in range(30)))
        assert [("alice", None, wire_id(SESSION.id))] == list(await audited(store, "session_ended"))


class ConsentContract:
    """Consents."""

    async def test_what_thirty_requests_add_at_once_is_all_kept_under_one_id(self, store: Store) -> None:
        await set_scene(store)
        given = [replace(CONSENT, id=bytes([n] * 16), access=(f"scope-{n}",)) for n in range(30)]
        answers = await asyncio.gather(*(store.give_consent(consent, NOON + 1) for consent in given))
        assert {CONSENT.id} == {answer.id for answer in answers}
        found = await store.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON + 1)
        assert found is not None
        assert found.consent is not None
        assert {"openid", "read", *(f"scope-{n}" for n in range(30))} == set(found.consent.access)

    async def test_of_thirty_first_consents_at_once_one_id_stands(self, store: Store) -> None:
        await set_scene(store)
        given = [replace(CONSENT, client_id="new", id=bytes([n] * 16), access=(f"scope-{n}",)) for n in range(30)]
        answers = await asyncio.gather(*(store.give_consent(consent, NOON) for consent in given))
        assert 1 == len({answer.id for answer in answers})
        found = await store.find_signed_in(PLACE, SESSION.cookie_hash, "new", NOON)
        assert found is not None
        assert found.consent is not None
        assert {f"scope-{n}" for n in range(30)} == set(found.consent.access)

    async def test_giving_again_widens_and_returns_the_whole(self, store: Store) -> None:
        await set_scene(store)
        more = replace(CONSENT, id=b"ignored", access=("read", "write"), claims=("email",), request_id=b"request-2")
        whole = await store.give_consent(replace(more, given_at=NOON + 1), NOON + 1)
        expected = replace(
            CONSENT, access=("openid", "read", "write"), claims=("email",), request_id=b"request-2", given_at=NOON + 1
        )
        assert expected == whole
        found = await store.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON + 1)
        assert found is not None
        assert expected == found.consent
        assert 2 == len(await audited(store, "consent_given"))

    async def test_withdrawn_consent_is_gone_and_audited_once(self, store: Store) -> None:
        await set_scene(store)
        await asyncio.gather(*(store.withdraw_consent(PLACE, "alice", "spa", NOON) for _ in range(30)))
        assert SignedIn(SESSION, ALICE, None) == await store.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON)
        assert [("alice", "spa", "")] == list(await audited(store, "consent_withdrawn"))


class UserContract:
    """People and their login names."""

    async def test_a_person_is_found_by_each_of_their_names_and_no_other(self, store: Store) -> None:
        await set_scene(store)
        assert ALICE == await store.find_user(PLACE, "alice")
        assert ALICE == await store.find_user(PLACE, "alice@acme.example")
        for name in ("Alice", "alic", "", "alice\0", "\ud800"):
            assert await store.find_user(PLACE, name) is None
        assert await store.find_user("elsewhere", "alice") is None

    async def test_a_person_is_found_by_their_id_whatever_they_are_called(self, store: Store) -> None:
        await set_scene(store)
        assert ALICE == await store.find_user_by_id(PLACE, "alice")
        renamed = replace(ALICE, username="al", disabled_at=NOON)
        await store.keep_user(renamed, ("al",), NOON)
        assert replace(renamed, epoch=1) == await store.find_user_by_id(PLACE, "alice")
        for user_id in ("al", "Alice", "", "alice\0", "\ud800"):
            assert await store.find_user_by_id(PLACE, user_id) is None
        assert await store.find_user_by_id("elsewhere", "alice") is None

    async def test_another_password_moves_the_epoch_once_whatever_the_caller_thinks_it_is(self, store: Store) -> None:
        await set_scene(store)
        changed = replace(ALICE, password_hash="$argon2id$new")
        await asyncio.gather(*(store.keep_user(changed, ("alice",), NOON) for _ in range(30)))
        assert replace(changed, epoch=1) == await store.find_user(PLACE, "alice")
        assert await store.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON) is None
        await store.keep_user(replace(changed, username="al"), ("alice",), NOON)
        assert replace(changed, username="al", epoch=1) == await store.find_user(PLACE, "alice")

    async def test_a_name_given_up_is_free_and_a_kept_one_is_not(self, store: Store) -> None:
        await set_scene(store)
        bob = User(PLACE, "bob", "bob", {})
        assert LoginNameTaken("alice") == await store.keep_user(bob, ("bob", "alice"), NOON)
        assert await store.find_user(PLACE, "bob") is None
        await store.keep_user(ALICE, ("al",), NOON)
        assert UserKept() == await store.keep_user(bob, ("bob", "alice"), NOON)
        assert bob == await store.find_user(PLACE, "alice")
        assert ALICE == await store.find_user(PLACE, "al")

    async def test_of_thirty_people_who_claim_one_name_exactly_one_gets_it(self, store: Store) -> None:
        people = [User(PLACE, f"person-{n}", f"p{n}", {}) for n in range(30)]
        answers = await asyncio.gather(
            *(store.keep_user(person, (person.username, "wanted"), NOON) for person in people)
        )
        assert Counter(UserKept=1, LoginNameTaken=29) == kinds(list(answers))
        winner = people[list(answers).index(UserKept())]
        assert winner == await store.find_user(PLACE, "wanted")
        assert [(winner.id,)] == await read_rows(store, "SELECT id FROM users")
        assert [(2,)] == await read_rows(store, "SELECT COUNT(*) FROM login_names")

    async def test_people_who_claim_each_other_s_names_crosswise_all_get_an_answer(self, store: Store) -> None:
        names = [f"name-{n}" for n in range(10)]
        answers = await asyncio.gather(
            *(store.keep_user(User(PLACE, f"up-{n}", "u", {}), names, NOON) for n in range(5)),
            *(store.keep_user(User(PLACE, f"down-{n}", "d", {}), names[::-1], NOON) for n in range(5)),
        )
        assert Counter(UserKept=1, LoginNameTaken=9) == kinds(list(answers))

    async def test_only_what_changes_a_person_is_audited(self, store: Store) -> None:
        await set_scene(store)
        await store.keep_user(ALICE, ("alice", "alice@acme.example"), NOON + 1)
        assert 1 == len(await audited(store, "user_kept"))
        await store.keep_user(replace(ALICE, claims={"name": "Alice"}), ("alice",), NOON + 1)
        assert 2 == len(await audited(store, "user_kept"))

    async def test_disabling_thirty_times_at_once_moves_the_epoch_once(self, store: Store) -> None:
        await set_scene(store)
        await asyncio.gather(*(store.disable_user(PLACE, "alice", NOON + 1) for _ in range(30)))
        assert replace(ALICE, epoch=1, disabled_at=NOON + 1) == await store.find_user(PLACE, "alice")
        assert [("alice", None, "")] == list(await audited(store, "user_disabled"))

    async def test_a_person_declared_disabled_loses_everything_for_good(self, store: Store) -> None:
        await set_scene(store)
        await store.keep_user(replace(ALICE, disabled_at=NOON), ("alice",), NOON)
        await store.keep_user(ALICE, ("alice",), NOON)
        assert await store.find_signed_in(PLACE, SESSION.cookie_hash, "spa", NOON) is None


class ThrottleContract:
    """`count_attempt` and `forgive_attempt`."""

    async def test_of_fifty_attempts_at_once_exactly_the_allowed_go_on(self, store: Store) -> None:
        limits = (AttemptLimit(65_535, 5, HOUR), AttemptLimit(0, 100, HOUR))
        answers = await asyncio.gather(*(store.count_attempt(PLACE, limits, NOON) for _ in range(50)))
        assert Counter(Allowed=5, Throttled=45) == kinds(list(answers))
        assert {Throttled(NOON + HOUR)} == {answer for answer in answers if isinstance(answer, Throttled)}
        assert [(0, 5), (65_535, 5)] == sorted(await read_rows(store, "SELECT bucket, counted FROM attempts"))

    async def test_attempts_on_crossing_buckets_wait_for_nobody_forever(self, store: Store) -> None:
        one, two = AttemptLimit(1, 20, HOUR), AttemptLimit(2, 20, HOUR)
        answers = await asyncio.gather(
            *(store.count_attempt(PLACE, (one, two) if n % 2 else (two, one), NOON) for n in range(50))
        )
        assert Counter(Allowed=20, Throttled=30) == kinds(list(answers))

    async def test_a_throttled_attempt_is_not_counted_so_waiting_helps(self, store: Store) -> None:
        limits = (AttemptLimit(3, 2, HOUR),)
        await store.count_attempt(PLACE, limits, NOON)
        await store.count_attempt(PLACE, limits, NOON + 1)
        for later in (2, HOUR // 2, HOUR - 1):
            assert Throttled(NOON + HOUR) == await store.count_attempt(PLACE, limits, NOON + later)
        assert Allowed() == await store.count_attempt(PLACE, limits, NOON + HOUR)
        assert Allowed() == await store.count_attempt(PLACE, limits, NOON + HOUR + 1)
        assert Throttled(NOON + 2 * HOUR) == await store.count_attempt(PLACE, limits, NOON + HOUR + 2)

    async def test_what_one_bucket_refuses_no_bucket_counts(self, store: Store) -> None:
        full, free = AttemptLimit(9, 1, HOUR), AttemptLimit(4, 3, HOUR)
        await store.count_attempt(PLACE, (full,), NOON)
        for _ in range(5):
            assert Throttled(NOON + HOUR) == await store.count_attempt(PLACE, (free, full), NOON)
        assert [Allowed()] * 3 == [await store.count_attempt(PLACE, (free,), NOON) for _ in range(3)]

    async def test_thirty_forgiven_at_once_leave_nothing_counted(self, store: Store) -> None:
        limits = (AttemptLimit(3, 30, HOUR), AttemptLimit(4, 30, HOUR))
        await asyncio.gather(*(store.count_attempt(PLACE, limits, NOON) for _ in range(30)))
        assert Throttled(NOON + HOUR) == await store.count_attempt(PLACE, limits, NOON)
        await asyncio.gather(*(store.forgive_attempt(PLACE, limits, NOON) for _ in range(30)))
        await store.forgive_attempt(PLACE, limits, NOON)
        assert [(0,), (0,)] == await read_rows(store, "SELECT counted FROM attempts")

    async def test_workspaces_do_not_throttle_each_other(self, store: Store) -> None:
        limits = (AttemptLimit(3, 1, HOUR),)
        assert Allowed() == await store.count_attempt(PLACE, limits, NOON)
        assert Allowed() == await store.count_attempt("elsewhere", limits, NOON)
