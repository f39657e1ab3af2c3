"""`@proofkey/spa/react` in real React, under StrictMode: everything mounts twice, and a code is redeemed once."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import complaints_of, window
from tests.spa.bundle import bundle
from tests.spa.setting import PAGES, Setting
from tests.spa.tab import Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = b"""<!doctype html><meta charset="utf-8"><title>React</title><link rel="icon" href="data:,">
<div id="root"></div><script type="module" src="/app.js"></script>"""


@pytest.fixture
def react(setting: Setting, tmp_path: Path) -> Setting:
    """The app's origin with the React app on every page."""
    setting.site.files |= bundle(PAGES / "strict.jsx", tmp_path)
    setting.site.files |= {"/": PAGE, "/callback": PAGE}
    return setting


async def says(page: Page, words: str) -> None:
    """What the component shows."""
    await expect(page.locator("#state")).to_have_text(words, timeout=15_000)


async def test_strict_mode_mounts_twice_and_redeems_once(browser: Browser, react: Setting) -> None:
    async with window(browser) as context:
        page = await context.new_page()
        complaints = complaints_of(page)
        await page.goto(f"{react.app}/")
        await says(page, "signedOut")
        tab = Tab(react, page)
        await tab.leave_to_sign_in('{target: "/inbox"}')
        await tab.give_password()
        await says(page, "Hello Alice Adler")
        assert 2 <= await page.evaluate("mounted")
        assert ["/inbox"] == await page.evaluate("targets")
        assert ["authorization_code"] == [each.grant_type for each in react.wire.exchanges]
        assert [] == complaints


async def test_a_component_follows_the_session_in_whichever_tab_it_changes(browser: Browser, react: Setting) -> None:
    async with window(browser) as context:
        one, other = [await context.new_page() for _ in range(2)]
        for page in (one, other):
            await page.goto(f"{react.app}/")
            await says(page, "signedOut")
        tab = Tab(react, one)
        await tab.leave_to_sign_in()
        await tab.give_password()
        for page in (one, other):
            await says(page, "Hello Alice Adler")
        await other.reload()
        await says(other, "Hello Alice Adler")
        await one.evaluate("client.logout({redirect: false})")
        for page in (one, other):
            await says(page, "signedOut")
