"""How long a request waits for an issuer, and what opens meanwhile: after quiet hours, and while an issuer hangs."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator

import pytest

from proofkey.guard import Introspection, IssuerUnavailable, ResourceServer, TokenRejected, TrustedIssuer
from proofkey.guard.fetched import COOL_DOWN_FOR, IDLE_FOR, STALE_FOR
from proofkey.guard.introspection import HANGING_FROM
from proofkey.guard.request import ApiRequest
from proofkey.guard.steps import arrival, begin
from proofkey.protocol.errors import OAuthError
from proofkey.protocol.records import SECOND
from tests.guard.asking import AUDIENCE, asking, issuers
from tests.guard.sample_issuer import KEY, OTHER_KEY, Clock, SampleIssuer
from tests.protocol.refusals import refused


@pytest.fixture
def issuer() -> Iterator[SampleIssuer]:
    with issuers() as (only,):
        yield only


def guarded(issuer: SampleIssuer, clock: Clock) -> ResourceServer:
    return ResourceServer(issuer.issuer, audience=AUDIENCE, clock=clock)


@pytest.mark.parametrize("idle_for", [IDLE_FOR, STALE_FOR - SECOND])
async def test_a_key_that_was_withdrawn_while_nobody_called_opens_nothing(issuer: SampleIssuer, idle_for: int) -> None:
    clock = Clock()
    server = guarded(issuer, clock)
    await server.admit(asking(issuer.token()))
    issuer.keys = [OTHER_KEY]
    clock.turn(idle_for)
    stolen = asking(KEY.sign("at+jwt", issuer.claims(clock.now)))
    answers = await asyncio.gather(*(server.admit(stolen) for _ in range(10)), return_exceptions=True)
    assert {"access_token_key_unknown"} == {getattr(answer, "reason", "opened") for answer in answers}
    assert 2 == issuer.fetches()


async def test_a_key_that_was_withdrawn_opens_nothing_after_the_clock_was_put_back(issuer: SampleIssuer) -> None:
    """Nobody knows then how old the keys are."""
    clock = Clock()
    server = guarded(issuer, clock)
    await server.admit(asking(issuer.token()))
    issuer.keys = [OTHER_KEY]
    clock.turn(-STALE_FOR)
    with refused(TokenRejected, "access_token_key_unknown"):
        await server.admit(asking(KEY.sign("at+jwt", issuer.claims(clock.now))))


async def test_after_quiet_hours_an_issuer_that_hangs_is_waited_for_once_and_then_what_is_old_serves(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.guard.fetched.NEWER_WITHIN", 1.0)
    monkeypatch.setattr("proofkey.guard.fetched.FETCHED_WITHIN", 3.0)
    clock = Clock()
    server = guarded(issuer, clock)
    await server.admit(asking(issuer.token()))
    clock.turn(IDLE_FOR)
    issuer.answers_after = 4.0
    good = asking(KEY.sign("at+jwt", issuer.claims(clock.now)))
    assert 0.9 < await time_of(server, good)
    assert 0.9 > await time_of(server, good)
    await server.prefetch()  # until the fetch has failed
    clock.turn(COOL_DOWN_FOR)
    assert 0.9 > await time_of(server, good)


async def time_of(server: ResourceServer, good: ApiRequest) -> float:
    """Seconds that a request of alice takes."""
    began = time.monotonic()
    assert "alice" == (await server.admit(good)).subject
    return time.monotonic() - began


async def test_an_issuer_that_hangs_and_was_never_had_keeps_nobody_waiting(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.guard.fetched.FIRST_WITHIN", 0.3)
    server = guarded(issuer, Clock())
    issuer.answers_after = 1.0
    began = time.monotonic()
    for _ in range(5):
        with refused(IssuerUnavailable, "issuer_unavailable"):
            await server.admit(asking(issuer.token()))
    assert time.monotonic() - began < 1.5
    await server.prefetch()
    assert ("alice", 1) == ((await server.admit(asking(issuer.token()))).subject, issuer.fetches())


async def test_an_api_that_nobody_called_for_a_day_waits_as_for_the_first_keys(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.guard.fetched.NEWER_WITHIN", 0.1)
    clock = Clock()
    server = guarded(issuer, clock)
    await server.admit(asking(issuer.token()))
    clock.turn(STALE_FOR)
    issuer.answers_after = 0.2
    assert "alice" == (await server.admit(asking(KEY.sign("at+jwt", issuer.claims(clock.now))))).subject


async def test_a_clock_that_was_put_back_sends_nobody_away_for_long(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.guard.fetched.NEWER_WITHIN", 0.1)
    clock = Clock()
    server = guarded(issuer, clock)
    issuer.metadata.clear()
    assert "issuer_unavailable" == await reason_of(server, issuer.token())
    clock.turn(-STALE_FOR)
    issuer.answers_after = 0.3
    with refused(IssuerUnavailable, "issuer_unavailable") as caught:
        await server.admit(asking(issuer.token()))
    assert caught.value.retry_for <= COOL_DOWN_FOR
    await server.prefetch()


async def test_an_api_that_is_called_all_the_time_waits_for_no_renewal(issuer: SampleIssuer) -> None:
    clock = Clock()
    server = guarded(issuer, clock)
    await server.admit(asking(issuer.token()))
    clock.turn(IDLE_FOR - SECOND)
    issuer.answers_after = 5.0
    began = time.monotonic()
    await server.admit(asking(KEY.sign("at+jwt", issuer.claims(clock.now))))
    assert time.monotonic() - began < 2.0


async def reason_of(server: ResourceServer, token: str) -> str:
    """Why *token* opens nothing, or whose it is."""
    try:
        return (await server.admit(asking(token))).subject
    except OAuthError as refusal:
        return refusal.reason


@pytest.fixture
def asking_server(issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch) -> tuple[ResourceServer, Clock]:
    """An API that knows its issuer's introspection endpoint, which takes longer than anybody waits from now on."""
    monkeypatch.setattr("proofkey.guard.introspection.NEWER_WITHIN", 0.4)
    monkeypatch.setattr("proofkey.guard.discovery.PATIENCE", 2.0)
    clock = Clock()
    trusted = TrustedIssuer(issuer.issuer, introspection=Introspection("api", "secret"))
    server = ResourceServer(trusted, audience=AUDIENCE, clock=clock)
    with pytest.raises(TokenRejected):
        server.admit_blocking(asking("nobody"))
    issuer.known["opaque"] = {"active": True, **issuer.claims()}
    issuer.answers_after = 3.0
    return server, clock


