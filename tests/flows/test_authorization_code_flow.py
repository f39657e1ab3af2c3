"""Codes over time: a minute to live, one use, and what a replay brings down."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from proofkey.protocol.records import MINUTE
from tests.attempt import sent_back
from tests.engine import APP, BILLS, Deployment, attempt_of, reasons


async def assert_dead(deployment: Deployment, tokens: dict[str, Any], client_id: str = "spa") -> None:
    """Nothing that came of a sign-in is worth anything."""
    assert 400 == (await deployment.refresh(tokens["refresh_token"], client_id)).status_code
    assert 401 == (await deployment.userinfo(tokens["access_token"])).status_code
    assert {"active": False} == await deployment.introspect(tokens["access_token"])


async def test_a_code_lives_to_the_last_millisecond_of_its_minute(deployment: Deployment) -> None:
    attempt = attempt_of()
    code = await deployment.browser().code(attempt)
    deployment.clock.turn(MINUTE - 1)
    assert 200 == (await deployment.redeem(attempt, code)).status_code


async def test_a_code_is_dead_when_its_minute_is_over(deployment: Deployment, log: list[Any]) -> None:
    attempt = attempt_of()
    code = await deployment.browser().code(attempt)
    deployment.clock.turn(MINUTE)
    answer = await deployment.redeem(attempt, code)
    assert (400, "invalid_grant") == (answer.status_code, answer.json()["error"])
    assert ["code_expired"] == reasons(log)


@pytest.mark.parametrize(("after", "reason"), [(0, "code_replayed"), (MINUTE, "code_expired"), (10 * MINUTE, None)])
async def test_a_replay_kills_what_the_code_gave_however_late(
    deployment: Deployment, log: list[Any], after: int, reason: str | None
) -> None:
    attempt = attempt_of()
    code = await deployment.browser().code(attempt)
    tokens = (await deployment.redeem(attempt, code)).json()
    deployment.clock.turn(after)
    answer = await deployment.redeem(attempt, code)
    assert (400, "invalid_grant") == (answer.status_code, answer.json()["error"])
    assert answer.json()["error_description"].endswith("[code_invalid]")
    assert [reason or "code_expired"] == reasons(log)
    await assert_dead(deployment, tokens)


@pytest.mark.parametrize("after", [0, MINUTE])
@pytest.mark.parametrize(
    "wrong", [{"code_verifier": "A" * 43}, {"redirect_uri": f"{APP}/"}, {"client_id": "both"}, {"code_verifier": ""}]
)
async def test_a_presentation_that_proves_nothing_kills_nothing(
    deployment: Deployment, after: int, wrong: dict[str, str]
) -> None:
    attempt = attempt_of()
    code = await deployment.browser().code(attempt)
    tokens = (await deployment.redeem(attempt, code)).json()
    deployment.clock.turn(after)
    assert 400 == (await deployment.token({**attempt.redemption(code), **wrong})).status_code
    assert 200 == (await deployment.refresh(tokens["refresh_token"])).status_code


async def test_of_fifty_redemptions_at_once_one_wins_and_then_nobody(deployment: Deployment) -> None:
    attempt = attempt_of()
    code = await deployment.browser().code(attempt)
    answers = await asyncio.gather(*(deployment.redeem(attempt, code) for _ in range(50)))
    assert Counter({400: 49, 200: 1}) == Counter(answer.status_code for answer in answers)
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    await assert_dead(deployment, won)


async def test_a_single_redirect_uri_may_be_left_out_in_both_legs(deployment: Deployment) -> None:
    attempt = attempt_of("plain", scope="notes:read")
    query = {name: value for name, value in attempt.query.items() if name not in ("redirect_uri", "nonce")}
    for resend in (False, True):
        got = sent_back(await deployment.browser().go_through(query))
        form = attempt.redemption(got["code"])
        if not resend:
            del form["redirect_uri"]
        answer = await deployment.token(form)
        assert 200 == answer.status_code, answer.text
        assert "refresh_token" not in answer.json()


async def test_a_code_names_no_more_than_it_needs_to_and_is_not_readable(deployment: Deployment) -> None:
    attempt = attempt_of()
    code = await deployment.browser().code(attempt)
    assert len(code) <= 640
    assert "." not in code


async def test_a_code_that_would_be_too_long_to_redeem_is_never_made(deployment: Deployment) -> None:
    attempt = attempt_of()
    got = sent_back(await deployment.browser().go_through({**attempt.query, "nonce": "\U0001f511" * 512}))
    assert ("invalid_request", True) == (got["error"], got["error_description"].endswith("[code_too_long]"))
    attempt.nonce = "n" * 512
    code = await deployment.browser().code(attempt)
    assert 200 == (await deployment.redeem(attempt, code)).status_code


async def test_a_replay_that_asks_for_another_resource_is_a_replay(deployment: Deployment, log: list[Any]) -> None:
    attempt = attempt_of()
    code = await deployment.browser().code(attempt)
    tokens = (await deployment.redeem(attempt, code)).json()
    answer = await deployment.token({**attempt.redemption(code), "resource": BILLS})
    assert "invalid_grant" == answer.json()["error"]
    assert [("code_replayed_elsewhere", "warning")] == [(line["reason"], line["log_level"]) for line in log]
    await assert_dead(deployment, tokens)
