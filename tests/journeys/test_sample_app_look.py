"""The sample app as something to look at, to hear and to press: axe, sizes, contrast, focus, and without JavaScript."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import DESKTOP, PHONE, window
from tests.dev_server import DevServer
from tests.journeys.sample_app import SampleApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
BORDER_CONTRASTS = """() => {
    const parts = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const light = colour => parts(colour).map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    return [...document.querySelectorAll('button:not(.main)')].map(button => {
        const style = getComputedStyle(button);
        const [low, high] = [light(style.borderTopColor), light(style.backgroundColor)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    });
}"""


async def faults_of(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds, in each scheme, on a phone and on a desktop."""
    faults = []
    for scheme, width in product(SCHEMES, (PHONE, DESKTOP)):
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 800})
        found = await page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        faults += [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]]
    return faults


async def looks_of(page: Page) -> tuple[list[tuple[str, list[str]]], str]:
    """What axe finds on a page without a policy, and its ground in the dark."""
    await page.add_script_tag(path=AXE)
    faults = await faults_of(page)
    await page.emulate_media(color_scheme="dark")
    return faults, await page.evaluate("getComputedStyle(document.body).backgroundColor")


async def come_in(app: SampleApp) -> None:
    """Sign in; who allowed it in a test before is not asked again."""
    await app.ask_to_sign_in()
    await app.give_password()
    await app.allow_if_asked()
    await app.is_signed_in()


async def test_axe_finds_nothing_and_everything_to_press_is_large_enough(browser: Browser, dev: DevServer) -> None:
    async with window(browser, bypass_csp=True) as context:
        app = await SampleApp.open(dev, context)
        await app.page.add_script_tag(path=AXE)
        assert [] == await faults_of(app.page)
        await come_in(app)
        await app.press("Read my notes")
        await expect(app.page.locator("#api-answer")).to_contain_text("notes:read")
        await app.page.locator("#steps summary").first.click()
        await app.page.add_script_tag(path=AXE)
        assert [] == await faults_of(app.page)
        for scheme in SCHEMES:
            await app.page.emulate_media(color_scheme=scheme)
            contrasts = await app.page.evaluate(BORDER_CONTRASTS)
            assert [] == [contrast for contrast in contrasts if contrast < 3]
            assert 3 == len(contrasts)
        sizes = await app.page.eval_on_selector_all(
            "#signed-in button, summary, a", "all => all.map(one => one.getBoundingClientRect().height)"
        )
        assert [] == [size for size in sizes if size < 44]


async def test_who_comes_back_is_where_the_keyboard_is_and_hears_what_the_api_says(
    browser: Browser, dev: DevServer
) -> None:
    async with window(browser) as context:
        app = await SampleApp.open(dev, context)
        await come_in(app)
        await expect(app.page.get_by_role("group", name="Alice Adler")).to_be_focused()
        await expect(
            app.page.get_by_text("A reload keeps you signed in; access tokens are in memory only.")
        ).to_be_visible()
        await app.press("Read my notes")
        await expect(app.page.get_by_role("status").filter(has_text="Your first note")).to_be_visible()


async def test_a_step_says_who_speaks_and_shows_that_it_opens(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        app = await SampleApp.open(dev, context)
        await come_in(app)
        first = app.page.locator("#steps summary").first
        turned = "one => getComputedStyle(one, '::after').rotate"
        assert ["App", "45deg"] == [await first.locator(".way").inner_text(), await first.evaluate(turned)]
        await first.press("Enter")
        assert "225deg" == await first.evaluate(turned)


async def test_without_javascript_the_app_says_so_before_its_button(browser: Browser, dev: DevServer) -> None:
    async with window(browser, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(dev.told["app"])
        words, button = page.locator("noscript p"), page.get_by_role("button", name="Sign in")
        places = [await shown.bounding_box() for shown in (words, button)]
        assert [True, True] == [place is not None for place in places]
        above, below = (place["y"] for place in places if place)
        assert above < below
