"""Every public name of the library has an example, and every example runs: in Chromium, against `proofkey dev`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import window
from tests.spa.bundle import bundle
from tests.spa.setting import ROOT, Setting
from tests.spa.tab import Tab

in_chromium = pytest.mark.asyncio(loop_scope="session")

DOCUMENTED = re.compile(r"/\*\*((?:(?!\*/).)*?)\*/\s*(?:export (?:const|class|interface|type) )?(\w+)", re.DOTALL)
EXAMPLE = re.compile(r"```ts\n(.*?)```", re.DOTALL)
LEAVES = {"login", "logout", "createClient"}
"""What ends at another page: an example of these may not come to its end."""

PAGE = b"""
import * as core from "/spa/index.js";
import { dpop } from "/spa/dpop.js";
import { exchange } from "/spa/exchange.js";
const config = await (await fetch("/config.json")).json();
Object.assign(window, core, { dpop, exchange, API: config.resource,
    ISSUER: config.issuer, CLIENT_ID: config.clientId, REDIRECT_URI: config.redirectUri });
window.client = core.createClient(config);
await client.handleCallback();
document.querySelector("#state").textContent = "ready";
"""

REACT = """
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { createClient } from "@proofkey/spa";
import { ProofkeyProvider, useProofkey } from "@proofkey/spa/react";
const client = createClient(await (await fetch("/config.json")).json());
const root = document.getElementById("root");
const navigate = (target) => { window.target = target; };
const App = () => createElement(Greeting);
"""


def examples() -> dict[str, list[str]]:
    """The examples in the source, by the name they stand above."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "spa" / "src").glob("*.ts")):
        for said, name in DOCUMENTED.findall(path.read_text(encoding="utf-8")):
            for example in EXAMPLE.findall(re.sub(r"^ *\* ?", "", said, flags=re.MULTILINE)):
                found.setdefault(name, []).append(example)
    return found


EXAMPLES = examples()
REACT_NAMES = {"ProofkeyProvider", "useProofkey"}


def test_every_public_name_has_an_example() -> None:
    source = (ROOT / "spa" / "src" / "client.ts").read_text(encoding="utf-8")
    methods = set(re.findall(r"^  (\w+)[<(].*;$", source, re.MULTILINE))
    assert {"login", "handleCallback", "getToken", "fetch", "user", "snapshot", "userinfo", "logout", "on"} == methods
    functions = {"createClient", "ProofkeyError", "OAuthError", "dpop", "exchange"} | REACT_NAMES
    assert methods | functions == set(EXAMPLES)


@in_chromium
async def test_examples_run_as_they_are_printed(browser: Browser, setting: Setting) -> None:
    setting.site.files["/page.js"] = PAGE
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        staying = [each for name, several in EXAMPLES.items() if name not in LEAVES | REACT_NAMES for each in several]
        assert 10 <= len(staying)
        for example in staying:
            await run(tab.page, example)


@in_chromium
@pytest.mark.parametrize("name", sorted(LEAVES))
async def test_an_example_that_leaves_the_page_does(browser: Browser, setting: Setting, name: str) -> None:
    setting.site.files["/page.js"] = PAGE
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        if name == "logout":
            await tab.sign_in()
        tab.navigations.clear()
        await tab.page.evaluate(f"void (async () => {{\n{EXAMPLES[name][0]}\n}})()")
        await tab.page.wait_for_event("framenavigated")
        assert tab.navigations[0].startswith(setting.issuer)


@in_chromium
async def test_signing_in_by_the_example_of_a_window_resolves(browser: Browser, setting: Setting) -> None:
    setting.site.files["/page.js"] = PAGE
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await run(tab.page, EXAMPLES["login"][1])
        async with context.expect_page() as opened:
            await tab.page.locator("body").click()
        said = tab.page.expect_console_message()
        async with said as message:
            await tab.give_password(page=await opened.value)
        assert (await message.value).text == (await tab.run("client.user()"))["sub"]


async def run(page: Page, example: str) -> None:
    """Run *example* as the body of an async function, to its end."""
    await page.evaluate(f"(async () => {{\n{example}\n}})()")


@in_chromium
async def test_the_examples_for_react_are_an_app(browser: Browser, setting: Setting, tmp_path: Path) -> None:
    entry = tmp_path / "app.jsx"
    entry.write_text(REACT + EXAMPLES["useProofkey"][0] + EXAMPLES["ProofkeyProvider"][0], encoding="utf-8")
    page = b'<!doctype html><title>Examples</title><div id="root"></div><script type="module" src="/app.js"></script>'
    setting.site.files |= bundle(entry, tmp_path) | {"/": page, "/callback": page}
    async with window(browser) as context:
        tab = Tab(setting, await context.new_page())
        await tab.page.goto(f"{setting.app}/")
        await tab.page.get_by_role("button", name="Sign in").click()
        await tab.give_password()
        await expect(tab.page.locator("#root")).to_have_text("Hello Alice Adler")
