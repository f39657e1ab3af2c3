import pytest, asyncio, json
from playwright.async_api import Browser
from tests.browser import window
from tests.spa.setting import Setting, PASSWORD

pytestmark = [pytest.mark.asyncio(loop_scope="session")]
JS = b"""
import * as lib from "/spa/index.js";
window.lib = lib;
const config = await (await fetch("/config.json")).json();
window.events = [];
window.client = lib.createClient({...config, postLogoutRedirectUri: location.origin + "/"});
for (const e of ["signedin","signedout","refreshed","error"]) client.on(e, (x) => events.push([e, x?.sub ?? String(x)]));
const t0 = performance.now();
window.back = await client.handleCallback().catch((e) => ({ error: e.code, text: String(e.stack) }));
window.took = performance.now() - t0;
document.querySelector("#state").textContent = "ready";
"""


async def sign_in(page, name="alice"):
    await page.fill("input[name=username]", name)
    await page.fill("input[name=password]", PASSWORD)
    await page.press("input[name=password]", "Enter")


async def ready(page):
    await page.wait_for_function("document.querySelector('#state')?.textContent === 'ready'")


async def test_it(browser: Browser, setting: Setting) -> None:
    setting.site.files["/page.js"] = JS
    async with window(browser) as context:
        page = await context.new_page()
        page.on("console", lambda m: print("CONSOLE", m.text))
        page.on("pageerror", lambda m: print("ERR", m))
        await page.goto(setting.app + "/")
        await ready(page)
        print(await page.evaluate("client.user()"))
        await page.evaluate("void client.login({target: '/x'})")
        await sign_in(page)
        await page.wait_for_url("**/callback")
        await ready(page)
        print(await page.evaluate("[back, took, location.href, events]"))
        print(await page.evaluate("client.getToken().then(t => t.length)"))
        print(
            "renew",
            await page.evaluate(
                "(async () => { const t0 = performance.now(); const a = await client.getToken(); const b = await client.getToken({renew:true}); return [a !== b, performance.now()-t0] })()"
            ),
        )
        print("fetch", await page.evaluate(f"client.fetch('{setting.api_url}/notes').then(r => r.json())"))
        setting.api.refuse_all_so_far()
        print("fetch again", await page.evaluate(f"client.fetch('{setting.api_url}/notes').then(r => r.json())"))
        print("bad origin", await page.evaluate("client.fetch('/x').catch(e => e.code)"))
        print("userinfo", await page.evaluate("client.userinfo().catch(String)"))
        await page.reload()
        await ready(page)
        print(
            "reload",
            await page.evaluate(
                "(async () => { const t0 = performance.now(); const u = await client.user(); return [u?.name, performance.now()-t0, events] })()"
            ),
        )
        two = await context.new_page()
        await two.goto(setting.app + "/")
        await ready(two)
        print(
            "two",
            await two.evaluate(
                "(async () => { const t0 = performance.now(); const u = await client.user(); return [u?.name, performance.now()-t0, events] })()"
            ),
            len(setting.wire.refreshes()),
        )
        # popup
        async with context.expect_page() as info:
            await page.evaluate(
                "void (window.pop = client.login({popup: true, prompt: 'login', target: 5}).catch(e => String(e.stack)))"
            )
        popup = await info.value
        popup.on("console", lambda m: print("POPUP", m.text))
        await sign_in(popup, "bob")
        print("popup", await page.evaluate("pop"))
        await asyncio.sleep(1)
        print("closed", popup.is_closed(), await two.evaluate("[client.snapshot().user?.name, events]"))
        print("two logout")
        await two.evaluate("void client.logout()")
        await asyncio.sleep(2)
        print(two.url)
        await ready(two)
        print(await page.evaluate("[client.snapshot(), events]"))
        print(await page.evaluate("client.getToken().catch(e => e.code)"), await two.evaluate("client.user()"))
        await page.evaluate("navigator.serviceWorker && 1")
        print(await page.evaluate("JSON.stringify(localStorage)"))
