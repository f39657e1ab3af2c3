"""A session of @proofkey/spa in real Chromium: signing in, a reload, several tabs, signing out."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import Browser

from tests.browser import complaints_of, window
from tests.spa.setting import ROOT, Setting
from tests.spa.tab import SIGNED_OUT, Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")


def manual_policy(setting: Setting) -> bytes:
    """The Content-Security-Policy that the manual tells apps to send, with this test's addresses."""
    manual = (ROOT / "docs" / "spa.md").read_text(encoding="utf-8")
    policy = " ".join(manual.partition("Content-Security-Policy: ")[2].partition("```")[0].split())
    issuer = setting.issuer.partition("/demo")[0]
    assert "https://auth.example https://api.example" in policy
    return policy.replace("https://auth.example", issuer).replace("https://api.example", setting.api_url).encode()


async def test_a_person_signs_in_by_redirect_and_is_back_where_they_wanted_to_go(
    browser: Browser, setting: Setting
) -> None:
    """Under the policy of the manual, which nothing complains about."""
    setting.site.headers.append((b"content-security-policy", manual_policy(setting)))
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        complaints = complaints_of(tab.page)
        assert SIGNED_OUT == await tab.outcome("client.getToken()")
        assert await tab.name() is None
        await tab.sign_in(options='{target: "/inbox?page=2"}')
        assert "/inbox?page=2" == (await tab.run("back"))["value"]["target"]
        assert ("Alice Adler", f"{setting.app}/callback") == (await tab.name(), tab.page.url)
        answer = await tab.run(
            "url => client.fetch(url).then((response) => response.json())", f"{setting.api_url}/notes"
        )
        assert {"path": "/notes", "method": "GET"} == answer
        assert [f"Bearer {await tab.token()}"] == setting.api.seen
        assert ["authorization_code"] == [each.grant_type for each in setting.wire.exchanges]
        await tab.reload()
        assert "Alice Adler" == await tab.name()
        assert [] == complaints


