"""`fetch()`: a token for the configured APIs and for nobody else; a refused one is renewed once; step-up is met by itself."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from playwright.async_api import Browser, Route

from tests.browser import window
from tests.spa.setting import Setting
from tests.spa.tab import Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALL = "url => outcome(client.fetch(url, {headers: {'x-own': 'kept'}}).then(async (r) => [r.status, await r.json()]))"


def claims_of(token: str) -> dict[str, Any]:
    """What an access token says."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


async def test_a_token_never_goes_to_another_origin(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        asked: list[str] = []
        tab.page.on("request", lambda request: asked.append(request.url))
        port = setting.api_url.rpartition(":")[2]
        elsewhere = [
            "https://other.example/notes",
            f"{setting.app}/notes",
            f"http://localhost:{port}/notes",
            f"http://127.0.0.1:{port}@other.example/notes",
            f"http://127.0.0.1:{port}.other.example/notes",
            f"https://127.0.0.1:{port}/notes",
            "//other.example/notes",
            "/notes",
        ]
        refused = [(await tab.run(CALL, url)).get("refused") for url in elsewhere]
        assert [] == [why for why in refused if why != "api_not_allowed" and "TypeError" not in str(why)]
        assert [] == asked
        assert 200 == (await tab.run(CALL, f"{setting.api_url}/notes"))["value"][0]


async def test_a_redirect_does_not_carry_the_token_away(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        setting.api.moved_to = f"http://localhost:{setting.api_url.rpartition(':')[2]}/stolen"
        assert "TypeError" in (await tab.run(CALL, f"{setting.api_url}/moved"))["refused"]
        assert 1 == len(setting.api.seen)


async def test_a_refused_token_is_renewed_once_and_not_again(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        assert 200 == (await tab.run(CALL, f"{setting.api_url}/notes"))["value"][0]
        setting.api.refuse_all_so_far()
        assert 200 == (await tab.run(CALL, f"{setting.api_url}/notes"))["value"][0]
        assert 1 == len(setting.wire.refreshes())
        setting.api.refuses_all = True
        for _ in range(3):
            assert 401 == (await tab.run(CALL, f"{setting.api_url}/notes"))["value"][0]
        assert 2 == len(setting.wire.refreshes())


async def test_a_token_is_asked_for_the_api_and_the_scope_of_the_call(browser: Browser, setting: Setting) -> None:
    setting.site.config = {
        **setting.config,
        "scope": f"{setting.config['scope']} bills:read",
        "resource": [setting.api_url, "https://bills.example"],
    }
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        notes = claims_of(await tab.run("url => client.getToken({resource: url})", setting.api_url))
        bills = claims_of(await tab.run("client.getToken({resource: 'https://bills.example', scope: 'bills:read'})"))
        assert (setting.api_url, "https://bills.example") == (notes["aud"], bills["aud"])
        assert "bills:read" == bills["scope"]
        assert "bills:read" not in notes["scope"]


ONE_NONCE = """async () => {
    const {dpop} = await import("/spa/dpop.js");
    const {attempt} = dpop();
    const said = (status, more) => new Response("", {status, headers: {"dpop-nonce": "now", ...more}});
    const send = async ({dpop: proof}) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        const claims = JSON.parse(atob(proof.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
        return claims.nonce === "now" ? said(200) : said(401, {"www-authenticate": 'DPoP error="use_dpop_nonce"'});
    };
    const asked = [1, 2, 3, 4, 5].map((number) => attempt("GET", "https://api.example/" + number, send, "token"));
    return (await Promise.all(asked)).map(({status}) => status);
}"""


async def test_calls_that_leave_together_all_answer_a_server_s_demand_for_a_nonce(
    browser: Browser, setting: Setting
) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        assert [200] * 5 == await tab.run(ONE_NONCE)


async def test_userinfo_is_asked_with_another_token_where_one_is_refused(browser: Browser, setting: Setting) -> None:
    asked: list[str] = []

    async def refuse_once(route: Route) -> None:
        asked.append(route.request.method)
        if asked.count("GET") > 1 or route.request.method == "OPTIONS":
            await route.continue_()
            return
        headers = {
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "www-authenticate",
            "www-authenticate": 'Bearer error="invalid_token"',
        }
        await route.fulfill(status=401, headers=headers, body="")

    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await context.route("**/userinfo", refuse_once)
        assert "alice@demo.example" == (await tab.outcome("client.userinfo()"))["value"]["email"]
        assert 1 == len(setting.wire.refreshes())


async def step_up(setting: Setting, max_age: int) -> None:
    """The API asks for somebody who proved who they are a moment ago (RFC 9470 §3)."""
    since = int(time.time()) + 1
    setting.api.step_up = (
        f'Bearer error="insufficient_user_authentication", error_description="Prove it again", max_age={max_age}'
    )
    setting.api.step_up_met = lambda token: claims_of(token)["auth_time"] >= since


async def test_a_challenge_for_a_recent_sign_in_is_met_in_a_window_and_the_call_repeated(
    browser: Browser, setting: Setting
) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await step_up(setting, 1)
        await tab.page.wait_for_timeout(2_100)
        tab.navigations.clear()
        async with tab.page.expect_popup() as opening:
            await tab.run(
                "url => { window.call = outcome(client.fetch(url).then((r) => r.status)); }", f"{setting.api_url}/vault"
            )
        popup = await opening.value
        await tab.give_password(page=popup)
        assert {"value": 200} == await tab.run("call")
        assert [] == tab.navigations
        assert ["authorization_code"] * 2 == [each.grant_type for each in setting.wire.exchanges]
        assert 2 == len(setting.api.seen)


async def test_where_no_window_is_wanted_step_up_goes_by_redirect(browser: Browser, setting: Setting) -> None:
    setting.site.config = {**setting.config, "stepUp": "redirect"}
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await step_up(setting, 1)
        await tab.page.wait_for_timeout(2_100)
        await tab.run("url => void client.fetch(url)", f"{setting.api_url}/vault")
        await tab.page.wait_for_url(f"{setting.issuer}/**")
        await tab.give_password()
        await tab.returns()
        assert 200 == (await tab.run(CALL, f"{setting.api_url}/vault"))["value"][0]


async def test_step_up_that_does_not_satisfy_the_api_is_not_asked_for_again(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await step_up(setting, 600)
        setting.api.step_up_met = lambda _token: False
        async with tab.page.expect_popup():
            await tab.run(
                "url => { window.call = outcome(client.fetch(url).then((r) => r.status)); }", f"{setting.api_url}/vault"
            )
        assert {"value": 401} == await tab.run("call")
        assert 2 == len(setting.api.seen)
