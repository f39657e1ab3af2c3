"""What lies in the browser after a sign-in: no token in any storage, the refresh token sealed, nothing with `persist: false`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser import CHROMIUM, window
from tests.spa.setting import Setting
from tests.spa.tab import SIGNED_OUT, Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

STORED = "({local: {...localStorage}, session: {...sessionStorage}, cookies: document.cookie})"
IN_THE_VAULT = """new Promise((resolve) => {
    const readable = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value)
        ? new TextDecoder("latin1").decode(value) : String(value);
    const look = async (value) => value instanceof CryptoKey
        ? {extractable: value.extractable,
            exported: await crypto.subtle.exportKey("raw", value).then(() => "yes", (no) => no.name)}
        : {text: readable(value)};
    const opening = indexedDB.open("proofkey");
    opening.onsuccess = () => {
        const names = [...opening.result.objectStoreNames];
        if (!names.length) return resolve([]);
        const all = opening.result.transaction(names).objectStore(names[0]).getAll();
        all.onsuccess = async () => {
            opening.result.close();
            resolve(await Promise.all(all.result.flatMap((kept) => Object.values(kept)).map(look)));
        };
    };
})"""


def secrets_of(setting: Setting) -> list[str]:
    """Every token the browser was given so far."""
    names = ("access_token", "refresh_token", "id_token")
    return [each.answer[name] for each in setting.wire.exchanges for name in names if name in each.answer]


async def test_no_token_lies_in_any_storage_and_the_refresh_token_is_sealed(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.run("client.getToken({renew: true})")
        stored = json.dumps([await tab.run(STORED), await context.cookies(setting.app)])
        vault: list[dict[str, Any]] = await tab.run(IN_THE_VAULT)
        readable = stored + " ".join(each.get("text", "") for each in vault)
        assert 6 == len(secrets_of(setting))
        assert [] == [secret for secret in secrets_of(setting) if secret in readable or secret[:24] in readable]
        assert [{"extractable": False, "exported": "InvalidAccessError"}] == [
            each for each in vault if "exported" in each
        ]
        assert 4 == len(vault)


def read_all(folder: Path) -> list[bytes]:
    """The bytes of every file under *folder*."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def test_a_copied_profile_holds_no_token_as_text(browser: Browser, setting: Setting, tmp_path: Path) -> None:
    """All files of a profile on disk are searched; a word that the app itself put into IndexedDB is found there."""
    context = await browser.browser_type.launch_persistent_context(
        tmp_path, executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
    )
    tab = await Tab.open(setting, context)
    await tab.sign_in()
    assert "Alice Adler" == await tab.name()
    await tab.run(
        """new Promise((resolve) => {
            const opening = indexedDB.open("words", 1);
            opening.onupgradeneeded = () => opening.result.createObjectStore("words").put("a-word-to-be-found-on-disk", 1);
            opening.onsuccess = resolve;
        }).then(() => undefined)"""
    )
    await tab.page.wait_for_timeout(500)
    await context.close()
    files = read_all(tmp_path)

    def lies_there(word: str) -> bool:
        return any(word.encode() in each or word.encode("utf-16-le") in each for each in files)

    assert lies_there("a-word-to-be-found-on-disk")
    assert [] == [secret for secret in secrets_of(setting) if lies_there(secret[:40]) or lies_there(secret[-40:])]


async def test_the_browser_keeps_a_key_that_no_script_can_export_in_those_same_files(
    browser: Browser, setting: Setting, tmp_path: Path
) -> None:
    """Why the manual calls sealing no disk encryption. Should this ever fail, the manual may promise more."""
    context = await browser.browser_type.launch_persistent_context(
        tmp_path, executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
    )
    page = await context.new_page()
    await page.goto(f"{setting.app}/nothing.html")
    raw = await page.evaluate(
        """(async () => {
            const raw = crypto.getRandomValues(new Uint8Array(32));
            const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]);
            const opening = indexedDB.open("keys", 1);
            opening.onupgradeneeded = () => opening.result.createObjectStore("keys").put(key, 1);
            await new Promise((resolve) => { opening.onsuccess = resolve; });
            return [...raw];
        })()"""
    )
    await page.wait_for_timeout(500)
    await context.close()
    assert any(bytes(raw) in each for each in read_all(tmp_path))


async def test_without_persistence_nothing_is_left_and_a_reload_forgets(browser: Browser, setting: Setting) -> None:
    setting.site.config = {**setting.config, "persist": False}
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        assert "Alice Adler" == await tab.name()
        first = await tab.token()
        assert first != await tab.run("client.getToken({renew: true})")
        assert [] == await tab.run(IN_THE_VAULT)
        other = await Tab.open(setting, context)
        assert await tab.token() == await other.token()
        await other.page.close()
        await tab.reload()
        assert SIGNED_OUT == await tab.outcome("client.getToken()")
        stored = json.dumps(await tab.run(STORED))
        assert [] == [secret for secret in secrets_of(setting) if secret[:24] in stored]
