"""The playground as something to look at, to hear and to press: axe, widths, sizes, the keyboard, and its policy."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser import DESKTOP, PHONE, window
from tests.demo.picture import size_of, with_few_colours
from tests.demo.reader import Reader
from tests.dev_server import DevServer
from tests.journeys.test_sample_app_look import AXE, faults_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

STATIC = Path(__file__).parents[2] / "src" / "proofkey" / "demo" / "static" / "playground"
OUTSIDE = """() => [...document.querySelectorAll("#rows .label, #rows .carries")]
    .filter(one => one.checkVisibility({visibilityProperty: true}))
    .filter(one => {
        const [at, around] = [one.getBoundingClientRect(), document.querySelector("#diagram").getBoundingClientRect()];
        return at.left < around.left || at.right > around.right;
    })
    .map(one => one.textContent)"""
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
    .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5 && getComputedStyle(one).position !== "absolute")
    .map(one => one.outerHTML.slice(0, 120))"""


async def overflow_of(page: Page) -> list[str]:
    """What stands out on the right, if the page can be scrolled sideways at all."""
    sideways = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return list(await page.evaluate(TOO_WIDE)) if sideways > 0 else []


@pytest.mark.timeout(240)
async def test_axe_finds_nothing_wherever_the_reader_is(browser: Browser, dev: DevServer) -> None:
    async with window(browser, bypass_csp=True) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(6)
        await reader.page.locator("#panel").get_by_role("button", name="Guess a verifier").click()
        await expect(reader.page.locator("#panel .verdict")).to_be_visible()
        await reader.page.add_script_tag(path=AXE)
        assert [] == await faults_of(reader.page)
        for step in (7, 8, 9):
            await reader.go_on(to=step)
        await reader.attack("replayed_code")
        await reader.page.add_script_tag(path=AXE)
        assert [] == await faults_of(reader.page)
        await reader.look_at(2)
        assert [] == await faults_of(reader.page)


