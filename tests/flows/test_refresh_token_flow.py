"""Refresh tokens over time: rotation, leeway, replay, and their two ends."""

from __future__ import annotations

import asyncio
from typing import Any

import jwt
import pytest

from proofkey.protocol.records import DAY, HOUR, SECOND
from tests.engine import BILLS, NOTES, Deployment, credentials, reasons

OFFLINE = "openid profile email offline_access notes:read notes:write"


async def test_a_retry_within_the_leeway_gets_the_same_successor(deployment: Deployment) -> None:
    first = (await deployment.sign_in())["refresh_token"]
    successor = (await deployment.refresh(first)).json()["refresh_token"]
    deployment.clock.turn(10 * SECOND - 1)
    answer = await deployment.refresh(first)
    assert (200, successor) == (answer.status_code, answer.json()["refresh_token"])
    assert 200 == (await deployment.refresh(successor)).status_code


async def test_the_leeway_counts_from_the_first_rotation_and_no_retry_extends_it(deployment: Deployment) -> None:
    first = (await deployment.sign_in())["refresh_token"]
    await deployment.refresh(first)
    deployment.clock.turn(6 * SECOND)
    assert 200 == (await deployment.refresh(first)).status_code
    deployment.clock.turn(6 * SECOND)
    assert 400 == (await deployment.refresh(first)).status_code


async def test_a_replay_after_the_leeway_kills_the_family(deployment: Deployment, log: list[Any]) -> None:
    first = (await deployment.sign_in())["refresh_token"]
    after = (await deployment.refresh(first)).json()
    deployment.clock.turn(10 * SECOND)
    answer = await deployment.refresh(first)
    assert answer.json()["error_description"].endswith("[refresh_invalid]")
    assert 400 == (await deployment.refresh(after["refresh_token"])).status_code
    assert 401 == (await deployment.userinfo(after["access_token"])).status_code
    assert ["refresh_replayed", "refresh_grant_dead"] == reasons(log)[:2]


async def test_a_replay_after_its_successor_was_used_kills_the_family_even_within_the_leeway(
    deployment: Deployment,
) -> None:
    first = (await deployment.sign_in())["refresh_token"]
    second = (await deployment.refresh(first)).json()["refresh_token"]
    third = (await deployment.refresh(second)).json()["refresh_token"]
    assert 400 == (await deployment.refresh(first)).status_code
    assert 400 == (await deployment.refresh(third)).status_code


async def test_of_fifty_refreshes_at_once_nobody_is_signed_out_and_there_is_one_successor(
    deployment: Deployment,
) -> None:
    first = (await deployment.sign_in())["refresh_token"]
    answers = await asyncio.gather(*(deployment.refresh(first) for _ in range(50)))
    assert {200} == {answer.status_code for answer in answers}
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert 1 == len(successors)
    assert 200 == (await deployment.refresh(successors.pop())).status_code


async def test_a_client_that_does_not_rotate_may_repeat_itself(deployment: Deployment) -> None:
    token = (await deployment.sign_in("web"))["refresh_token"]
    for _ in range(3):
        deployment.clock.turn(HOUR)
        assert 200 == (await deployment.refresh(token, "web")).status_code


async def test_a_refresh_token_idles_for_thirty_days_and_no_longer(deployment: Deployment, log: list[Any]) -> None:
    token = (await deployment.browser().tokens(scope=OFFLINE))["refresh_token"]
    deployment.clock.turn(30 * DAY - 1)
    token = (await deployment.refresh(token)).json()["refresh_token"]
    deployment.clock.turn(30 * DAY)
    assert 400 == (await deployment.refresh(token)).status_code
    assert ["refresh_expired"] == reasons(log)


