"""A copied refresh token: whoever uses it, in whatever order, the family ends and every tab is told (RFC 9700 §4.14.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser

from tests.browser import window
from tests.spa.setting import Setting
from tests.spa.tab import SIGNED_OUT, Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEEWAY = 1.0
"""Of the workspace `brief`, in seconds."""
RENEW = "client.getToken({renew: true})"


class Thief:
    """Somebody with copies of refresh tokens, on another machine: nothing of theirs passes through the wire."""

    def __init__(self, setting: Setting, issuer: str) -> None:
        self.setting = setting
        self.endpoint = f"{issuer.replace(str(httpx2.URL(issuer).port), str(setting.server.port))}/oauth2/token"

    def copy(self, number: int = -1) -> str:
        """The refresh token that the browser got with its answer *number*."""
        token: str = self.setting.wire.exchanges[number].answer["refresh_token"]
        return token

    async def use(self, refresh_token: str) -> dict[str, Any]:
        """The issuer's answer."""
        form = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": refresh_token}
        async with httpx2.AsyncClient(trust_env=False) as http:
            answer = await http.post(self.endpoint, data=form)
        told: dict[str, Any] = answer.json()
        return told


@asynccontextmanager
async def signed_in(
    browser: Browser, setting: Setting, config: dict[str, Any]
) -> AsyncIterator[tuple[list[Tab], Thief]]:
    """Five tabs with one session, and a thief."""
    setting.site.config = {**config, "renewAt": 0}
    async with window(browser) as context:
        tabs = [await Tab.open(setting, context) for _ in range(5)]
        await tabs[0].sign_in()
        assert ["Alice Adler"] * 5 == [await tab.name() for tab in tabs]
        yield tabs, Thief(setting, config["issuer"])


async def assert_all_signed_out(tabs: list[Tab], thief: Thief) -> None:
    """At the next need of any tab all are told, once; and no token of the family opens anything any more."""
    assert SIGNED_OUT == await tabs[3].outcome(RENEW)
    for tab in tabs:
        assert SIGNED_OUT == await tab.outcome("client.getToken()")
        assert ["expired"] == await tab.events("signedout")
    for exchange in thief.setting.wire.exchanges:
        if "refresh_token" in exchange.answer:
            assert "invalid_grant" == (await thief.use(exchange.answer["refresh_token"]))["error"]


async def test_a_token_used_after_its_successor_was_used_ends_the_family(browser: Browser, setting: Setting) -> None:
    async with signed_in(browser, setting, setting.config) as (tabs, thief):
        stolen = thief.copy()
        for tab in tabs[:2]:
            await tab.run(RENEW)
        assert "invalid_grant" == (await thief.use(stolen))["error"]
        await assert_all_signed_out(tabs, thief)


async def test_a_token_used_after_the_leeway_ends_the_family(browser: Browser, setting: Setting) -> None:
    async with signed_in(browser, setting, setting.brief) as (tabs, thief):
        stolen = thief.copy()
        await tabs[0].run(RENEW)
        await asyncio.sleep(LEEWAY + 0.3)
        assert "invalid_grant" == (await thief.use(stolen))["error"]
        await assert_all_signed_out(tabs, thief)


async def test_a_thief_who_was_faster_loses_what_was_stolen_when_the_browser_needs_it(
    browser: Browser, setting: Setting
) -> None:
    async with signed_in(browser, setting, setting.brief) as (tabs, thief):
        taken = await thief.use(thief.copy())
        await asyncio.sleep(LEEWAY + 0.3)
        await assert_all_signed_out(tabs, thief)
        assert "invalid_grant" == (await thief.use(taken["refresh_token"]))["error"]


async def test_a_thief_two_steps_ahead_is_noticed_at_once(browser: Browser, setting: Setting) -> None:
    async with signed_in(browser, setting, setting.config) as (tabs, thief):
        first = await thief.use(thief.copy())
        second = await thief.use(first["refresh_token"])
        await assert_all_signed_out(tabs, thief)
        assert "invalid_grant" == (await thief.use(second["refresh_token"]))["error"]


async def test_a_thief_within_the_leeway_gets_no_further_than_the_next_rotation(
    browser: Browser, setting: Setting
) -> None:
    """The repeat looks like a lost answer and gets the browser's own successor; from there on only one of them can go on."""
    async with signed_in(browser, setting, setting.brief) as (tabs, thief):
        stolen = thief.copy()
        await tabs[0].run(RENEW)
        same = await thief.use(stolen)
        assert thief.copy() == same["refresh_token"]
        await tabs[1].run(RENEW)
        await tabs[1].run(RENEW)
        assert "invalid_grant" == (await thief.use(same["refresh_token"]))["error"]
        await assert_all_signed_out(tabs, thief)


async def test_a_theft_while_answers_are_lost_is_noticed_all_the_same(browser: Browser, setting: Setting) -> None:
    async with signed_in(browser, setting, setting.config) as (tabs, thief):
        stolen = thief.copy()
        setting.wire.loses = lambda exchange: 1 == len(setting.wire.refreshes())
        await tabs[0].run(RENEW)
        assert [True, False] == [each.is_lost for each in setting.wire.refreshes()][:2]
        await tabs[1].run(RENEW)
        assert "invalid_grant" == (await thief.use(stolen))["error"]
        await assert_all_signed_out(tabs, thief)
