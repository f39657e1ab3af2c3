"""Signing in in a window of its own: with an issuer that cuts the tie, without a person, without a window, without the opener."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page

from tests.browser import CHROMIUM, window
from tests.spa.setting import PASSWORD, Setting
from tests.spa.tab import SIGNED_OUT, Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

BEGIN = "{ window.login = outcome(client.login({popup: true, target: 'here'})); undefined }"


async def open_popup(tab: Tab) -> Page:
    """Begin a login in a window; the window, at the issuer."""
    async with tab.page.expect_popup() as opening:
        await tab.run(BEGIN)
    popup: Page = await opening.value
    await popup.wait_for_url(f"{tab.setting.issuer}/**")
    return popup


@pytest.mark.parametrize("policy", [b"", b"cross-origin-opener-policy: same-origin\r\n"])
async def test_a_window_signs_in_all_tabs_and_closes_itself(browser: Browser, setting: Setting, policy: bytes) -> None:
    """With COOP the opener sees the window as closed from its first page on, and must not mind."""
    setting.wire.page_headers = policy
    async with window(browser) as context:
        tab, other = [await Tab.open(setting, context) for _ in range(2)]
        await tab.run("void (open = ((plain) => (...given) => window.opened = plain(...given))(open))")
        popup = await open_popup(tab)
        await tab.page.wait_for_function(f"opened.closed === {'true' if policy else 'false'}")  # told a moment later
        async with popup.expect_event("close"):
            await tab.give_password(page=popup)
        told = (await tab.run("login"))["value"]
        assert ("here", "Alice Adler") == (told["target"], told["user"]["name"])
        assert [f"{setting.app}/"] * 2 == [each.page.url for each in (tab, other)]
        assert ["Alice Adler"] * 2 == [await each.name() for each in (tab, other)]
        assert 1 == len(setting.wire.redemptions())


BUSY = """new Promise((resolve) => setTimeout(() => {
    for (const until = Date.now() + 4000; Date.now() < until; );
    resolve();
}, 300))"""


@pytest.mark.parametrize("policy", [b"", b"cross-origin-opener-policy: same-origin\r\n"])
async def test_a_page_that_is_busy_while_its_window_comes_back_redeems_once(
    browser: Browser, setting: Setting, policy: bytes
) -> None:
    """With COOP the window lives in another process, which sees what the page wrote into storage a moment later."""
    setting.wire.page_headers = policy
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        popup = await open_popup(tab)
        await popup.get_by_label("Email or username").fill("alice")
        await popup.get_by_label("Password").fill(PASSWORD)
        await tab.run(f"void ({BUSY})")
        async with popup.expect_event("close", timeout=15_000):
            await popup.get_by_role("button", name="Sign in", exact=True).click()
        assert "Alice Adler" == (await tab.run("login"))["value"]["user"]["name"]
        assert [200] == [each.status for each in setting.wire.redemptions()]
        assert "value" in await tab.outcome("client.getToken({renew: true})")


async def test_the_pages_in_the_window_do_not_reach_the_page_that_opened_it(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        popup = await open_popup(tab)
        assert [None, ""] == await popup.evaluate("[window.opener, window.name]")


async def test_a_window_that_the_person_closes_harms_nothing(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await (await open_popup(tab)).close()
        assert SIGNED_OUT == await tab.outcome("client.getToken()")
        popup = await open_popup(tab)
        await tab.give_password(page=popup)
        assert "Alice Adler" == (await tab.run("login"))["value"]["user"]["name"]


async def test_a_window_whose_opener_is_gone_finishes_by_itself(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab, other = [await Tab.open(setting, context) for _ in range(2)]
        popup = await open_popup(tab)
        await tab.page.goto("about:blank")
        await tab.give_password(page=popup)
        await popup.wait_for_url(f"{setting.app}/callback")
        inside = Tab(setting, popup)
        await inside.ready()
        assert ["Alice Adler"] * 2 == [await each.name() for each in (inside, other)]
        assert 1 == len(setting.wire.redemptions())


COUNT = """{
    window.sets = []; window.timers = new Map();
    Set = class extends Set { constructor(...given) { super(...given); sets.push(this); } };
    const { setTimeout: begin, clearTimeout: stop } = window;
    setTimeout = (...given) => { const id = begin(...given); timers.set(id, given[1]); return id; };
    clearTimeout = (id) => { timers.delete(id); stop(id); };
    const listeners = () => sets.flatMap((each) => [...each]).filter((each) => typeof each === "function");
    window.held = () => [listeners().length, [...timers.values()].filter((ms) => ms === 600_000).length];
}"""


async def test_a_window_that_is_done_leaves_no_listener_and_no_timer(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        await context.add_init_script(COUNT)
        tab = await Tab.open(setting, context)
        await tab.name()
        listeners, timers = await tab.run("held()")
        popup = await open_popup(tab)
        assert [listeners + 1, timers + 1] == await tab.run("held()")
        await tab.give_password(page=popup)
        assert "value" in await tab.run("login")
        assert [listeners, timers] == await tab.run("held()")


async def test_a_blocked_window_is_said_at_once(browser: Browser, setting: Setting) -> None:
    """In a Chromium that blocks windows nobody clicked for, as people's do."""
    strict = await browser.browser_type.launch(
        executable_path=CHROMIUM,
        args=["--no-sandbox", "--disable-gpu"],
        ignore_default_args=["--disable-popup-blocking"],
    )
    try:
        async with window(strict) as context:
            tab = await Tab.open(setting, context)
            await tab.page.add_script_tag(
                content="setTimeout(() => { window.login = outcome(client.login({popup: true})) }, 6000)"
            )
            await tab.page.wait_for_function("window.login", timeout=10_000)
            assert {"refused": "popup_blocked", "isOurs": True, "isIssuers": False} == await tab.run("login")
            assert [] == [key for key in await tab.run("Object.keys(localStorage)") if "login" in key]
    finally:
        await strict.close()
