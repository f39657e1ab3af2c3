"""Opaque tokens: asking the issuer, how often, what is believed, and what an outage does (RFC 7662)."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from proofkey.guard import (
    Introspection,
    IssuerUnavailable,
    ResourceServer,
    ScopeMissing,
    TokenRejected,
    TrustedIssuer,
    require,
)
from proofkey.guard.introspection import HANGING_FROM, INACTIVE_FOR, MAX_ASKING, MAX_WAITING, REST_FOR
from proofkey.protocol.records import HOUR, MINUTE, SECOND
from tests.guard.asking import AUDIENCE, asking, issuers
from tests.guard.sample_issuer import KEY, NOON, Clock, SampleIssuer
from tests.protocol.refusals import refused

ASKED = Introspection("api", "s3cret/+ ä".replace("ä", "~"))


@pytest.fixture
def issuer() -> Iterator[SampleIssuer]:
    with issuers() as (only,):
        yield only


def alive(issuer: SampleIssuer, **changed: Any) -> dict[str, Any]:
    return {"active": True, "token_type": "Bearer", **issuer.claims(**changed)}


def guarded(issuer: SampleIssuer, clock: Clock, introspection: Introspection = ASKED) -> ResourceServer:
    trusted = TrustedIssuer(issuer.issuer, introspection=introspection)
    return ResourceServer(trusted, audience=AUDIENCE, clock=clock)


async def test_a_live_opaque_token_opens_and_says_who_calls(issuer: SampleIssuer) -> None:
    issuer.known["opaque"] = alive(issuer)
    access = await guarded(issuer, Clock()).admit(asking("opaque"), require("notes:read"))
    assert (issuer.issuer, "alice", "spa", {"notes:read"}) == (
        access.issuer,
        access.subject,
        access.client_id,
        access.scope,
    )
    ((authorization, token),) = issuer.questions
    expected = base64.b64encode(b"api:s3cret%2F%2B+~").decode()
    assert (f"Basic {expected}", "opaque") == (authorization, token)


async def test_a_token_is_asked_about_once_a_minute(issuer: SampleIssuer) -> None:
    clock = Clock()
    server = guarded(issuer, clock)
    issuer.known["opaque"] = alive(issuer)
    for _ in range(3):
        await server.admit(asking("opaque"))
    clock.turn(MINUTE - 1)
    await server.admit(asking("opaque"))
    assert 1 == len(issuer.questions)
    del issuer.known["opaque"]  # revoked: the guard hears of it when it asks next
    clock.turn(1)
    with refused(TokenRejected, "access_token_inactive"):
        await server.admit(asking("opaque"))
    assert 2 == len(issuer.questions)


async def test_a_hundred_requests_at_once_ask_once(issuer: SampleIssuer) -> None:
    issuer.known["opaque"] = alive(issuer)
    server = guarded(issuer, Clock())
    await asyncio.gather(*(server.admit(asking("opaque")) for _ in range(100)))
    assert 1 == len(issuer.questions)


async def test_who_looked_before_another_was_answered_does_not_ask_again(issuer: SampleIssuer) -> None:
    """A thread that found nothing kept, and came to ask after the answer to another thread's question."""
    issuer.known["opaque"] = alive(issuer)
    server = guarded(issuer, Clock())
    steps = server.admission(asking("opaque"), require())
    find_endpoint = next(steps)
    await find_endpoint()
    ask = steps.send(None)
    await server.admit(asking("opaque"))
    with pytest.raises(StopIteration) as ended:
        steps.send(await ask())
    assert ("alice", 1) == (ended.value.value.subject, len(issuer.questions))


async def test_what_was_said_never_outlives_the_token(issuer: SampleIssuer) -> None:
    clock = Clock()
    server = guarded(issuer, clock, Introspection("api", "secret", kept_for=HOUR))
    issuer.known["opaque"] = alive(issuer)
    await server.admit(asking("opaque"))
    clock.turn(5 * MINUTE + 30 * SECOND)
    with refused(TokenRejected, "access_token_expired"):
        await server.admit(asking("opaque"))


async def test_a_dead_token_is_not_asked_about_again_at_once(issuer: SampleIssuer) -> None:
    clock = Clock()
    server = guarded(issuer, clock)
    for _ in range(3):
        with refused(TokenRejected, "access_token_inactive"):
            await server.admit(asking("nobody"))
    assert 1 == len(issuer.questions)
    clock.turn(INACTIVE_FOR)
    issuer.known["nobody"] = alive(issuer)
    assert "alice" == (await server.admit(asking("nobody"))).subject