async def test_an_issuer_that_hangs_is_asked_about_one_token_at_a_time_ever_more_seldom(
    issuer: SampleIssuer, asking_server: tuple[ResourceServer, Clock]
) -> None:
    server, clock = asking_server
    at_once = await asyncio.gather(*(reason_of(server, f"first{number}") for number in range(HANGING_FROM + 2)))
    assert {"introspection_failed"} == set(at_once)
    for rest_for in (SECOND, 2 * SECOND):
        clock.turn(rest_for - 1)
        assert "introspection_resting" == await reason_of(server, "early")
        clock.turn(1)
        began = time.monotonic()
        asked = asyncio.create_task(reason_of(server, f"after{rest_for}"))
        await asyncio.sleep(0.05)
        others = ["other", "further", f"after{rest_for}"]
        assert ["introspection_resting"] * 3 == [await reason_of(server, other) for other in others]
        assert not asked.done()
        assert "introspection_resting" == await asked
        assert time.monotonic() - began < 1.5
        while server._trust._introspector._asking:  # type: ignore[union-attr]
            await asyncio.sleep(0.05)
    assert 1 + HANGING_FROM + 2 + 2 == issuer.asked["/acme/main/introspect"]


async def test_an_issuer_that_answers_again_is_asked_as_before(
    issuer: SampleIssuer, asking_server: tuple[ResourceServer, Clock]
) -> None:
    server, clock = asking_server
    at_once = await asyncio.gather(*(reason_of(server, f"first{number}") for number in range(HANGING_FROM)))
    assert {"introspection_failed"} == set(at_once)
    clock.turn(SECOND)
    issuer.answers_after = 0.0
    assert "alice" == await reason_of(server, "opaque")
    issuer.answers_after = 0.6
    tokens = ["two", "three", "two"]
    assert {"access_token_inactive"} == set(await asyncio.gather(*(reason_of(server, token) for token in tokens)))


async def test_questions_that_waited_their_turn_are_not_asked_of_an_issuer_that_hangs(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number in (("TURN_WITHIN", 60.0), ("MAX_ASKING", HANGING_FROM), ("NEWER_WITHIN", 0.3)):
        monkeypatch.setattr(f"proofkey.guard.introspection.{name}", number)
    trusted = TrustedIssuer(issuer.issuer, introspection=Introspection("api", "secret"))
    server = ResourceServer(trusted, audience=AUDIENCE, clock=Clock())
    assert "access_token_inactive" == await reason_of(server, "nobody")
    monkeypatch.setattr("proofkey.guard.discovery.PATIENCE", 0.6)
    issuer.answers_after = 1.0
    came = await asyncio.gather(*(reason_of(server, f"t{number}") for number in range(4 * HANGING_FROM)))
    assert ["introspection_resting"] * 2 * HANGING_FROM == came[2 * HANGING_FROM :]
    assert issuer.asked["/acme/main/introspect"] <= 1 + 2 * HANGING_FROM


async def test_who_stops_waiting_leaves_no_failure_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def fail_later() -> None:
        await asyncio.sleep(0.1)
        raise LookupError("gone")

    begun = begin(fail_later())
    waiting = asyncio.create_task(arrival(begun))
    await asyncio.sleep(0.01)
    waiting.cancel()
    while not begun.done():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    del begun, waiting
    gc.collect()
    assert [] == caplog.messages
