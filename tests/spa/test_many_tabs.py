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
    const plain = window.fetch;
    let refused = "";
    window.fetch = async (input, init) => {  // the API, in every tab: it refuses the token of the round before
        const request = new Request(input, init);
        if (!request.url.startsWith(api)) return plain(input, init);
        return new Response("{}", {status: request.headers.get("authorization") === "Bearer " + refused ? 401 : 200});
    };
    rounds.onmessage = async ({data: {begins, old}}) => {
        if (begins === undefined) return;
        refused = old;
        const told = await outcome(client.fetch(api + "/notes").then(async ({status}) => [status, await client.getToken()]));
        rounds.postMessage({round: begins, ...told});
    };
}"""
LEADER = """() => {
    const rounds = new BroadcastChannel("rounds");
    window.playRound = ([begins, tabs, old]) => new Promise((resolve) => {
        const told = [];
        rounds.onmessage = ({data}) => data.round === begins && told.push(data) === tabs && resolve(told);
        rounds.postMessage({begins, old});
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


async def play(leader: Page, number: int, tabs: int, old: str) -> list[dict[str, Any]]:
    """One round: the API refuses *old*, all tabs call it at once; what each came to."""
    playing = leader.evaluate("([...given]) => playRound(given)", [number, tabs, old])
    told: list[dict[str, Any]] = await asyncio.wait_for(playing, 60)
    return told


@asynccontextmanager
async def table(browser: Browser, setting: Setting, count: int) -> AsyncIterator[tuple[list[Tab], Page, str]]:
    """Tabs that are signed in, a page that leads them, and the token they all have."""
    async with window(browser) as context:
        tabs = await open_tabs(setting, context, count)
        await tabs[0].sign_in()
        for tab in tabs:
            assert "Alice Adler" == await tab.name()
            await tab.run(IN_EACH_TAB, setting.api_url)
        leader = await context.new_page()
        await leader.goto(f"{setting.app}/nothing.html")
        await leader.evaluate(LEADER)
        yield tabs, leader, await tabs[0].token()


@pytest.mark.timeout(600)
async def test_fifty_tabs_live_through_two_hundred_rotations_with_lost_answers(
    browser: Browser, setting: Setting
) -> None:
    async with table(browser, setting, TABS) as (tabs, leader, token):
        setting.wire.loses = Dice(LOST)
        for number in range(ROTATIONS):
            told = await play(leader, number, TABS, token)
            statuses = Counter(each["value"][0] if "value" in each else each["refused"] for each in told)
            assert (number, {200: TABS}) == (number, statuses)
            fresh = {each["value"][1] for each in told}
            assert (1, False) == (len(fresh), token in fresh)
            [token] = fresh

        refreshes = setting.wire.refreshes()
        lost = [each for each in refreshes if each.is_lost]
        assert ROTATIONS == len({each.answer["refresh_token"] for each in refreshes})
        assert ROTATIONS + len(lost) == len(refreshes)
        assert {200} == {each.status for each in refreshes}
        assert ROTATIONS * LOST / 3 < len(lost) < ROTATIONS * LOST * 3
        assert [[]] * TABS == [await tab.events("signedout") for tab in tabs]


async def test_without_the_lock_the_table_would_notice(browser: Browser, setting: Setting) -> None:
    """One round with a library whose lock is taken out: more than one refresh, or somebody is signed out."""
    script = (BUILT / "index.js").read_text(encoding="utf-8")
    assert 3 == script.count("navigator.locks.request(")  # two of them are windows'
    broken = script.replace("navigator.locks.request(", "((_name, act) => act())(")
    setting.site.files["/spa/index.js"] = broken.encode()
    async with table(browser, setting, 10) as (_, leader, token):
        setting.wire.delay = 1.0  # or a busy machine lets them come one after another
        told = await play(leader, 0, 10, token)
    assert 1 < len(setting.wire.refreshes()) or any("refused" in each for each in told)
