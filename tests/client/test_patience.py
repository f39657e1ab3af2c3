"""How often a refresh token is sent, how late, and which of several answers counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from proofkey.client import patience
from proofkey.client.messages import NoAnswer, ResponseRefused, ServerRefused
from proofkey.client.patience import ask_patiently

LOST = NoAnswer("server_unreachable", "Nobody answers")
REFUSED = ServerRefused("server_refused", code="invalid_grant", told=None)
BUSY = ServerRefused("server_refused", code="temporarily_unavailable", told=None)
UNBELIEVABLE = ResponseRefused("tokens_malformed", "No tokens")
Plan = tuple[int, int, str | Exception]
NEVER = 99


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "AGAIN_AT", (0.02, 1.0))
    monkeypatch.setattr(patience, "PAUSE", 0.01)


def planned(*plans: Plan) -> tuple[list[int], Callable[[], Awaitable[str]]]:
    """An issuer that answers the first, second … request once it has had so many, and answered so many; and all it has had."""
    sent: list[int] = []
    answered: list[int] = []

    async def ask() -> str:
        had, answers, outcome = plans[len(sent)]
        sent.append(len(sent))
        while len(sent) < had or len(answered) < answers:
            await asyncio.sleep(0.001)
        answered.append(len(sent))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return sent, ask


@pytest.mark.parametrize(
    ("plans", "expected", "requests"),
    [
        ([(1, 0, "first")], "first", 1),
        ([(1, 0, LOST), (2, 0, "second")], "second", 2),
        ([(1, 0, BUSY), (2, 0, LOST), (3, 0, "third")], "third", 3),
        ([(2, 0, "first"), (NEVER, 0, "second")], "first", 2),
        ([(NEVER, 0, "first"), (2, 0, "second")], "second", 2),
        ([(3, 0, "first"), (NEVER, 0, LOST), (NEVER, 0, LOST)], "first", 3),
        ([(2, 1, "first"), (2, 0, REFUSED)], "first", 2),
    ],
)
async def test_the_first_answer_that_comes_counts(plans: list[Plan], expected: str, requests: int) -> None:
    sent, ask = planned(*plans)
    assert expected == await ask_patiently(ask)
    assert requests == len(sent)


@pytest.mark.parametrize(
    ("plans", "expected", "requests"),
    [
        ([(1, 0, REFUSED)], REFUSED, 1),
        ([(1, 0, UNBELIEVABLE)], UNBELIEVABLE, 1),
        ([(1, 0, LOST)] * 3, LOST, 3),
        ([(2, 1, LOST), (2, 0, REFUSED)], REFUSED, 2),
        ([(1, 0, LOST), (2, 0, LOST), (3, 0, BUSY)], BUSY, 3),
    ],
)
async def test_what_it_was_refused_with_is_told_once_nothing_is_under_way(
    plans: list[Plan], expected: Exception, requests: int
) -> None:
    sent, ask = planned(*plans)
    with pytest.raises(type(expected)) as raised:
        await ask_patiently(ask)
    assert (expected, requests) == (raised.value, len(sent))


async def test_who_holds_something_meanwhile_hears_of_it_before_another_request_is_made() -> None:
    sent, ask = planned((NEVER, 0, LOST), (3, 0, LOST), (3, 0, "third"))
    heard: list[int] = []

    async def hear() -> None:
        heard.append(len(sent))

    assert "third" == await ask_patiently(ask, while_waiting=hear)
    assert [1, 2] == heard
    sent, ask = planned((1, 0, LOST), (2, 0, "second"))
    assert "second" == await ask_patiently(ask, while_waiting=hear)
    assert [1, 2] == heard, "nothing was under way"


async def test_nothing_goes_on_once_it_is_settled_or_given_up() -> None:
    _, ask = planned((NEVER, 0, "first"), (2, 0, "second"))
    before = asyncio.all_tasks()
    assert "second" == await ask_patiently(ask)
    _, ask = planned((NEVER, 0, "first"), (NEVER, 0, "second"), (NEVER, 0, "third"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask_patiently(ask), 0.05)
    await asyncio.sleep(0)
    assert before == asyncio.all_tasks()


async def test_nothing_is_sent_after_a_refusal_however_long_the_other_answer_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "AGAIN_AT", (0.01, 0.05))
    sent: list[int] = []

    async def ask() -> str:
        sent.append(len(sent))
        if len(sent) > 1:
            raise REFUSED
        await asyncio.sleep(0.2)
        return "late"

    assert "late" == await ask_patiently(ask)
    assert 2 == len(sent)


async def test_a_server_that_loses_answers_is_given_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE", 0.05)
    sent_at: list[float] = []

    async def ask() -> str:
        sent_at.append(asyncio.get_running_loop().time())
        raise LOST

    with pytest.raises(NoAnswer):
        await ask_patiently(ask)
    first, second, third = sent_at
    assert (True, True) == (second - first > 0.04, third - second > 0.08)


async def test_whatever_holds_us_up_nothing_is_sent_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MEANWHILE", 0.05)
    sent, ask = planned((2, 0, "first"), (NEVER, 0, "second"))

    async def hang() -> None:
        await asyncio.sleep(60)

    assert "first" == await asyncio.wait_for(ask_patiently(ask, while_waiting=hang), 5)
    now = iter([0, 20])
    monkeypatch.setattr(patience, "LATEST", 10)
    monkeypatch.setattr(patience, "wall_clock", lambda: next(now))
    sent, ask = planned((1, 0, LOST), (2, 0, "too late"))
    with pytest.raises(NoAnswer):
        await ask_patiently(ask)
    assert 1 == len(sent)


def test_no_issuer_s_leeway_is_stretched() -> None:
    """Ten seconds is what issuers usually give; the last request leaves with something to spare."""
    assert patience.LATEST >= 1_000 * (patience.AGAIN_AT[-1] + patience.MEANWHILE + 2 * patience.PAUSE)
