"""Signing out when the issuer is away, or names an address that is not safe; and what is left of the sign-in in the page."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, Route

from tests.browser import window
from tests.spa.setting import Setting
from tests.spa.tab import Tab
from tests.spa.test_kept import IN_THE_VAULT
from tests.spa.test_session import refresh_by_hand

pytestmark = pytest.mark.asyncio(loop_scope="session")

LATER = "void (Date.now = ((now) => () => now() + 400000)(Date.now))"


@pytest.mark.parametrize(("options", "told"), [("{redirect: false}", None), ("{}", "unavailable")])
async def test_signing_out_while_the_issuer_s_metadata_are_away_forgets_and_revokes_all_the_same(
    browser: Browser, setting: Setting, options: str, told: str | None
) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.reload()
        assert "Alice Adler" == await tab.name()
        refresh_token = setting.wire.exchanges[-1].answer["refresh_token"]
        await tab.run(LATER)
        await context.route("**/.well-known/**", lambda route: route.abort())
        assert told == (await tab.outcome(f"client.logout({options})")).get("refused")
        assert [] == await tab.run(IN_THE_VAULT)
        assert 400 == await refresh_by_hand(tab, refresh_token)


async def test_signing_out_offline_forgets_the_refresh_token(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.run("client.getToken({renew: true})")
        await context.set_offline(True)
        await tab.outcome("client.logout({redirect: false})")
        assert [] == await tab.run(IN_THE_VAULT)


async def test_signing_out_does_not_wait_long_for_a_revocation_endpoint_that_hangs(
    browser: Browser, setting: Setting
) -> None:
    """Somebody is looking on, and the refresh token is forgotten already."""
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await context.route("**/oauth2/revoke", lambda _route: asyncio.sleep(0))
        async with asyncio.timeout(10):
            assert {"value": None} == await tab.outcome("client.logout({redirect: false})")
        assert [] == await tab.run(IN_THE_VAULT)


async def test_a_refresh_token_is_not_sent_in_the_clear_to_be_revoked(browser: Browser, setting: Setting) -> None:
    sent: list[str | None] = []

    async def name_another(route: Route) -> None:
        response = await route.fetch()
        metadata = {**await response.json(), "revocation_endpoint": "http://elsewhere.test/revoke"}
        await route.fulfill(response=response, json=metadata)

    async def listen(route: Route) -> None:
        sent.append(route.request.post_data)
        await route.fulfill(status=200, headers={"access-control-allow-origin": "*"}, body="{}")

    async with window(browser) as context:
        await context.route("**/.well-known/**", name_another)
        await context.route("http://elsewhere.test/**", listen)
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.run("client.logout({redirect: false})")
        assert [] == sent
        assert [] == await tab.run(IN_THE_VAULT)


async def test_after_a_sign_out_nothing_says_who_came_back_before(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        assert "Alice Adler" == (await tab.outcome("client.handleCallback()"))["value"]["user"]["name"]
        await tab.run("client.logout({redirect: false})")
        assert {"value": None} == await tab.outcome("client.handleCallback()")
