"""Keys come and go as the clock turns: announced, active, retired, removed."""

from __future__ import annotations

from typing import Any

import jwt

from proofkey.protocol.records import DAY, HOUR, MINUTE, SECOND
from tests.attempt import form_with
from tests.engine import Deployment, attempt_of, credentials

MADE = 60 * SECOND
"""How long before noon the keys of every test were made."""


async def published(deployment: Deployment, alg: str = "ES256") -> list[str]:
    answer = await deployment.client().get(".well-known/jwks.json")
    return [key["kid"] for key in answer.json()["keys"] if key["alg"] == alg]


async def signed_with(deployment: Deployment) -> str:
    answer = await deployment.token({"grant_type": "client_credentials", **credentials("service")})
    kid: str = jwt.get_unverified_header(answer.json()["access_token"])["kid"]
    return kid


async def test_a_successor_is_published_a_day_before_it_signs_and_its_predecessor_a_day_after(
    deployment: Deployment,
) -> None:
    [first] = await published(deployment)
    assert first == await signed_with(deployment)
    deployment.clock.turn(29 * DAY - MADE - 1)
    assert [first] == await published(deployment)
    deployment.clock.turn(10 * SECOND + 1)
    assert [first] == (await published(deployment))[:1]
    [_, second] = await published(deployment)
    assert first == await signed_with(deployment)
    deployment.clock.turn(DAY - 10 * SECOND - 1)
    assert first == await signed_with(deployment)
    deployment.clock.turn(10 * SECOND + 1)
    assert second == await signed_with(deployment)
    assert [first, second] == await published(deployment)
    deployment.clock.turn(DAY + HOUR - 20 * SECOND)
    assert [first, second] == await published(deployment)
    deployment.clock.turn(20 * SECOND)
    assert [second] == await published(deployment)


async def test_old_tokens_verify_until_their_key_is_removed(deployment: Deployment) -> None:
    scope = "openid offline_access notes:read"
    tokens = await deployment.browser().tokens(scope=scope)
    browser = deployment.browser()
    hint = (await browser.tokens(scope=scope))["id_token"]

    async def hints() -> bool:
        deployment.clock.turn(10 * SECOND)
        answer = await deployment.browser().http.get(
            "oauth2/logout", params={"id_token_hint": hint, "client_id": "web"}
        )
        return answer.status_code == 400  # the hint is believed: its audience is another client

    deployment.clock.turn(29 * DAY - MADE)
    await published(deployment)
    deployment.clock.turn(DAY + DAY)  # retired a day ago
    assert await hints()
    deployment.clock.turn(HOUR)
    assert not await hints()
    assert 400 == (await deployment.refresh(tokens["refresh_token"])).status_code  # idle for over 30 days


async def test_an_access_token_signed_just_before_the_change_lives_its_five_minutes(deployment: Deployment) -> None:
    deployment.clock.turn(29 * DAY)
    await published(deployment)
    deployment.clock.turn(DAY - MADE - SECOND)
    browser = deployment.browser()
    tokens = await browser.tokens()
    deployment.clock.turn(5 * MINUTE - 1)
    deployment.app.engine.known.__init__()  # type: ignore[misc]  # as in a process that has never seen it
    assert jwt.get_unverified_header(tokens["access_token"])["kid"] != await signed_with(deployment)
    assert 200 == (await deployment.userinfo(tokens["access_token"])).status_code


async def test_rs256_keys_rotate_alike(deployment: Deployment) -> None:
    [first] = await published(deployment, "RS256")
    deployment.clock.turn(29 * DAY)
    assert 2 == len(await published(deployment, "RS256"))
    deployment.clock.turn(DAY)
    tokens = await deployment.sign_in("rs")
    assert first != jwt.get_unverified_header(tokens["id_token"])["kid"]


async def test_what_was_sealed_just_before_the_sealing_key_changed_still_opens(deployment: Deployment) -> None:
    deployment.clock.turn(7 * DAY - 11 * MINUTE)
    assert [1, 2] == await seals(deployment)
    deployment.clock.turn(11 * MINUTE - MADE - SECOND)
    browser, attempt = deployment.browser(), attempt_of()
    page = await browser.ask(attempt.query)
    generation = sealed_under(page)
    deployment.clock.turn(20 * SECOND)
    page = await browser.sign_in(page)
    assert generation + 1 == sealed_under(page)
    assert 303 == (await browser.decide(page)).status_code


async def test_a_retired_sealing_key_is_removed_a_day_later(deployment: Deployment) -> None:
    deployment.clock.turn(7 * DAY - 11 * MINUTE)
    await seals(deployment)
    deployment.clock.turn(DAY + 11 * MINUTE - MADE - 1)
    assert [1, 2] == await seals(deployment)
    deployment.clock.turn(10 * SECOND + 1)
    assert [2] == await seals(deployment)


async def test_refresh_tokens_outlive_the_key_that_was_active_when_they_were_made(deployment: Deployment) -> None:
    token = (await deployment.browser().tokens("web", scope="openid offline_access notes:read"))["refresh_token"]
    for _ in range(8):
        deployment.clock.turn(20 * DAY)
        answer: dict[str, Any] = (await deployment.refresh(token, "web")).json()
        assert token == answer["refresh_token"]
    made_now = await deployment.browser().tokens("web")
    assert token[-30:-20] != made_now["refresh_token"][-30:-20]


async def test_two_processes_agree_on_the_key_that_comes_next(deployment: Deployment) -> None:
    from proofkey.server.app import create_app

    other = Deployment(
        create_app(deployment.app.engine.config, store=deployment.store, clock=deployment.clock),
        deployment.store,
        deployment.clock,
        deployment.opened,
    )
    deployment.clock.turn(29 * DAY)
    assert await published(deployment) == await published(other)
    deployment.clock.turn(DAY)
    assert await signed_with(deployment) == await signed_with(other)


async def seals(deployment: Deployment) -> list[int]:
    await deployment.issuer()
    return [key.generation for key in await deployment.store.find_keys("") if key.use == "seal"]


def sealed_under(page: Any) -> int:
    from proofkey.protocol.base64url import decode_base64url

    form = form_with(page, "request")
    assert form is not None
    return int.from_bytes(decode_base64url(form.fields["request"])[1:5], "big")
