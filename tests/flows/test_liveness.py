"""Liveness is read, never only fanned out: what happens to one row ends everything that leans on it (law 10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias

import jwt
import pytest

from proofkey.protocol.records import DAY, HOUR, MINUTE
from tests.attempt import sent_back
from tests.engine import Browser, Deployment, attempt_of, reasons

PLACE = "demo/main"
OFFLINE = "openid offline_access notes:read"
Ending: TypeAlias = Callable[[Deployment, Browser], Awaitable[None]]


async def find_alice(deployment: Deployment) -> Any:
    user = await deployment.store.find_user(PLACE, "alice")
    assert user is not None
    return user


async def withdraw(deployment: Deployment, browser: Browser) -> None:
    user = await find_alice(deployment)
    await deployment.store.withdraw_consent(PLACE, user.id, "spa", deployment.clock())


async def disable_person(deployment: Deployment, browser: Browser) -> None:
    await deployment.store.disable_user(PLACE, (await find_alice(deployment)).id, deployment.clock())


async def disable_client(deployment: Deployment, browser: Browser) -> None:
    await deployment.store.disable_client(PLACE, "spa", deployment.clock())


async def change_password(deployment: Deployment, browser: Browser) -> None:
    user = await find_alice(deployment)
    await deployment.store.keep_user(replace(user, epoch=user.epoch + 1), ["alice"], deployment.clock())


async def sign_out(deployment: Deployment, browser: Browser) -> None:
    page = await browser.http.get("oauth2/logout")
    assert 200 == (await browser.submit(page, "ticket", decision="sign_out")).status_code


ENDINGS: list[Ending] = [withdraw, disable_person, disable_client, change_password]


@pytest.mark.parametrize("scope", ["openid notes:read", OFFLINE])
@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_ending_ends_tokens_at_once(deployment: Deployment, ending: Ending, scope: str) -> None:
    browser = deployment.browser()
    tokens = await browser.tokens(scope=scope)
    deployment.clock.turn(1)
    await ending(deployment, browser)
    assert 401 == (await deployment.userinfo(tokens["access_token"])).status_code
    assert {"active": False} == await deployment.introspect(tokens["access_token"])
    assert (await deployment.refresh(tokens["refresh_token"])).status_code in (400, 401)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_ending_ends_even_a_refresh_that_is_repeated_within_the_leeway(
    deployment: Deployment, ending: Ending
) -> None:
    browser = deployment.browser()
    tokens = await browser.tokens()
    await deployment.refresh(tokens["refresh_token"])
    deployment.clock.turn(1)
    await ending(deployment, browser)
    assert (await deployment.refresh(tokens["refresh_token"])).status_code in (400, 401)


@pytest.mark.parametrize("ending", [*ENDINGS, sign_out])
async def test_an_ending_between_the_legs_ends_the_code(deployment: Deployment, log: list[Any], ending: Ending) -> None:
    browser, attempt = deployment.browser(), attempt_of(scope=OFFLINE)
    code = await browser.code(attempt)
    deployment.clock.turn(1)
    await ending(deployment, browser)
    assert 400 == (await deployment.redeem(attempt, code)).status_code
    assert ["code_authorization_gone"] == reasons(log)


@pytest.mark.parametrize("ending", [disable_person, change_password, sign_out])
async def test_an_ending_of_the_person_s_ends_their_session(deployment: Deployment, ending: Ending) -> None:
    browser = deployment.browser()
    await browser.tokens()
    deployment.clock.turn(1)
    await ending(deployment, browser)
    got = sent_back(await browser.ask({**attempt_of().query, "prompt": "none"}))
    assert "login_required" == got["error"]


async def test_a_withdrawn_consent_is_asked_again(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    await withdraw(deployment, browser)
    got = sent_back(await browser.ask({**attempt_of().query, "prompt": "none"}))
    assert "consent_required" == got["error"]
    await browser.tokens()


async def test_offline_access_outlives_sign_out_and_the_rest_does_not(deployment: Deployment) -> None:
    browser = deployment.browser()
    kept, bound = await browser.tokens(scope=OFFLINE), await browser.tokens(scope="openid notes:read")
    deployment.clock.turn(1)
    await sign_out(deployment, browser)
    assert 400 == (await deployment.refresh(bound["refresh_token"])).status_code
    assert 401 == (await deployment.userinfo(bound["access_token"])).status_code
    assert 200 == (await deployment.refresh(kept["refresh_token"])).status_code
    assert 200 == (await deployment.userinfo(kept["access_token"])).status_code


async def test_signing_out_in_one_browser_leaves_the_other(deployment: Deployment) -> None:
    here, there = deployment.browser(), deployment.browser()
    ours, theirs = await here.tokens(), await there.tokens()
    await sign_out(deployment, here)
    assert 400 == (await deployment.refresh(ours["refresh_token"])).status_code
    assert 200 == (await deployment.refresh(theirs["refresh_token"])).status_code


async def test_a_session_idles_for_twelve_hours_and_each_sign_in_extends_it(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    for _ in range(3):
        deployment.clock.turn(12 * HOUR - MINUTE)
        await browser.deployment.redeem(attempt := attempt_of(), sent_back(await browser.ask(attempt.query))["code"])
    deployment.clock.turn(12 * HOUR)
    assert "login_required" == sent_back(await browser.ask({**attempt_of().query, "prompt": "none"}))["error"]


async def test_a_session_ends_after_thirty_days_whatever_is_done_with_it(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    for _ in range(60):
        deployment.clock.turn(12 * HOUR - 1)
        answer = await browser.ask({**(attempt := attempt_of()).query, "prompt": "none"})
        assert 200 == (await deployment.redeem(attempt, sent_back(answer)["code"])).status_code
    deployment.clock.turn(60)
    assert deployment.clock() % DAY == 12 * HOUR
    assert "login_required" == sent_back(await browser.ask({**attempt_of().query, "prompt": "none"}))["error"]


async def test_a_client_declared_again_does_not_revive_what_was_ended(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    client = await deployment.store.find_client(PLACE, "spa")
    assert client is not None
    deployment.clock.turn(1)
    await deployment.store.disable_client(PLACE, "spa", deployment.clock())
    await deployment.store.keep_client(PLACE, client, deployment.clock())
    assert 400 == (await deployment.refresh(tokens["refresh_token"])).status_code
    deployment.clock.turn(1)
    await deployment.sign_in()


async def test_a_scope_taken_from_the_client_is_cut_out_of_every_token_from_then_on(deployment: Deployment) -> None:
    browser, attempt = deployment.browser(), attempt_of()
    tokens, code = await browser.tokens(), await browser.code(attempt)
    client = await deployment.store.find_client(PLACE, "spa")
    assert client is not None
    less = replace(client, scopes=("openid", "notes:read"), default_scope=("notes:read",))
    await deployment.store.keep_client(PLACE, less, deployment.clock())
    deployment.clock.turn(11_000)
    repeated = await deployment.refresh(tokens["refresh_token"], scope=tokens["scope"])
    for answer in (repeated, await deployment.redeem(attempt, code)):
        assert (200, {"openid", "notes:read"}) == (answer.status_code, set(answer.json()["scope"].split()))
        claims = jwt.decode(answer.json()["id_token"], options={"verify_signature": False})
        assert "email" not in claims
        assert ["sub"] == list((await deployment.userinfo(answer.json()["access_token"])).json())
