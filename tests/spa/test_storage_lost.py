"""Storage that is cleared, deleted, unreadable or written by somebody else while the app is open."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser import window
from tests.spa.setting import Setting
from tests.spa.tab import SIGNED_OUT, Tab
from tests.spa.test_kept import IN_THE_VAULT
from tests.spa.test_popup import open_popup

pytestmark = pytest.mark.asyncio(loop_scope="session")

DELETE = """new Promise((resolve) => {
    const deleting = indexedDB.deleteDatabase("proofkey");
    deleting.onsuccess = () => resolve("deleted");
    setTimeout(resolve, 3000, "blocked");
})"""
SPOIL = """new Promise((resolve) => {
    const opening = indexedDB.open("proofkey");
    opening.onsuccess = () => {
        const reading = opening.result.transaction("sessions", "readwrite").objectStore("sessions").openCursor();
        reading.onsuccess = ({target: {result}}) => {
            const spoilt = ([name, value]) => [name, value instanceof ArrayBuffer ? new ArrayBuffer(40) : value];
            result.update(Object.fromEntries(Object.entries(result.value).map(spoilt))).onsuccess = () => {
                opening.result.close();
                resolve();
            };
        };
    };
})"""


async def within(seconds: float, tab: Tab, script: str) -> Any:
    """What a promise of the library comes to in that time."""
    return await asyncio.wait_for(tab.outcome(script), seconds)


async def test_a_database_that_is_deleted_under_an_open_app_holds_nobody_up(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.run("client.getToken({renew: true})")
        assert "deleted" == await tab.run(DELETE)
        assert SIGNED_OUT == await within(5, tab, "client.getToken({renew: true})")
        assert "refused" not in await within(5, tab, "client.logout({redirect: false})")
        await tab.leave_to_sign_in("{prompt: 'login'}")
        await tab.give_password()
        await tab.returns()
        await tab.reload()
        assert "Alice Adler" == await tab.name()


async def test_site_data_that_are_cleared_end_the_session_and_the_next_one_is_kept(
    browser: Browser, setting: Setting
) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.run("client.getToken({renew: true})")
        cleared = {"origin": setting.app, "storageTypes": "indexeddb,local_storage"}
        await (await context.new_cdp_session(tab.page)).send("Storage.clearDataForOrigin", cleared)
        assert SIGNED_OUT == await within(8, tab, "client.getToken({renew: true})")
        async with tab.page.expect_popup():
            await tab.run("{ window.login = outcome(client.login({popup: true})); undefined }")
        assert "Alice Adler" == (await tab.run("login"))["value"]["user"]["name"]
        assert "value" in await within(8, tab, "client.getToken({renew: true})")
        await tab.reload()
        assert "Alice Adler" == await tab.name()


async def test_a_vault_that_does_not_open_is_an_empty_one_and_signing_out_clears_it(
    browser: Browser, setting: Setting
) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.run(SPOIL)
        await tab.reload()
        assert SIGNED_OUT == await tab.outcome("client.getToken()")
        await tab.leave_to_sign_in("{prompt: 'login'}")
        await tab.give_password()
        await tab.returns()
        await tab.run(SPOIL)
        await tab.reload()
        async with tab.page.expect_request("**/logout**") as leaving:
            await tab.run("void client.logout()")
        assert "object" not in (await leaving.value).url
        await tab.page.wait_for_url("**/logout**")
        await tab.page.goto(f"{setting.app}/nothing.html")
        assert [] == await tab.run(IN_THE_VAULT)


@pytest.mark.parametrize(
    "kept",
    [
        "'{'",
        "'null'",
        "JSON.stringify({authorization_endpoint: 'http://localhost:1/a', token_endpoint: 'http://localhost:1/t', u: 9e15})",
    ],
)
async def test_what_storage_says_of_the_issuer_counts_for_minutes_and_never_stops_the_app(
    browser: Browser, setting: Setting, kept: str
) -> None:
    async with window(browser) as context:
        page = await context.new_page()
        await page.goto(f"{setting.app}/nothing.html")
        await page.evaluate(f"localStorage['proofkey:{setting.issuer}'] = {kept}")
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        assert "Alice Adler" == await tab.name()


async def test_a_listener_that_throws_loses_no_session(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab, other = [await Tab.open(setting, context) for _ in range(2)]
        complaints: list[str] = []
        tab.page.on("pageerror", lambda error: complaints.append(str(error)))
        for event in ("signedin", "refreshed"):
            await tab.run(f"void client.on('{event}', () => {{ throw new Error('a bug of the app') }})")
        popup = await open_popup(tab)
        await tab.give_password(page=popup)
        assert "Alice Adler" == (await tab.run("login"))["value"]["user"]["name"]
        fresh = await tab.run("client.getToken({renew: true})")
        assert fresh == await other.token()
        assert ["a bug of the app"] == list({each.rpartition("Error: ")[2] for each in complaints})
        await other.page.close()
        await tab.reload()
        assert "Alice Adler" == await tab.name()
