"""How long a request waits for an issuer, and what opens meanwhile: after quiet hours, and while an issuer hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from proofkey.guard import IssuerUnavailable, ResourceServer
from proofkey.guard.fetched import COOL_DOWN_FOR, IDLE_FOR, STALE_FOR
from proofkey.guard.request import ApiRequest
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


async def test_an_api_that_is_called_all_the_time_waits_for_no_renewal(issuer: SampleIssuer) -> None:
    clock = Clock()
    server = guarded(issuer, clock)
    await server.admit(asking(issuer.token()))
    clock.turn(IDLE_FOR - SECOND)
    issuer.answers_after = 5.0
    began = time.monotonic()
    await server.admit(asking(KEY.sign("at+jwt", issuer.claims(clock.now))))
    assert time.monotonic() - began < 2.0