async def test_made_up_tokens_do_not_push_out_live_ones(issuer: SampleIssuer) -> None:
    server = guarded(issuer, Clock(), Introspection("api", "secret", max_kept=4))
    issuer.known["opaque"] = alive(issuer)
    await server.admit(asking("opaque"))
    for number in range(12):
        with refused(TokenRejected, "access_token_inactive"):
            await server.admit(asking(f"made-up-{number}"))
    await server.admit(asking("opaque"))
    assert 1 == [token for _, token in issuer.questions].count("opaque")


async def test_what_is_kept_is_bounded_and_holds_no_token(issuer: SampleIssuer) -> None:
    server = guarded(issuer, Clock(), Introspection("api", "secret", max_kept=4))
    for number in range(12):
        issuer.known[f"opaque-{number}"] = alive(issuer)
        await server.admit(asking(f"opaque-{number}"))
    introspector = server._trust._introspector
    assert introspector is not None
    assert 4 == len(introspector._active._kept)
    assert all(len(digest) == 32 for digest in introspector._active._kept)
    await server.admit(asking("opaque-0"))
    assert 13 == len(issuer.questions)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"active": "true"}, "access_token_inactive"),
        ({"active": 1}, "access_token_inactive"),
        ({"active": None}, "access_token_inactive"),
        ({"iss": "https://other.example"}, "introspection_issuer_differs"),
        ({"token_type": "refresh_token"}, "introspection_token_type"),
        ({"token_use": "refresh_token"}, "access_token_has_another_use"),
        ({"aud": "https://other.example"}, "access_token_audience_differs"),
        ({"aud": None}, "access_token_audience_differs"),
        ({"exp": NOON // SECOND - 30}, "access_token_expired"),
        ({"exp": "soon"}, "access_token_times_malformed"),
        ({"nbf": NOON // SECOND + 31}, "access_token_not_yet_valid"),
        ({"sub": None, "client_id": None}, "access_token_claims_malformed"),
        ({"scope": 7}, "access_token_claims_malformed"),
        ({"cnf": {"jkt": "x"}}, "access_token_binding_unknown"),
    ],
)
async def test_an_answer_is_held_to_what_a_token_is_held_to(
    issuer: SampleIssuer, changed: dict[str, Any], reason: str
) -> None:
    issuer.known["opaque"] = {**alive(issuer), **changed}
    with refused(TokenRejected, reason):
        await guarded(issuer, Clock()).admit(asking("opaque"))


async def test_a_missing_scope_is_missing_here_too(issuer: SampleIssuer) -> None:
    issuer.known["opaque"] = alive(issuer)
    with refused(ScopeMissing, "scope_missing"):
        await guarded(issuer, Clock()).admit(asking("opaque"), require("notes:write"))


async def test_what_an_answer_may_leave_out_is_filled_in(issuer: SampleIssuer) -> None:
    """RFC 7662 §2.2: everything but `active` is optional; the audience is demanded here."""
    issuer.known["opaque"] = {"active": True, "aud": [AUDIENCE], "client_id": "machine"}
    access = await guarded(issuer, Clock()).admit(asking("opaque"))
    assert (issuer.issuer, "machine", NOON + MINUTE) == (access.issuer, access.subject, access.expires_at)
    issuer.known["person"] = {"active": True, "aud": AUDIENCE, "client_id": "spa", "username": "bob"}
    assert "bob" == (await guarded(issuer, Clock()).admit(asking("person"))).subject


async def test_an_issuer_that_is_away_admits_nobody_whom_it_did_not_know(issuer: SampleIssuer) -> None:
    clock = Clock()
    server = guarded(issuer, clock)
    issuer.known |= {"known": alive(issuer), "new": alive(issuer)}
    await server.admit(asking("known"))
    issuer.introspection_status = 500
    with refused(IssuerUnavailable, "introspection_failed") as caught:
        await server.admit(asking("new"))
    answer = server.challenge(caught.value, asking("new"))
    assert (503, "1") == (answer.status, dict(answer.headers)["retry-after"])
    assert "alice" == (await server.admit(asking("known"))).subject
    with refused(IssuerUnavailable, "introspection_resting"):
        await server.admit(asking("new"))
    issuer.introspection_status = 200
    clock.turn(REST_FOR)
    assert "alice" == (await server.admit(asking("new"))).subject


@pytest.mark.parametrize("status", [400, 500, 502])
async def test_tokens_that_the_issuer_chokes_on_keep_nobody_else_out(
    issuer: SampleIssuer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server = guarded(issuer, Clock())
    issuer.known["opaque"] = alive(issuer)
    issuer.introspection_status = status
    for number in range(20):
        with refused(IssuerUnavailable, "introspection_failed"):
            await server.admit(asking(f"odd{number}"))
    issuer.introspection_status = 200
    assert "alice" == (await server.admit(asking("opaque"))).subject
    assert 1 == len(caplog.messages)


@pytest.mark.parametrize("status", [429, 503])
async def test_an_issuer_that_has_too_much_to_do_is_left_alone_whatever_the_token(
    issuer: SampleIssuer, status: int
) -> None:
    clock = Clock()
    server = guarded(issuer, clock)
    issuer.known["opaque"] = alive(issuer)
    issuer.introspection_status = status
    with refused(IssuerUnavailable, "introspection_failed"):
        await server.admit(asking("odd"))
    issuer.introspection_status = 200
    with refused(IssuerUnavailable, "introspection_resting"):
        await server.admit(asking("opaque"))
    clock.turn(REST_FOR)
    assert "alice" == (await server.admit(asking("opaque"))).subject


async def test_tokens_that_the_issuer_is_slow_about_while_it_answers_others_keep_nobody_out(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.guard.discovery.PATIENCE", 0.6)
    monkeypatch.setattr("proofkey.guard.introspection.NEWER_WITHIN", 0.2)
    server = guarded(issuer, Clock())
    issuer.known |= {"opaque": alive(issuer), "other": alive(issuer), "first": alive(issuer)}
    await server.admit(asking("first"))
    issuer.answers_after = 2.0
    odd = [asyncio.ensure_future(server.admit(asking(f"odd{number}"))) for number in range(2 * HANGING_FROM)]
    await asyncio.sleep(0.1)
    issuer.answers_after = 0.0
    assert "alice" == (await server.admit(asking("other"))).subject
    await asyncio.wait(odd)
    assert "alice" == (await server.admit(asking("opaque"))).subject


async def test_a_token_that_could_not_be_asked_about_is_asked_about_once_a_second(issuer: SampleIssuer) -> None:
    clock = Clock()
    server = guarded(issuer, clock)
    issuer.introspection_status = 500
    reasons = []
    for _ in range(4):
        with pytest.raises(IssuerUnavailable) as caught:
            await server.admit(asking("odd"))
        reasons.append(caught.value.reason)
        clock.turn(REST_FOR // 2)
    assert ["introspection_failed", "introspection_resting"] * 2 == reasons


async def test_a_few_tokens_that_the_issuer_is_slow_about_keep_nobody_else_out(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = guarded(issuer, Clock())
    issuer.known |= {"opaque": alive(issuer), "other": alive(issuer)}
    assert "alice" == (await server.admit(asking("other"))).subject
    monkeypatch.setattr("proofkey.guard.discovery.PATIENCE", 0.3)
    monkeypatch.setattr("proofkey.guard.introspection.NEWER_WITHIN", 0.2)
    issuer.answers_after = 0.6
    for number in range(HANGING_FROM - 1):
        with refused(IssuerUnavailable, "introspection_failed"):
            await server.admit(asking(f"odd{number}"))
    issuer.answers_after = 0.0
    monkeypatch.setattr("proofkey.guard.discovery.PATIENCE", 5.0)
    assert "alice" == (await server.admit(asking("opaque"))).subject


async def test_credentials_that_the_issuer_does_not_know_admit_nobody(issuer: SampleIssuer) -> None:
    issuer.introspection_status = 401
    issuer.known["opaque"] = alive(issuer)
    with refused(IssuerUnavailable, "introspection_failed"):
        await guarded(issuer, Clock()).admit(asking("opaque"))


async def test_a_flood_of_strange_tokens_is_asked_about_a_few_at_a_time_and_keeps_nobody_out(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.guard.introspection.TURN_WITHIN", 60.0)
    server = guarded(issuer, Clock())
    issuer.known["opaque"] = alive(issuer)
    issuer.answers_after = 0.05
    flood = asyncio.gather(*(server.admit(asking(f"t{n}")) for n in range(100)), return_exceptions=True)
    await asyncio.sleep(0.1)
    assert "alice" == (await server.admit(asking("opaque"))).subject
    reasons = {answer.reason for answer in await flood if isinstance(answer, TokenRejected | IssuerUnavailable)}
    assert ({"access_token_inactive"}, 101) == (reasons, len(issuer.questions))
    assert 1 < issuer.most_under_way <= MAX_ASKING


async def test_a_flood_waits_its_turn_for_a_moment_and_not_in_any_number(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.guard.introspection.TURN_WITHIN", 0.2)
    server = guarded(issuer, Clock())
    await server.admit(asking(issuer.token()))
    issuer.answers_after = 2.0
    many = MAX_ASKING + MAX_WAITING + 100
    answers = await asyncio.gather(*(server.admit(asking(f"t{n}")) for n in range(many)), return_exceptions=True)
    reasons = Counter(answer.reason for answer in answers if isinstance(answer, TokenRejected | IssuerUnavailable))
    assert (many, MAX_ASKING) == (reasons.total(), len(issuer.questions))
    assert {"access_token_inactive": MAX_ASKING, "introspection_resting": many - MAX_ASKING} == reasons


async def test_questions_that_wait_are_bounded_in_number(issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in (("TURN_WITHIN", 60.0), ("MAX_ASKING", 2), ("MAX_WAITING", 3)):
        monkeypatch.setattr(f"proofkey.guard.introspection.{name}", number)
    server = guarded(issuer, Clock())
    await server.admit(asking(issuer.token()))
    issuer.answers_after = 0.3
    answers = await asyncio.gather(*(server.admit(asking(f"t{n}")) for n in range(9)), return_exceptions=True)
    reasons = Counter(answer.reason for answer in answers if isinstance(answer, TokenRejected | IssuerUnavailable))
    assert {"access_token_inactive": 5, "introspection_resting": 4} == reasons


async def test_an_endpoint_that_is_no_safe_address_is_not_asked(issuer: SampleIssuer) -> None:
    issuer.metadata["introspection_endpoint"] = "http://issuer.example/introspect"
    with refused(IssuerUnavailable, "issuer_unavailable"):
        await guarded(issuer, Clock()).admit(asking("opaque"))
    assert [] == issuer.questions


async def test_a_jwt_is_verified_offline_unless_every_token_is_to_be_asked_about(issuer: SampleIssuer) -> None:
    await guarded(issuer, Clock()).admit(asking(issuer.token()))
    assert [] == issuer.questions
    strict = guarded(issuer, Clock(), Introspection("api", "secret", every_token=True))
    with refused(TokenRejected, "access_token_inactive"):
        await strict.admit(asking(issuer.token()))
    issuer.known[issuer.token(jti="2")] = alive(issuer)
    token = next(iter(issuer.known))
    assert "alice" == (await strict.admit(asking(token))).subject


async def test_a_jwt_that_does_not_verify_is_not_sent_to_anybody(issuer: SampleIssuer) -> None:
    strict = guarded(issuer, Clock(), Introspection("api", "secret", every_token=True))
    with refused(TokenRejected, "access_token_forged"):
        await strict.admit(asking(issuer.token()[:-8] + "AAAAAAAA"))
    with refused(TokenRejected, "access_token_type"):
        await strict.admit(asking(KEY.sign("JWT", issuer.claims())))
    with refused(TokenRejected, "access_token_too_long"):
        await strict.admit(asking("a" * 20_000))
    assert [] == issuer.questions


def test_an_opaque_token_is_shown_to_one_issuer_only() -> None:
    both = [TrustedIssuer(f"https://{name}.example", introspection=ASKED) for name in "ab"]
    with pytest.raises(ValueError, match="only one"):
        ResourceServer(both, audience=AUDIENCE)


@pytest.mark.parametrize("wrong", [("", "s"), ("c", ""), ("c", "s", -1), ("c", "s", 1, 0)])
def test_introspection_without_credentials_stops_the_start(wrong: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="client_secret"):
        Introspection(*wrong)


def test_the_secret_is_not_shown() -> None:
    assert "s3cret" not in repr(ASKED)
