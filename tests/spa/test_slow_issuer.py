"""An issuer that takes its time: nobody is signed out, nothing looks like a theft, and the late answer is waited for."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, Route

from tests.browser import window
from tests.spa.setting import Setting
from tests.spa.tab import Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

RENEW = "client.getToken({renew: true})"
WITH_LESS_SCOPE = "client.getToken({scope: 'openid profile notes:read'})"


async def test_an_answer_that_takes_eleven_seconds_is_waited_for_and_asked_for_again_beside_it(
    browser: Browser, setting: Setting
) -> None:
    """The issuer's leeway is ten seconds: what is sent later than that would end the family."""
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        before = await tab.token()
        setting.wire.delay = 11.0
        started = asyncio.get_running_loop().time()
        told = await tab.outcome(RENEW)
        assert 10.5 < asyncio.get_running_loop().time() - started < 16
        setting.wire.delay = 0.0
        assert "value" in told, told
        assert before != told["value"]
        assert [200] * 3 == [each.status for each in setting.wire.refreshes()]
        assert 1 == len({each.answer["refresh_token"] for each in setting.wire.refreshes()})
        assert "value" in await tab.outcome(RENEW)
        assert [] == await tab.events("signedout")


async def test_a_refusal_that_overtakes_the_answer_signs_nobody_out(browser: Browser, setting: Setting) -> None:
    asked: list[str] = []

    async def answer(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            refusal = '{"error": "invalid_grant"}'
            headers = {"access-control-allow-origin": "*", "content-type": "application/json"}
            await route.fulfill(status=400, headers=headers, body=refusal)
            return
        await asyncio.sleep(6)
        await route.continue_()

    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await context.route("**/oauth2/token", answer)
        told = await tab.outcome(RENEW)
        assert ("value" in told, 2) == (True, len(asked)), told
        assert [] == await tab.events("signedout")
        await context.unroute("**/oauth2/token")
        assert "value" in await tab.outcome(RENEW)


async def test_a_late_refusal_of_the_former_session_leaves_a_new_one_signed_in(
    browser: Browser, setting: Setting
) -> None:
    """The attempt beside is the new session's; the refusal that overtakes it is the former's."""
    refreshes: list[str] = []

    async def answer(route: Route) -> None:
        if "grant_type=refresh_token" not in (route.request.post_data or ""):
            await route.continue_()
            return
        refreshes.append(route.request.url)
        if len(refreshes) == 1:
            await asyncio.sleep(6)
            headers = {"access-control-allow-origin": "*", "content-type": "application/json"}
            await route.fulfill(status=400, headers=headers, body='{"error": "invalid_grant"}')
        elif len(refreshes) == 2:
            await route.fulfill(status=503, body="{}")
        else:
            await route.continue_()

    async with window(browser) as context:
        tab, other = [await Tab.open(setting, context) for _ in range(2)]
        await tab.sign_in()
        await context.route("**/oauth2/token", answer)
        await tab.run(f"void (window.asked = outcome({WITH_LESS_SCOPE}))")
        await other.sign_in("bob", "{prompt: 'login'}")
        assert "Bob Brandt" == await tab.name()
        told = await tab.run("asked")
        assert [[], []] == [await each.events("signedout") for each in (tab, other)], told
        assert "value" in told, told
        assert ["Bob Brandt"] * 2 == [await each.name() for each in (tab, other)]
        assert "value" in await tab.outcome(RENEW)


@pytest.mark.parametrize("seconds", [-5, 0.01, "NaN"])
async def test_a_life_that_nobody_can_live_with_makes_no_flood_of_refreshes(
    browser: Browser, setting: Setting, seconds: object
) -> None:
    async def shorten(route: Route) -> None:
        response = await route.fetch()
        await route.fulfill(response=response, json={**await response.json(), "expires_in": seconds})

    async with window(browser) as context:
        await context.route("**/oauth2/token", shorten)
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.token()
        await tab.page.wait_for_timeout(1_500)
        assert [] == setting.wire.refreshes()
