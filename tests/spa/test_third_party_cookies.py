"""A browser that blocks third-party cookies: everything works, because nothing needs them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext

from proofkey.guard.asgi import Receive, Scope, Send
from tests.browser import CHROMIUM
from tests.listening import bind, listening
from tests.spa.setting import Setting
from tests.spa.tab import SIGNED_OUT, Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def blocking_window(browser: Browser, profile: Path, *, blocks: bool = True) -> AsyncIterator[BrowserContext]:
    """A profile whose preferences block third-party cookies (Settings → Privacy), or allow them."""
    (profile / "Default").mkdir(parents=True)
    wanted = {"profile": {"cookie_controls_mode": 1 if blocks else 0, "block_third_party_cookies": blocks}}
    (profile / "Default" / "Preferences").write_text(json.dumps(wanted), encoding="utf-8")
    context = await browser.browser_type.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
    )
    try:
        yield context
    finally:
        await context.close()


async def _frame(scope: Scope, _receive: Receive, send: Send) -> None:
    """A frame of another site that sets a cookie and tells which it got."""
    if scope["type"] != "http":
        return
    came = dict(scope["headers"]).get(b"cookie", b"none")
    cookie = (b"set-cookie", b"third=party; SameSite=None; Secure")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html"), cookie]})
    await send({"type": "http.response.body", "body": came})


async def third_party_cookie(setting: Setting, context: BrowserContext) -> str:
    """What a frame of another site sees of its own cookie the second time."""
    listener = bind()
    with listening(_frame, listener) as url:
        page = await context.new_page()
        await page.goto(f"{setting.app}/nothing.html")
        for _ in range(2):
            seen = await page.evaluate(
                """(url) => new Promise((resolve) => {
                    const frame = document.createElement("iframe");
                    frame.onload = () => resolve(true);
                    frame.src = url;
                    document.body.replaceChildren(frame);
                })""",
                url.replace("127.0.0.1", "localhost"),
            )
            assert seen
        text = await page.frames[1].evaluate("document.body.textContent")
        await page.close()
        return str(text)


@pytest.mark.parametrize(("blocks", "seen"), [(True, "none"), (False, "third=party")])
async def test_this_browser_blocks_what_it_is_said_to_block(
    browser: Browser, setting: Setting, tmp_path: Path, *, blocks: bool, seen: str
) -> None:
    async with blocking_window(browser, tmp_path / "profile", blocks=blocks) as context:
        assert seen == await third_party_cookie(setting, context)


async def test_everything_works_without_third_party_cookies(browser: Browser, setting: Setting, tmp_path: Path) -> None:
    setting.site.config = {**setting.config, "postLogoutRedirectUri": f"{setting.app}/"}
    async with blocking_window(browser, tmp_path / "profile") as context:
        tab = await Tab.open(setting, context)
        other = await Tab.open(setting, context)
        await tab.sign_in()
        assert ["Alice Adler"] * 2 == [await each.name() for each in (tab, other)]
        assert await tab.token() != await tab.run("client.getToken({renew: true})")
        await other.page.close()
        await tab.reload()
        assert [f"{setting.app}/callback"] == tab.navigations
        assert "Alice Adler" == await tab.name()
        assert 200 == await tab.run("url => client.fetch(url).then((r) => r.status)", f"{setting.api_url}/notes")
        await tab.run("void client.logout()")
        await tab.page.wait_for_url(f"{setting.app}/")
        await tab.ready()
        async with tab.page.expect_popup() as opening:
            await tab.run("{ window.login = outcome(client.login({popup: true})); undefined }")
        await tab.give_password(page=await opening.value)
        assert "Alice Adler" == (await tab.run("login"))["value"]["user"]["name"]
        await tab.run("client.logout({redirect: false})")
        assert SIGNED_OUT == await tab.outcome("client.getToken()")
