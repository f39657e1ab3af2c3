"""What comes back from the issuer: redeemed once, refused where it is not this login's, restarted where it is lost."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Route

from tests.browser import window
from tests.spa.setting import Setting
from tests.spa.tab import SIGNED_OUT, Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORGET = """Object.keys(localStorage).filter((key) => key.startsWith("proofkey-login:"))
    .forEach((key) => localStorage.removeItem(key))"""


async def callback_of(tab: Tab) -> str:
    """The address with the answer, once the browser is on its way there."""
    async with tab.page.expect_request(f"{tab.setting.app}/callback?**") as coming:
        await tab.give_password()
    return (await coming.value).url


async def test_a_callback_that_is_asked_for_many_times_is_redeemed_once(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in(options='{target: "/here"}')
        told = await tab.run(
            "Promise.all([1, 2, 3].map(() => client.handleCallback())).then((all) => all.map(({target}) => target))"
        )
        assert ["/here"] * 3 == told
        assert 1 == len(setting.wire.exchanges)


async def test_a_callback_opened_in_a_second_tab_and_once_more_redeems_nothing(
    browser: Browser, setting: Setting
) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.leave_to_sign_in()
        address = await callback_of(tab)
        await tab.ready()
        for path in (address.removeprefix(setting.app),) * 2:
            other = await Tab.open(setting, context, path)
            assert "Alice Adler" == (await other.run("back"))["value"]["user"]["name"]
            assert f"{setting.app}/callback" == other.page.url
        assert 1 == len(setting.wire.redemptions())
        assert ["Alice Adler"] * 2 == [await each.name() for each in (tab, other)]


async def test_the_back_button_after_a_sign_in_redeems_nothing(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.page.goto(f"{setting.app}/")
        await tab.ready()
        for _ in range(4):
            await tab.page.evaluate("void setTimeout(() => history.back())")
            await tab.page.wait_for_timeout(250)
        await tab.page.goto(f"{setting.app}/")
        await tab.ready()
        assert 1 == len(setting.wire.redemptions())
        assert "Alice Adler" == await tab.name()


GROWS_OLD = """if (location.search.includes("code=") && !sessionStorage.aged) {
    const now = Date.now();
    sessionStorage.aged = Date.now = () => now + 3_700_000;
}"""


@pytest.mark.parametrize("lost", ["record", "everything", "too old, after a sign-out"])
async def test_a_login_whose_record_was_lost_is_begun_again_by_itself(
    browser: Browser, setting: Setting, lost: str
) -> None:
    async with window(browser) as context:
        tab, other = [await Tab.open(setting, context) for _ in range(2)]
        if lost.startswith("too old"):
            await tab.page.add_init_script(GROWS_OLD)
            await tab.run("sessionStorage.aged = 1")
            await tab.sign_in()
            await tab.run("client.logout({redirect: false}).then(() => delete sessionStorage.aged)")
            setting.wire.exchanges.clear()
        elif lost == "everything":
            await tab.page.add_init_script(
                f"if (location.origin === {setting.app!r} && !window.name) {{ window.name = 1; sessionStorage.clear() }}"
            )
        await tab.leave_to_sign_in('{prompt: "login"}')
        if not lost.startswith("too old"):
            await other.run(FORGET if lost == "record" else "localStorage.clear()")
        await tab.give_password()
        async with tab.page.expect_request(f"{setting.app}/callback?**"):
            pass
        await tab.ready()
        assert "Alice Adler" == await tab.name()
        assert 1 == len(setting.wire.redemptions())


async def test_a_record_that_is_lost_again_and_again_ends_in_a_refusal_not_in_a_loop(
    browser: Browser, setting: Setting
) -> None:
    async with window(browser) as context:
        await context.add_init_script(f"if (location.origin === {setting.app!r}) {{ {FORGET} }}")
        tab = await Tab.open(setting, context)
        await tab.leave_to_sign_in()
        tab.navigations.clear()
        await tab.give_password()
        await tab.page.wait_for_function("window.back?.refused")
        assert "transaction_lost" == (await tab.run("back"))["refused"]
        assert 2 == len([each for each in tab.navigations if each.startswith(f"{setting.app}/callback?")])
        assert [] == setting.wire.exchanges


async def test_an_address_that_somebody_else_made_begins_no_sign_in(browser: Browser, setting: Setting) -> None:
    """The issuer still has its session: a sign-in that began by itself would end without a click."""
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        await tab.run("client.logout({redirect: false})")
        for state in ("y", "zzzzzzzz.y"):
            tab.navigations.clear()
            await tab.page.goto(f"{setting.app}/callback?code=x&state={state}")
            await tab.ready()
            assert "transaction_lost" == (await tab.run("back"))["refused"]
            assert [f"{setting.app}/callback?code=x&state={state}"] == tab.navigations
        assert SIGNED_OUT == await tab.outcome("client.getToken()")


async def test_who_denies_is_told_so_by_the_issuer_s_word(browser: Browser, setting: Setting) -> None:
    setting.site.config = {**setting.config, "clientId": "asks"}
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.leave_to_sign_in()
        await tab.give_password()
        await tab.page.get_by_role("button", name="Deny", exact=True).click()
        await tab.returns()
        assert {"refused": "access_denied", "isOurs": True, "isIssuers": True} == await tab.run("back")
        assert SIGNED_OUT == await tab.outcome("client.getToken()")
        assert f"{setting.app}/callback" == tab.page.url


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        (lambda url: url.replace("&iss=http", "&iss=https"), "callback_iss_differs"),
        (lambda url: url.partition("&iss=")[0], "callback_iss_missing"),
        (lambda url: url + "&code=another", "callback_repeats"),
    ],
)
async def test_an_answer_of_another_issuer_or_said_twice_is_thrown_away(
    browser: Browser, setting: Setting, changed: object, refused: str
) -> None:
    assert callable(changed)
    async with window(browser) as context:
        tab = await Tab.open(setting, context)

        async def change_on_the_way(route: Route) -> None:
            response = await route.fetch(max_redirects=0)
            headers = {**response.headers, "location": changed(response.headers["location"])}
            assert headers != response.headers
            await route.fulfill(response=response, headers=headers)

        await tab.page.route("**/login", change_on_the_way)
        await tab.leave_to_sign_in()
        await tab.give_password()
        await tab.returns()
        assert refused == (await tab.run("back"))["refused"]
        assert [] == setting.wire.exchanges
        assert SIGNED_OUT == await tab.outcome("client.getToken()")
