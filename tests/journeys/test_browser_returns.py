"""Every way back to a client through the pages' Content-Security-Policy, in a real browser (CSP 3 §6.4.1, RFC 8252 §7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.async_api import Browser, CDPSession, Page, Route, expect

from tests.attempt import Attempt
from tests.browser import complaints_of, window
from tests.dev_server import DevServer
from tests.relying_party import RelyingParty

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def go_through(page: Page, dev: DevServer, attempt: Attempt, **more: str) -> None:
    """Open an authorization request, sign in as bob and press Allow if that is asked."""
    await page.goto(f"{dev.issuer}/oauth2/authorize?{urlencode({**attempt.query, **more})}")
    await page.get_by_label("Email or username").fill("bob")
    await page.get_by_label("Password").fill(dev.password_of("bob"))
    await page.get_by_role("button", name="Sign in", exact=True).click()
    allow = page.get_by_role("button", name="Allow", exact=True)
    if urlsplit(page.url).path.endswith("/login"):
        await allow.click()


async def assert_redeems(client: RelyingParty, attempt: Attempt, answer: dict[str, str]) -> None:
    """What came back is this sign-in's answer, and its code gets tokens."""
    assert (attempt.state, client.server.issuer) == (answer["state"], answer["iss"])
    assert 200 == (await client.token(attempt.redemption(answer["code"]))).status_code


async def test_form_post_sends_itself_to_the_client(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context, RelyingParty(dev, "web") as web:
        page, posted = await context.new_page(), asyncio.get_running_loop().create_future()
        complaints = complaints_of(page)

        async def receive(route: Route) -> None:
            posted.set_result((route.request.method, route.request.post_data))
            await route.fulfill(body="Thank you", content_type="text/plain")

        await page.route(f"{web.redirect_uri}**", receive)
        attempt = web.begin()
        await go_through(page, dev, attempt, response_mode="form_post")
        method, body = await asyncio.wait_for(posted, 10)
        await expect(page.get_by_text("Thank you")).to_be_visible()
        assert ("POST", web.redirect_uri) == (method, page.url)
        await assert_redeems(web, attempt, dict(parse_qsl(body)))
        assert [] == complaints


@asynccontextmanager
async def loopback_listener() -> AsyncIterator[tuple[int, asyncio.Future[str]]]:
    """A program that waits on a free port for the browser to come back; the path and query of the first visit."""
    visited: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode()
        if "/callback" in line and not visited.done():
            visited.set_result(line.split(" ")[1])
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\nDone"
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        yield listener.sockets[0].getsockname()[1], visited


async def test_a_native_client_is_reached_on_whatever_port_it_listens(browser: Browser, dev: DevServer) -> None:
    async with (
        window(browser) as context,
        RelyingParty(dev, "native") as native,
        loopback_listener() as (port, visited),
    ):
        page = await context.new_page()
        complaints = complaints_of(page)
        attempt = native.begin(redirect_uri=f"http://127.0.0.1:{port}/callback")
        await go_through(page, dev, attempt)
        answer = dict(parse_qsl(urlsplit(await asyncio.wait_for(visited, 10)).query))
        await expect(page.get_by_text("Done")).to_be_visible()
        await assert_redeems(native, attempt, answer)
        assert [] == complaints


async def test_a_private_scheme_is_handed_to_its_application(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context, RelyingParty(dev, "native") as native:
        page = await context.new_page()
        complaints, locations = complaints_of(page), await _locations(await context.new_cdp_session(page))
        attempt = native.begin(redirect_uri="com.example.demo:/callback")
        await go_through(page, dev, attempt)
        location = await asyncio.wait_for(locations, 10)
        assert location.startswith("com.example.demo:/callback?")
        await assert_redeems(native, attempt, dict(parse_qsl(urlsplit(location).query)))
        assert [] == [said for said in complaints if "Content Security Policy" in said]


async def _locations(session: CDPSession) -> asyncio.Future[str]:
    """Where the browser is about to navigate, as soon as that is none of http's addresses."""
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def look(event: dict[str, str]) -> None:
        if not event["url"].startswith("http") and not found.done():
            found.set_result(event["url"])

    session.on("Network.requestWillBeSent", lambda event: look(event["request"]))
    session.on("Page.frameRequestedNavigation", look)
    await session.send("Network.enable")
    await session.send("Page.enable")
    return found


async def test_a_form_of_another_site_may_ask_and_still_finds_who_is_signed_in(
    browser: Browser, dev: DevServer
) -> None:
    """A cross-site POST carries no Lax cookie; it is sent on to its GET form, which does (OpenID Connect Core §3.1.2.1)."""
    async with window(browser) as context, RelyingParty(dev, "web") as web:
        page = await context.new_page()
        await page.route("http://127.0.0.1:1/", lambda route: route.fulfill(content_type="text/html", body="<p>Other"))
        await go_through(page, dev, web.begin())
        await page.wait_for_url(f"{web.redirect_uri}?**")
        attempt = web.begin()
        await page.goto("http://127.0.0.1:1/")
        await page.evaluate(_POST, {"action": f"{dev.issuer}/oauth2/authorize", "fields": attempt.query})
        await page.wait_for_url(f"{web.redirect_uri}?**")
        await assert_redeems(web, attempt, dict(parse_qsl(urlsplit(page.url).query)))


_POST = """({action, fields}) => {
    const form = Object.assign(document.createElement("form"), {method: "post", action});
    for (const [name, value] of Object.entries(fields))
        form.append(Object.assign(document.createElement("input"), {type: "hidden", name, value}));
    document.body.append(form);
    form.submit();
}"""
