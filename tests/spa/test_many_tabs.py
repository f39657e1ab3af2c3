"""Fifty tabs, one session, two hundred rotations, one answer in twenty lost on its way back: nobody is signed out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser import window
from tests.spa.lossy_wire import Dice
from tests.spa.setting import BUILT, Setting
from tests.spa.tab import Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS = 50
ROTATIONS = 200
LOST = 0.05
IN_EACH_TAB = """(api) => {
    const rounds = new BroadcastChannel("rounds");
    rounds.onmessage = async ({data: round}) => {
        if (typeof round !== "number") return;
        const called = client.fetch(api + "/notes?round=" + round);
        const told = await outcome(called.then(async ({status}) => [status, await client.getToken()]));
        rounds.postMessage({round, ...told});
    };
}"""
LEADER = """() => {
    const rounds = new BroadcastChannel("rounds");
    window.playRound = (round, tabs) => new Promise((resolve) => {
        const told = [];
        rounds.onmessage = ({data}) => data.round === round && told.push(data) === tabs && resolve(told);
        rounds.postMessage(round);
    });
}"""


async def open_tabs(setting: Setting, context: BrowserContext, count: int) -> list[Tab]:
    """Many tabs with the app, opened by the first, as a person opens links in new tabs."""
    first = await Tab.open(setting, context)
    tabs = [first]
    for _ in range(count - 1):
        async with context.expect_page() as opening:
            await first.run("void open('/')")
        page: Page = await opening.value
        tabs.append(Tab(setting, page))
    for tab in tabs:
        await tab.ready()
    return tabs


async def play(setting: Setting, leader: Page, number: int, tabs: int) -> list[dict[str, Any]]:
    """One round: the API refuses every token of before, all tabs call it at once; what each came to."""
    setting.api.refuse_all_so_far()
    told: list[dict[str, Any]] = await asyncio.wait_for(leader.evaluate(f"playRound({number}, {tabs})"), 30)
    return told


@asynccontextmanager
async def table(browser: Browser, setting: Setting, count: int) -> AsyncIterator[tuple[list[Tab], Page]]:
    """Tabs that are signed in and know the token of round 0, and a page that leads them."""
    async with window(browser) as context:
        tabs = await open_tabs(setting, context, count)
        await tabs[0].sign_in()
        for tab in tabs:
            assert "Alice Adler" == await tab.name()
            await tab.run(IN_EACH_TAB, setting.api_url)
        leader = await context.new_page()
        await leader.goto(f"{setting.app}/nothing.html")
        await leader.evaluate(LEADER)
        await play(setting, leader, 0, count)
        yield tabs, leader


@pytest.mark.timeout(280)
async def test_fifty_tabs_live_through_two_hundred_rotations_with_lost_answers(
    browser: Browser, setting: Setting
) -> None:
    async with table(browser, setting, TABS) as (tabs, leader):
        setting.wire.loses = Dice(LOST)
        for number in range(1, ROTATIONS + 1):
            told = await play(setting, leader, number, TABS)
            statuses = Counter(each["value"][0] if "value" in each else each["refused"] for each in told)
            assert (number, {200: TABS}) == (number, statuses)
            assert 1 == len({each["value"][1] for each in told})

        refreshes = setting.wire.refreshes()
        lost = [each for each in refreshes if each.is_lost]
        assert ROTATIONS == len({each.answer["refresh_token"] for each in refreshes})
        assert ROTATIONS + len(lost) == len(refreshes)
        assert {200} == {each.status for each in refreshes}
        assert ROTATIONS * LOST / 3 < len(lost) < ROTATIONS * LOST * 3
        assert [[]] * TABS == [await tab.events("signedout") for tab in tabs]


async def test_without_the_lock_the_table_would_notice(browser: Browser, setting: Setting) -> None:
    """The same three rounds with a library whose lock is taken out: more than one refresh a round, or somebody signed out."""
    script = (BUILT / "index.js").read_text(encoding="utf-8")
    assert 1 == script.count("navigator.locks.request(")
    broken = script.replace("navigator.locks.request(", "((_name, act) => act())(")
    setting.site.files["/spa/index.js"] = broken.encode()
    async with table(browser, setting, 10) as (_, leader):
        told = [each for number in range(1, 4) for each in await play(setting, leader, number, 10)]
    assert 3 < len(setting.wire.refreshes()) or any("refused" in each for each in told)
