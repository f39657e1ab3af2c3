"""The example apps run as they are written, but for their addresses: plain JavaScript, React, Vue."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import complaints_of, window
from tests.journeys.test_sample_app_look import looks_of
from tests.spa.bundle import bundle
from tests.spa.setting import BUILT, ROOT, Setting
from tests.spa.tab import Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLES = ROOT / "examples"


def with_addresses(setting: Setting, files: dict[str, bytes]) -> dict[str, bytes]:
    """The same files at this test's issuer and API instead of `proofkey dev`'s usual ones."""
    script = files["/app.js"].decode()
    places = {"http://localhost:8400/demo/main": setting.issuer, "http://127.0.0.1:8402": setting.api_url}
    for usual, actual in places.items():
        assert usual in script
        script = script.replace(usual, actual)
    return {**files, "/app.js": script.encode()}


def put(setting: Setting, name: str, folder: Path) -> None:
    """The example *name* on the app's origin: built if it has to be, its addresses replaced by this test's."""
    here = EXAMPLES / name
    page = (here / "index.html").read_bytes()
    files = {"/": page, "/callback": page}
    if name == "spa-plain":
        files["/app.js"] = (here / "app.js").read_bytes()
        files |= {f"/proofkey-spa/{each}": (BUILT / each).read_bytes() for each in ("index.js", "worker.js")}
    else:
        files |= bundle(next(here.glob("app.*")), folder)
    setting.site.files |= with_addresses(setting, files)


async def says(page: Page, words: str) -> None:
    """What the app tells."""
    await expect(page.get_by_role("status")).to_have_text(words, timeout=15_000)


async def press(page: Page, name: str) -> None:
    """Press a button of the app."""
    await page.get_by_role("button", name=name, exact=True).click()


async def test_the_manual_s_five_lines_run_as_written(browser: Browser, setting: Setting, tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "spa.md").read_text(encoding="utf-8")
    lines = manual.partition("```js\n")[2].partition("```")[0]
    (tmp_path / "lines.js").write_text(lines, encoding="utf-8")
    files = bundle(tmp_path / "lines.js", tmp_path)
    page_with_script = b'<!doctype html><title>Five lines</title><script type="module" src="/app.js"></script>'
    files |= {"/": page_with_script, "/callback": page_with_script}
    setting.site.files |= with_addresses(setting, files)
    async with window(browser) as context:
        page = await context.new_page()
        await page.goto(f"{setting.app}/")
        await Tab(setting, page).give_password()
        async with page.expect_response(f"{setting.api_url}/notes") as answer:
            pass
        assert 200 == (await answer.value).status
        assert ["Bearer"] == [each.partition(" ")[0] for each in setting.api.seen]


FILLED = """all => all.filter(one => one.checkVisibility())
    .map(one => getComputedStyle(one).backgroundColor !== "rgba(0, 0, 0, 0)")"""


@pytest.mark.parametrize("name", ["spa-plain", "spa-react", "spa-vue"])
async def test_an_example_signs_in_calls_the_api_outlives_a_reload_and_signs_out(
    browser: Browser, setting: Setting, tmp_path: Path, name: str
) -> None:
    put(setting, name, tmp_path)
    async with window(browser) as context:
        page = await context.new_page()
        complaints = complaints_of(page)
        await page.goto(f"{setting.app}/")
        await says(page, "Nobody is signed in.")
        await press(page, "Sign in")
        await Tab(setting, page).give_password()
        await says(page, "Hello Alice Adler")
        await expect(page).to_have_url(f"{setting.app}/")
        await press(page, "Call the API")
        await expect(page.locator("pre")).to_have_text('{"path":"/notes","method":"GET"}')
        assert ([], "rgb(18, 21, 29)") == await looks_of(page)
        assert [True, False] == await page.eval_on_selector_all("button", FILLED)
        await page.reload()
        await says(page, "Hello Alice Adler")
        await press(page, "Sign out")
        await says(page, "Nobody is signed in.")
        await expect(page).to_have_url(f"{setting.app}/")
        assert [] == complaints