async def test_a_reload_keeps_the_session_without_going_anywhere(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        before = await tab.token()
        await tab.reload()
        assert "Alice Adler" == await tab.name()
        assert before != await tab.token()
        assert [f"{setting.app}/callback"] == tab.navigations
        assert 0 == len(tab.page.frames) - 1
        assert ["authorization_code", "refresh_token"] == [each.grant_type for each in setting.wire.exchanges]


SLOW_KEYS = """crypto.subtle.generateKey = ((plain) => async (...given) => {
    await new Promise((resolve) => setTimeout(resolve, 400));
    return plain.apply(crypto.subtle, given);
})(crypto.subtle.generateKey)"""
LEAVES_AT_ONCE = b"""import { createClient } from "/spa/index.js";
const client = createClient(await (await fetch("/config.json")).json());
await client.handleCallback();
location.replace("/");"""


async def test_an_app_that_leaves_as_soon_as_the_callback_is_dealt_with_keeps_the_session(
    browser: Browser, setting: Setting
) -> None:
    """Also where the browser takes its time to make the key that the refresh token is sealed under."""
    setting.site.files["/leaves.js"] = LEAVES_AT_ONCE
    setting.site.files["/callback"] = (
        b'<!doctype html><title>Callback</title><script type="module" src="/leaves.js"></script>'
    )
    async with window(browser) as context:
        await context.add_init_script(SLOW_KEYS)
        tab = await Tab.open(setting, context)
        await tab.leave_to_sign_in()
        await tab.give_password()
        await tab.page.wait_for_url(f"{setting.app}/")
        await tab.ready()
        assert "Alice Adler" == await tab.name()


async def test_a_reload_beside_another_tab_asks_the_issuer_for_nothing(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        one, other = [await Tab.open(setting, context) for _ in range(2)]
        await one.sign_in()
        assert "Alice Adler" == await other.name()
        assert await one.token() == await other.token()
        await other.reload()
        assert await one.token() == await other.token()
        assert ["authorization_code"] == [each.grant_type for each in setting.wire.exchanges]


async def test_signing_out_reaches_every_tab_and_the_issuer(browser: Browser, setting: Setting) -> None:
    setting.site.config = {**setting.config, "postLogoutRedirectUri": f"{setting.app}/"}
    async with window(browser) as context:
        tabs = [await Tab.open(setting, context) for _ in range(4)]
        await tabs[0].sign_in()
        assert ["Alice Adler"] * 4 == [await tab.name() for tab in tabs]
        refresh_token = setting.wire.exchanges[0].answer["refresh_token"]
        await tabs[0].run("void client.logout()")
        await tabs[0].page.wait_for_url(f"{setting.app}/")
        await tabs[0].ready()
        for tab in tabs[1:]:
            assert ["logout"] == await tab.events("signedout")
        for tab in tabs:
            assert SIGNED_OUT == await tab.outcome("client.getToken()")
            assert await tab.run("client.user()") is None
            await tab.reload()
            assert SIGNED_OUT == await tab.outcome("client.getToken()")
        assert 400 == await refresh_by_hand(tabs[0], refresh_token)
        await tabs[0].leave_to_sign_in()
        await tabs[0].give_password("bob")
        await tabs[0].returns()
        assert "Bob Brandt" == await tabs[1].name()


async def refresh_by_hand(tab: Tab, refresh_token: str) -> int:
    """The status of a refresh request that the library did not make."""
    status: int = await tab.run(
        """([url, refresh_token]) => fetch(url, {method: "POST",
            body: new URLSearchParams({grant_type: "refresh_token", client_id: "app", refresh_token})
        }).then(({status}) => status)""",
        [f"{tab.setting.issuer}/oauth2/token", refresh_token],
    )
    return status


async def test_signing_out_here_only_leaves_the_issuer_s_session(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.run("client.logout({redirect: false})")
        assert SIGNED_OUT == await tab.outcome("client.getToken()")
        await tab.run("void client.login()")
        await tab.page.wait_for_url(f"{setting.app}/callback")
        await tab.ready()
        assert "Alice Adler" == await tab.name()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_two_tabs_that_sign_in_at_once_both_finish_in_either_order(
    browser: Browser, setting: Setting, order: tuple[int, int]
) -> None:
    async with window(browser) as context:
        tabs = [await Tab.open(setting, context) for _ in range(2)]
        for tab, target in zip(tabs, ("first", "second"), strict=True):
            await tab.leave_to_sign_in(json.dumps({"target": target}))
        for place in order:
            await tabs[place].give_password()
            await tabs[place].returns()
        for tab, target in zip(tabs, ("first", "second"), strict=True):
            assert target == (await tab.run("back"))["value"]["target"]
            assert "Alice Adler" == await tab.name()
        assert await tabs[0].token() == await tabs[1].token()
        assert 2 == len(setting.wire.redemptions())
        fresh = [await tab.run("client.getToken({renew: true})") for tab in tabs]
        assert 2 == len(set(fresh))
        assert [200] * 4 == [each.status for each in setting.wire.exchanges]


async def test_ten_tabs_that_come_back_in_the_same_moment_all_finish(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tabs = [await Tab.open(setting, context) for _ in range(10)]
        await tabs[0].sign_in()
        await asyncio.gather(*(tab.run("void client.login()") for tab in tabs))
        for tab in tabs:
            await tab.page.wait_for_url(f"{setting.app}/callback")
            await tab.ready()
        assert ["Alice Adler"] * 10 == [await tab.name() for tab in tabs]
        assert 11 == len(setting.wire.redemptions())
        assert 1 == len({await tab.token() for tab in tabs})


async def test_time_alone_renews_a_token_before_it_ends_once_for_all_tabs(browser: Browser, setting: Setting) -> None:
    setting.site.config = setting.brief
    async with window(browser) as context:
        tabs = [await Tab.open(setting, context) for _ in range(5)]
        await tabs[0].sign_in()
        seen: set[str] = set()
        for _ in range(14):
            for tab in tabs:
                seen.add(await tab.token())
            await asyncio.sleep(0.5)
        assert 3 <= len(setting.wire.refreshes()) <= 5
        assert len(seen) in (len(setting.wire.exchanges), len(setting.wire.exchanges) - 1)
        assert [[]] * 5 == [await tab.events("signedout") for tab in tabs]


async def test_a_token_for_less_scope_leaves_what_is_known_of_the_person(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        assert await tab.run("client.getToken({scope: 'openid notes:read'})")
        assert 1 == len(setting.wire.refreshes())
        assert "Alice Adler" == await tab.name()
