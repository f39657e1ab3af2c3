"""The sample app in a real browser: from the first click to signing out, and all that may go wrong on the way."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.async_api import Browser, BrowserContext, Route, expect

from tests.browser import CHROMIUM, DESKTOP, PHONE, window
from tests.dev_server import DevServer, StartDev
from tests.journeys.sample_app import SampleApp
from tests.person import Person, sent_back
from tests.relying_party import RelyingParty

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def server(start_dev: StartDev) -> DevServer:
    """A demo nobody has signed in to yet."""
    return start_dev()


async def live_through_it(app: SampleApp) -> None:
    """Sign in, allow, call the API, refresh, sign out; then the issuer knows nobody any more."""
    await app.ask_to_sign_in()
    await app.give_password()
    await expect(app.page.get_by_text("Add and change your notes")).to_be_visible()
    await app.press("Allow")
    await app.is_signed_in()

    await app.press("Read my notes")
    await expect(app.page.locator("#api-answer")).to_contain_text("Your first note")
    await app.page.get_by_label("New note").fill("Buy milk")
    await app.press("Add")
    await expect(app.page.locator("#notes")).to_contain_text("Buy milk")

    await app.press("Refresh tokens")
    await app.says("Fresh tokens are here.")
    await app.press("Read my notes")
    await app.settled()
    await expect(app.page.locator("#problem")).to_be_hidden()

    await app.press("Sign out")
    await app.is_signed_out()
    await app.says("You are signed out, here and at the issuer.")
    await app.ask_to_sign_in()
    await expect(app.page.get_by_label("Password")).to_be_visible()
    assert [] == app.complaints


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
async def test_a_person_signs_in_calls_the_api_refreshes_and_signs_out(
    browser: Browser, server: DevServer, width: int
) -> None:
    async with window(browser, width=width) as context:
        await live_through_it(await SampleApp.open(server, context))


async def test_the_same_over_https(browser: Browser, start_dev: StartDev) -> None:
    server = start_dev("--tls")
    async with _trusting_window(browser, server) as context:
        app = await SampleApp.open(server, context)
        assert {"https"} == {urlsplit(url).scheme for url in (server.issuer, app.page.url)}
        await live_through_it(app)
        assert await context.cookies()
        assert all(cookie["secure"] and cookie["httpOnly"] for cookie in await context.cookies())


@asynccontextmanager
async def _trusting_window(browser: Browser, server: DevServer) -> AsyncIterator[BrowserContext]:
    """A window of a browser that accepts this server's key and no other unknown one."""
    certificate = x509.load_pem_x509_certificate((Path(server.told["ca_file"]).parent / "server.pem").read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    args = ["--no-sandbox", "--disable-gpu", "--disable-quic", f"--ignore-certificate-errors-spki-list={pin}"]
    chromium = await browser.browser_type.launch(executable_path=CHROMIUM, args=args)
    try:
        async with window(chromium) as context:
            yield context
    finally:
        await chromium.close()


async def test_who_denies_is_told_so_by_the_app_and_may_think_again(browser: Browser, server: DevServer) -> None:
    async with window(browser) as context:
        app = await SampleApp.open(server, context)
        await app.ask_to_sign_in()
        await app.give_password()
        await app.press("Deny")
        await app.is_signed_out("access_denied")
        await expect(app.page.locator("#problem-text")).to_have_text("You did not allow it; nothing was given.")
        await expect(app.page.locator("#steps .title").last).to_have_text("Came back with access_denied")
        assert [] == app.token_requests

        await app.ask_to_sign_in()
        await app.press("Allow")
        await app.is_signed_in()
        assert [] == app.complaints


async def changed_on_the_way(route: Route, **changed: str) -> None:
    """Let the issuer answer, and change parameters of where it sends the browser."""
    response = await route.fetch(max_redirects=0)
    address = urlsplit(response.headers["location"])
    answer = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert set(changed) <= set(answer)
    location = address._replace(query=urlencode({**answer, **changed})).geturl()
    await route.fulfill(response=response, headers={**response.headers, "location": location})


async def test_an_answer_with_another_state_is_thrown_away_and_the_sign_in_begun_anew(
    browser: Browser, server: DevServer
) -> None:
    async with window(browser) as context:
        app = await SampleApp.open(server, context)

        await app.page.route("**/consent", lambda route: changed_on_the_way(route, state="x" * 43))
        await app.ask_to_sign_in()
        await app.give_password()
        async with app.page.expect_request(lambda request: "/callback?" in request.url) as thrown_away:
            await app.press("Allow")
        await app.is_signed_in()
        [redemption] = app.redemptions
        code = parse_qs(urlsplit((await thrown_away.value).url).query)["code"]
        assert code != parse_qs(redemption.post_data or "")["code"]


async def test_a_code_of_somebody_else_opens_nothing(browser: Browser, server: DevServer) -> None:
    """An attacker's code, slipped in by itself and into a sign-in of the victim's own (RFC 9700 §4.5, §4.7)."""
    async with window(browser) as context, RelyingParty(server) as spa, Person(server, "bob") as bob:
        app = await SampleApp.open(server, context)
        attempt, code = await spa.code_for(bob)
        callback = {"code": code, "state": attempt.state, "iss": server.issuer}
        await app.page.goto(f"{server.told['app']}/callback?{urlencode(callback)}")
        await app.page.wait_for_url(f"{server.issuer}/**")
        assert [] == app.token_requests

        await app.page.route("**/consent", lambda route: changed_on_the_way(route, code=code))
        await app.give_password()
        await app.press("Allow")
        await app.is_signed_out("invalid_grant")
        assert (await spa.token(attempt.redemption(code))).status_code == 200


async def test_the_back_button_does_no_harm(browser: Browser, server: DevServer) -> None:
    async with window(browser) as context:
        app = await SampleApp.open(server, context)
        await app.sign_in()
        for _ in range(3):
            await app.page.evaluate("void setTimeout(() => history.back())")
            await app.page.wait_for_timeout(300)
        assert 1 == len(app.redemptions)

        await app.visit("/")
        await app.is_signed_in()
        await app.press("Read my notes")
        await expect(app.page.locator("#api-answer")).to_contain_text("notes:read")


async def test_a_reload_keeps_the_session_and_uses_no_code_twice(browser: Browser, server: DevServer) -> None:
    async with window(browser) as context:
        app = await SampleApp.open(server, context)
        await app.sign_in()
        await app.page.reload()
        await app.is_signed_in()
        await expect(app.page.locator("#steps .title").last).to_have_text("You were signed in already")
        assert 1 == len(app.redemptions)
        await app.press("Read my notes")
        await expect(app.page.locator("#api-answer")).to_contain_text("notes:read")


async def test_two_tabs_at_once_both_get_in(browser: Browser, server: DevServer) -> None:
    async with window(browser) as context:
        tabs = [await SampleApp.open(server, context) for _ in range(2)]
        await asyncio.gather(*(tab.ask_to_sign_in() for tab in tabs))
        await asyncio.gather(*(tab.give_password() for tab in tabs))
        await asyncio.gather(*(tab.allow_if_asked() for tab in tabs))
        for tab in tabs:
            await tab.is_signed_in()
            await tab.press("Refresh tokens")
            await tab.says("Fresh tokens are here.")
            await tab.press("Read my notes")
            await expect(tab.page.locator("#api-answer")).to_contain_text("notes:read")
            assert [] == tab.complaints

        await tabs[0].press("Sign out")
        await tabs[0].is_signed_out()
        await tabs[1].is_signed_out()
        await tabs[1].says("You signed out in another tab.")


async def test_two_first_visits_at_once_do_not_take_each_others_cookie(server: DevServer) -> None:
    """Neither request carries a cookie, so each is given one: what either tab shows must still be finished here."""
    async with RelyingParty(server) as spa, Person(server) as alice:
        attempts = [spa.begin() for _ in range(5)]
        pages = await asyncio.gather(*(alice.open(attempt.query) for attempt in attempts))
        assert [None] * 5 == [page.request.headers.get("cookie") for page in pages]
        for attempt, page in zip(attempts, pages, strict=True):
            answer = sent_back(await alice.go_on(page))
            assert attempt.state == answer["state"]
            assert 200 == (await spa.token(attempt.redemption(answer["code"]))).status_code
    async with Person(server) as alice, Person(server, "bob") as bob:
        page = await alice.open(spa.begin().query)
        await bob.open(spa.begin().query)
        assert 400 == (await bob.sign_in(page)).status_code
