"""The pages in a real browser: accessible, without overflow or complaint, in both schemes, on a phone and a desktop."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

import pytest
from playwright.async_api import Browser, Page

from tests.browser import DESKTOP, PHONE, complaints_of, window
from tests.pages.samples import FORM_POST, LOGIN_CHOSEN, REQUEST, SAMPLES, serve_pages

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDEST = """direction => {
    document.documentElement.dir = direction;
    const seen = [...document.querySelectorAll('main *, footer *, .brand, .brand *')]
        .filter(one => !one.closest('thead'))
        .map(one => one.getBoundingClientRect());
    return Math.max(document.documentElement.scrollWidth,
                    ...seen.map(box => Math.max(box.right, innerWidth - box.left)));
}"""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with serve_pages() as served:
        yield served


async def opened(page: Page, origin: str, name: str) -> Page:
    """The page called *name*; the one that sends itself is kept from leaving."""
    await page.route("**/form_post.*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    await page.goto(f"{origin}/{name}")
    return page


@pytest.mark.parametrize("name", SAMPLES)
async def test_axe_finds_nothing_in_either_scheme_on_a_phone_or_a_desktop(
    browser: Browser, origin: str, name: str
) -> None:
    assert AXE.exists(), "axe-core is missing: run `npm ci --prefix tests`"
    async with window(browser, bypass_csp=True) as context:
        page = await opened(await context.new_page(), origin, name)
        await page.add_script_tag(path=AXE)
        for scheme, width in product(SCHEMES, (PHONE, DESKTOP)):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size({"width": width, "height": 800})
            found = await page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
            faults = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]]

            assert [] == faults, f"{scheme}, {width} pixels wide"
            assert "color-contrast" in {rule["id"] for rule in found["passes"]}


@pytest.mark.parametrize("name", SAMPLES)
async def test_the_browser_complains_of_nothing(page: Page, origin: str, name: str) -> None:
    complaints = complaints_of(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{origin}/{name}", wait_until="networkidle")

    assert [] == complaints
    assert [] == [address for address in asked if not address.startswith(f"{origin}/")]


@pytest.mark.parametrize("name", SAMPLES)
async def test_nothing_sticks_out_sideways_whichever_way_one_reads(page: Page, origin: str, name: str) -> None:
    await opened(page, origin, name)
    for direction, width in product(("ltr", "rtl"), (320, PHONE, 600, 960, DESKTOP)):
        await page.set_viewport_size({"width": width, "height": 800})
        widest = await page.evaluate(WIDEST, direction)

        assert width >= widest, f"{direction}, {width} pixels wide"


@pytest.mark.parametrize("name", SAMPLES)
async def test_everything_to_press_is_large_enough_for_a_thumb(browser: Browser, origin: str, name: str) -> None:
    async with window(browser, width=PHONE) as context:
        page = await opened(await context.new_page(), origin, name)
        sizes = await page.eval_on_selector_all(
            "button, a, input:not([type=hidden])",
            "all => all.map(one => one.getBoundingClientRect()).map(box => [box.width, box.height])",
        )

    assert [] == [size for size in sizes if min(size) < 44]


async def test_every_stop_of_the_keyboard_is_seen(page: Page, origin: str) -> None:
    await opened(page, origin, "login_chosen")
    stops = []
    for _ in range(4):
        await page.keyboard.press("Tab")
        stops.append(
            await page.evaluate(
                """() => { const at = document.activeElement, style = getComputedStyle(at);
                     return [at.name || at.textContent, style.outlineStyle, parseFloat(style.outlineWidth) >= 2] }"""
            )
        )

    assert [[name, "solid", True] for name in ("account", "username", "password", "Sign in")] == stops


@pytest.mark.parametrize(("name", "focused"), [("login", "username"), ("login_problem", "password")])
async def test_the_first_field_to_fill_has_the_focus(page: Page, origin: str, name: str, focused: str) -> None:
    await opened(page, origin, name)

    assert focused == await page.evaluate("document.activeElement.name")


async def test_sign_in_and_continue_work_without_javascript(browser: Browser, origin: str) -> None:
    async with window(browser, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(f"{origin}/login_chosen")
        await page.get_by_role("button", name=f"Continue as {LOGIN_CHOSEN.chosen}").click()
        assert {"request": REQUEST, "ticket": LOGIN_CHOSEN.ticket, "account": "continue"} == await said_by(page)

        await page.goto(f"{origin}/login")
        await page.get_by_label("Email or username").fill("alice")
        await page.get_by_label("Password").fill("a b&c")
        await page.get_by_role("button", name="Sign in").click()
        assert {"request": REQUEST, "username": "alice", "password": "a b&c"} == await said_by(page)


@pytest.mark.parametrize(
    ("name", "button", "decision"),
    [
        ("consent", "Allow", "allow"),
        ("consent", "Deny", "deny"),
        ("consent", "Not you?", "switch"),
        ("sign_out", "Sign out", "sign_out"),
        ("sign_out", "Stay signed in", "stay"),
    ],
)
async def test_a_decision_is_the_button_pressed(page: Page, origin: str, name: str, button: str, decision: str) -> None:
    await page.goto(f"{origin}/{name}")
    await page.get_by_role("button", name=button, exact=True).click()

    assert decision == (await said_by(page))["decision"]


async def test_form_post_sends_itself_and_leaves_no_step_to_go_back_to(page: Page, origin: str) -> None:
    await page.goto(f"{origin}/sign_out")
    await page.goto(f"{origin}/form_post")
    await page.wait_for_url("**/callback")
    assert dict(FORM_POST.fields) == await said_by(page)

    await page.go_back()
    assert f"{origin}/sign_out" == page.url


async def test_form_post_works_by_its_button_without_javascript(browser: Browser, origin: str) -> None:
    async with window(browser, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(f"{origin}/form_post")
        await page.get_by_role("button", name="Continue").click()

        assert dict(FORM_POST.fields) == await said_by(page)


async def test_a_row_of_the_comparison_is_a_row_for_a_screen_reader_on_a_phone_too(
    browser: Browser, origin: str
) -> None:
    async with window(browser, width=PHONE) as context:
        page = await opened(await context.new_page(), origin, "error_dev")
        table = page.get_by_role("table", name="Part by part")

        assert 4 == await table.get_by_role("columnheader").count()
        assert 5 == await table.get_by_role("rowheader").count()
        assert 3 == await table.get_by_role("cell", name="differs").count()


async def said_by(page: Page) -> dict[str, str]:
    """The form that the test's server received last, which it answers with."""
    return dict(parse_qsl(await page.locator("body").inner_text(), keep_blank_values=True))