@pytest.mark.parametrize(("client_id", "days"), [("spa", 90), ("web", 180), ("native", 180)])
async def test_no_rotation_extends_the_absolute_life(deployment: Deployment, client_id: str, days: int) -> None:
    token = (await deployment.browser().tokens(client_id, scope=OFFLINE))["refresh_token"]
    for _ in range(days // 10 - 1):
        deployment.clock.turn(10 * DAY)
        token = (await deployment.refresh(token, client_id)).json()["refresh_token"]
    deployment.clock.turn(10 * DAY - 1)
    token = (await deployment.refresh(token, client_id)).json()["refresh_token"]
    deployment.clock.turn(1)
    assert 400 == (await deployment.refresh(token, client_id)).status_code


async def test_a_narrowing_refresh_never_narrows_the_grant(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    narrowed = (await deployment.refresh(tokens["refresh_token"], scope="notes:read")).json()
    assert "notes:read" == narrowed["scope"]
    assert "notes:read" == jwt.decode(narrowed["access_token"], options={"verify_signature": False})["scope"]
    whole = (await deployment.refresh(narrowed["refresh_token"])).json()
    assert set(tokens["scope"].split()) == set(whole["scope"].split())


async def test_each_api_gets_a_token_of_its_own_from_one_grant(deployment: Deployment) -> None:
    tokens = await deployment.browser().tokens("both", scope="openid notes:read bills:read")

    def said(answer: dict[str, Any]) -> tuple[str, set[str]]:
        claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
        return claims["aud"], set(claims["scope"].split())

    assert (NOTES, {"openid", "notes:read"}) == said(tokens)
    bills = (await deployment.refresh(tokens["refresh_token"], "both", resource=BILLS)).json()
    assert (BILLS, {"openid", "bills:read"}) == said(bills)
    assert "openid bills:read" == bills["scope"]


async def test_a_forged_refresh_token_never_reaches_the_database(deployment: Deployment, log: list[Any]) -> None:
    token = (await deployment.sign_in())["refresh_token"]
    asked: list[bytes] = []
    find = deployment.store.find_grant

    async def watched(workspace_id: str, grant_id: bytes, now: int) -> Any:
        asked.append(grant_id)
        return await find(workspace_id, grant_id, now)

    deployment.store.find_grant = watched  # type: ignore[method-assign]
    forged = [
        "x",
        token[:-1],
        token + "A",
        token + "=",
        token.swapcase(),
        "A" * 72,
        token[:20] + ("A" if token[20] != "A" else "B") + token[21:],
    ]
    for text in forged:
        assert 400 == (await deployment.refresh(text)).status_code
    assert ([], ["refresh_not_ours"] * len(forged)) == (asked, reasons(log))


async def test_the_last_character_of_a_refresh_token_has_one_spelling(deployment: Deployment) -> None:
    token = (await deployment.sign_in())["refresh_token"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [token[:-1] + character for character in alphabet if character != token[-1]]
    form = {"grant_type": "refresh_token", **credentials("spa")}
    for text in others:
        assert 400 == (await deployment.token({**form, "refresh_token": text})).status_code


async def test_a_narrowed_refresh_shows_no_more_in_its_id_token_either(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    narrowed = (await deployment.refresh(tokens["refresh_token"], scope="openid email")).json()
    claims = jwt.decode(narrowed["id_token"], options={"verify_signature": False})
    assert ("alice@demo.example", None) == (claims.get("email"), claims.get("name"))


async def test_a_replay_is_logged_as_something_to_look_at(deployment: Deployment, log: list[Any]) -> None:
    first = (await deployment.sign_in())["refresh_token"]
    await deployment.refresh((await deployment.refresh(first)).json()["refresh_token"])
    await deployment.refresh(first)
    assert ["warning"] == [line["log_level"] for line in log if line.get("reason") == "refresh_replayed"]


async def test_no_token_is_made_that_could_do_nothing(deployment: Deployment, log: list[Any]) -> None:
    tokens = await deployment.browser().tokens("both", scope="notes:read bills:read")
    answer = await deployment.refresh(tokens["refresh_token"], "both", scope="notes:read", resource=BILLS)
    assert ("invalid_scope", ["scope_empty"]) == (answer.json()["error"], reasons(log))
    assert 200 == (await deployment.refresh(tokens["refresh_token"], "both")).status_code