@pytest.mark.timeout(240)
async def test_nothing_stands_out_on_the_right(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(6)
        await reader.page.locator("#panel").get_by_role("button", name="Guess a verifier").click()
        await expect(reader.page.locator("#panel .verdict")).to_be_visible()
        assert [] == await overflow_at_widths(reader.page)
        for step in range(7, 12):
            await reader.go_on(to=step)
        await reader.attack("replayed_refresh_token")
        for in_full in (False, True):
            await reader.page.get_by_label("Long values in full").set_checked(in_full)
            for step in range(1, 12):
                await reader.look_at(step)
                assert (step, []) == (step, await overflow_at_widths(reader.page))


async def overflow_at_widths(page: Page) -> list[str]:
    """The same on phones, on tablets and on desktops."""
    found = []
    for width in (PHONE, 390, 600, 900, DESKTOP, 1440):
        await page.set_viewport_size({"width": width, "height": 800})
        found += [f"{width}: {one}" for one in await overflow_of(page)]
    return found


@pytest.mark.parametrize(("width", "direction"), [(320, "ltr"), (PHONE, "ltr"), (PHONE, "rtl"), (DESKTOP, "rtl")])
async def test_nothing_leaves_the_diagram(browser: Browser, dev: DevServer, width: int, direction: str) -> None:
    async with window(browser, width=width) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(11)
        await reader.page.evaluate("direction => { document.documentElement.dir = direction; }", direction)
        assert [] == await reader.page.evaluate(OUTSIDE)


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
async def test_what_goes_wrong_is_seen_wherever_the_reader_is(browser: Browser, dev: DevServer, width: int) -> None:
    async with window(browser, width=width) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(7)
        await reader.page.route("**/oauth2/token", lambda route: route.abort())
        await reader.page.mouse.wheel(0, 300)
        await reader.page.locator("#next").click()
        await expect(reader.page.get_by_role("alert")).to_contain_text("does not answer")
        await expect(reader.page.get_by_role("alert")).to_be_in_viewport(ratio=1)


async def test_who_waits_sees_it(browser: Browser, dev: DevServer) -> None:
    async with window(browser, bypass_csp=True) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(7)
        held: list[Route] = []

        async def hold(route: Route) -> None:
            held.append(route)

        await reader.page.route("**/oauth2/token", hold)
        await reader.page.locator("#next").click()
        await expect(reader.page.locator("#next")).to_have_css("opacity", "0.55")
        await held[0].continue_()
        await reader.stands_at(8)
        await expect(reader.page.locator("#next")).to_have_css("opacity", "1")
        await reader.press("Run nine in a row")
        await expect(reader.page.get_by_role("heading", name="Attack 3 of 9")).to_be_visible()
        await reader.page.add_script_tag(path=AXE)
        assert [] == await faults_of(reader.page)


async def test_an_issuer_that_is_gone_leaves_nothing_to_press(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        page = await context.new_page()
        await page.route("**/openid-configuration", lambda route: route.abort())
        await page.goto(dev.told["playground"])
        await expect(page.get_by_role("alert")).to_contain_text("does not answer")
        assert 0 == await page.locator("button:visible, a:visible").count()


async def test_on_paper_nothing_lies_over_the_text(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(9)
        await reader.page.route("**/notes", lambda route: route.abort())
        await reader.go_on(to=10)
        await reader.page.locator("#next").click()
        await expect(reader.page.get_by_role("alert")).to_be_visible()
        await reader.page.emulate_media(media="print")
        over = await reader.page.evaluate(
            "() => [...document.querySelectorAll('*')].filter(one => one.checkVisibility()"
            " && ['sticky', 'fixed'].includes(getComputedStyle(one).position)).map(one => one.id)"
        )
        assert [] == over


async def test_everything_to_press_is_large_enough(browser: Browser, dev: DevServer) -> None:
    async with window(browser, width=PHONE) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(9)
        small = await reader.page.eval_on_selector_all(
            "button, summary, nav a, .button",
            "all => all.filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 44)"
            ".map(one => one.outerHTML)",
        )
        assert [] == small


async def test_the_keyboard_alone_walks_and_is_where_the_step_is(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        for step in (2, 3):
            await reader.page.locator("#next").focus()
            await reader.page.keyboard.press("Enter")
            await reader.stands_at(step)
            await expect(reader.title).to_be_focused()
        await expect(reader.page).to_have_title("3 · Authorization request · Playground")
        await reader.page.locator("#rows > li > button").nth(1).focus()
        await reader.page.keyboard.press("Enter")
        await reader.stands_at(2)
        current = reader.page.locator("#rows [aria-current=step]")
        await expect(current).to_have_accessible_name(
            re.compile(r"2 ?Makes verifier and challenge ?\(Client application, by itself")
        )


@pytest.mark.parametrize(("motion", "running"), [("reduce", False), ("no-preference", True)])
async def test_nothing_moves_for_who_asked_for_rest(
    browser: Browser, dev: DevServer, motion: str, running: bool
) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
        await reader.page.locator("#next").click()
        await expect(reader.page.locator("#rows > li").nth(1)).to_have_attribute("data-state", "done")
        assert running == await reader.page.evaluate("document.getAnimations().length > 0")


async def test_the_policy_allows_nothing_inline_and_nothing_foreign(dev: DevServer) -> None:
    api = dev.told["resource"]["audience"]
    issuer = "{0.scheme}://{0.netloc}".format(urlsplit(dev.issuer))
    with httpx2.Client(trust_env=False) as http:
        for path in ("", "/", "/callback?code=a&state=b", "/thief", "/main.js", "/nothing"):
            policy = http.get(f"{dev.told['playground']}{path}").headers["content-security-policy"]
            assert f"connect-src 'self' {issuer} {api};" in policy
            assert (True, False) == (
                "default-src 'none'; script-src 'self'; style-src 'self'" in policy,
                "unsafe" in policy,
            )


async def test_every_file_that_is_named_is_there_and_no_other(dev: DevServer) -> None:
    pages = "".join((STATIC / name).read_text(encoding="utf-8") for name in ("index.html", "thief.html"))
    scripts = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    named = {*re.findall(r'(?:src|href)="/playground/([^"]+)"', pages), *re.findall(r'from "\./([^"]+)"', scripts)}
    assert {path.name for path in STATIC.iterdir()} == named | {"index.html", "thief.html"}
    assert "style=" not in pages
    with httpx2.Client(trust_env=False) as http:
        assert {200} == {http.get(f"{dev.told['playground']}/{name}").status_code for name in named}


async def test_files_stay_readable() -> None:
    sizes = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in STATIC.glob("*.[jc]s*")}
    assert {} == {name: size for name, size in sizes.items() if size > 300}


async def test_without_javascript_it_says_what_is_missing(browser: Browser, dev: DevServer) -> None:
    async with window(browser, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(dev.told["playground"])
        await expect(page.locator("#no-script")).to_be_visible()
        assert 0 == await page.locator("button:visible, a:visible, main:visible").count()


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
async def test_the_thief_s_address_is_one_column(browser: Browser, dev: DevServer, width: int) -> None:
    async with window(browser, width=width) as context:
        page = await context.new_page()
        await page.goto(f"{dev.told['playground']}/thief?code=c")
        await expect(page.locator("#arrived")).to_have_text("It brought: code.")
        lefts = await page.eval_on_selector_all("main > *", "all => all.map(one => one.getBoundingClientRect().left)")
        assert 1 == len(set(lefts))


async def test_the_sample_app_leads_there_and_back(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        page = await context.new_page()
        await page.goto(f"{dev.told['app']}/")
        await page.get_by_role("link", name="Walk through the flow").click()
        await expect(page.locator("#panel-title")).to_have_text("User access")
        await page.get_by_role("link", name="Sample app").click()
        await expect(page.get_by_role("heading", name="Notes", exact=True)).to_be_visible()


async def test_the_pictures_of_the_readme_are_small_and_say_what_they_show() -> None:
    root = Path(__file__).parents[2]
    shown = re.findall(r'<img src="(docs/images/[^"]+)" width="\d+%" alt="([^"]+)">', (root / "README.md").read_text())
    assert ["docs/images/playground-desktop.png", "docs/images/playground-phone.png"] == [path for path, _ in shown]
    assert [1440, 390] == [size_of((root / path).read_bytes())[0] for path, _ in shown]
    assert [] == [path for path, alt in shown if (root / path).stat().st_size > 150 * 1024 or len(alt) < 80]


async def test_a_picture_with_few_colours_is_the_same_picture(browser: Browser) -> None:
    async with window(browser, width=PHONE) as context:
        page = await context.new_page()
        await page.set_content("<body style='background: linear-gradient(red, blue)'><h1>One</h1>")
        before = await page.screenshot()
        after = with_few_colours(before)
        await page.set_content("<canvas>")
        difference = await page.evaluate(
            """async pictures => {
                const pixels = async base64 => {
                    const answer = await fetch(`data:image/png;base64,${base64}`);
                    const picture = await createImageBitmap(await answer.blob());
                    const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
                    canvas.drawImage(picture, 0, 0);
                    return canvas.getImageData(0, 0, picture.width, picture.height).data;
                };
                const [before, after] = await Promise.all(pictures.map(pixels));
                return before.reduce((most, part, at) => Math.max(most, Math.abs(part - after[at])), 0);
            }""",
            [base64.b64encode(picture).decode() for picture in (before, after)],
        )
        assert (size_of(before), True) == (size_of(after), 0 < difference < 24)
