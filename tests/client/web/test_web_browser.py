"""Web applications in a real Chromium: the page without a token, attackers' pages beside it, answers that come as forms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from proofkey.client.web import Api, SignIn
from tests.browser import complaints_of, window
from tests.client.web.example_app import PASSWORD, Registered, registered, running
from tests.client.web.sample_api import SampleApi, sample_api
from tests.client.web.test_web_examples import UVICORN
from tests.client.web.web_app import CLIENT_SECRET, declaration, greet, sign_in_listening
from tests.dev_server import DevServer, StartDev
from tests.journeys.test_sample_app_look import looks_of
from tests.listening import bind, listening, url_of

expect.set_options(timeout=30_000)
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def fill_in(page: Page, username: str = "alice") -> None:
    """Sign in at the issuer, and allow where it asks."""
    await page.locator("input[name=username]").fill(username)
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("form button[type=submit], form button").first.click()
    allow = page.locator("button[name=decision][value=allow]")
    await expect(page.locator("input[name=password]")).to_have_count(0)
    await page.wait_for_load_state()
    if await allow.count():
        await allow.click()
        await page.wait_for_load_state()


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    yield from registered(tmp_path_factory.mktemp("example"), ["web-starlette"])


async def test_the_page_of_the_example_works_and_holds_no_token(at: Registered, page: Page, tmp_path: Path) -> None:
    complaints, requests = complaints_of(page), []
    page.on("request", lambda request: requests.append(request))
    with running(at, "web-starlette", UVICORN, str(tmp_path / "s.db"), tmp_path / "log") as origin:
        await page.goto(origin)
        await expect(page.locator("#who")).to_have_text("Nobody is signed in.")
        await page.locator("#sign-in").click()
        await fill_in(page)
        await page.wait_for_url(f"{origin}/")
        await expect(page.locator("#who")).to_have_text("Signed in as Alice Adler")
        await expect(page.locator("#notes li")).to_have_count(1)
        await page.locator("input[name=text]").fill("From the browser")
        await page.locator("#add button").click()
        await expect(page.locator("#notes li").last).to_have_text("From the browser")
        assert ([], "rgb(18, 21, 29)") == await looks_of(page)
        await page.reload()
        await expect(page.locator("#notes li").last).to_have_text("From the browser")
        seen = await everything_a_script_can_read(page)
        cookies = await page.context.cookies()
        assert "eyJ" not in seen, "that is how a JWT begins"
        assert [] == [request.url for request in requests if "authorization" in request.headers]
        assert [True] == [each["httpOnly"] for each in cookies if each["domain"] == "127.0.0.1"]
        await page.locator("#sign-out button").click()
        await page.wait_for_url(f"{origin}/")
        await expect(page.locator("#who")).to_have_text("Nobody is signed in.")
    assert [] == complaints


async def everything_a_script_can_read(page: Page) -> str:
    """Storage, cookies, the page and what the server's endpoints answer."""
    read: str = await page.evaluate(
        """async () => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, await indexedDB.databases(),
            document.documentElement.outerHTML, await (await fetch('/auth/session')).text()])"""
    )
    return read


class Stage:
    """An application with an API, and two attackers: another site, and another origin of the same site."""

    def __init__(self, app: str, api: SampleApi, attackers: tuple[str, str]) -> None:
        self.app, self.api = app, api
        self.other_site, self.same_site = attackers


async def evil(scope: Any, receive: Any, send: Any) -> None:
    """An attacker's page, empty until the test writes on it."""
    html = [(b"content-type", b"text/html")]
    await send({"type": "http.response.start", "status": 200, "headers": html})
    await send({"type": "http.response.body", "body": b"<!doctype html><title>Evil</title><body>"})


@asynccontextmanager
async def stage_at(start_dev: StartDev, folder: Path, **options: Any) -> AsyncIterator[Stage]:
    """Everything listens; the attackers stand at `localhost` and at another port of the application's host."""
    with ExitStack() as stack:
        listener, evil_listener = bind(), bind()
        origin, evil_at = url_of(listener), url_of(evil_listener)
        file = folder / "proofkey.yaml"
        file.write_text(declaration([f"{origin}/auth/callback"]), encoding="utf-8")
        server: DevServer = start_dev("--config", str(file))
        api = stack.enter_context(sample_api())
        settings = {"scope": "openid profile notes:read notes:write", **options}
        app = SignIn(
            greet,
            issuer=server.issuer,
            client_id=server.application("web")["client_id"],
            client_secret=CLIENT_SECRET,
            redirect_uri=f"{origin}/auth/callback",
            apis={"/api": Api(url=api.url, resource="http://127.0.0.1:1")},
            **settings,
        )
        stack.enter_context(sign_in_listening(app, listener))
        stack.enter_context(listening(evil, evil_listener))
        yield Stage(origin, api, (evil_at.replace("127.0.0.1", "localhost"), evil_at))


async def signed_in(page: Page, origin: str) -> bool:
    """Whether the application knows this browser's person."""
    await page.goto(origin)
    told: bool = (await page.evaluate("async () => await (await fetch('/auth/session')).json()"))["signed_in"]
    return told


async def attack(context: BrowserContext, attacker: str, app: str, guess: str) -> dict[str, str]:
    """What a page at *attacker* reaches with scripts, and with forms in new windows, in the person's own browser."""
    page = await context.new_page()
    await page.goto(attacker)
    heard: dict[str, str] = await page.evaluate(
        """async ([app, guess]) => {
            const heard = {};
            const tryTo = async (name, url, options) => {
                try { heard[name] = await (await fetch(app + url, {credentials: 'include', ...options})).text(); }
                catch (failure) { heard[name] = failure.name; }
            };
            const form = {'content-type': 'application/x-www-form-urlencoded'};
            await tryTo('session', '/auth/session');
            await tryTo('read', '/api/notes');
            await tryTo('write', '/api/notes', {method: 'POST', body: 'text=evil', headers: form});
            await tryTo('write blind', '/api/notes', {method: 'POST', body: 'text=evil', headers: form, mode: 'no-cors'});
            await tryTo('write with guess', '/api/notes', {method: 'POST', body: '{}', headers: {'x-csrf-token': guess}});
            await tryTo('delete', '/api/notes', {method: 'DELETE'});
            await tryTo('sign out', '/auth/logout', {method: 'POST', body: 'csrf=' + guess, headers: form, mode: 'no-cors'});
            await new Promise((done) => {
                const image = new Image();
                image.onload = image.onerror = done;
                image.src = app + '/api/notes/delete-all';
            });
            heard.websocket = await new Promise((done) => {
                const socket = new WebSocket(app.replace('http', 'ws') + '/api/feed');
                socket.onopen = () => done('open');
                socket.onerror = () => done('refused');
            });
            return heard;
        }""",
        [app, guess],
    )
    for path, field in (("/api/notes", "text"), ("/auth/logout", "csrf")):
        await page.goto(attacker)
        await page.evaluate(
            """([action, field, value]) => {
                const form = Object.assign(document.createElement('form'), {method: 'post', action});
                form.append(Object.assign(document.createElement('input'), {name: field, value}));
                document.body.append(form);
                form.submit();
            }""",
            [app + path, field, guess],
        )
        await page.wait_for_url(f"{app}/**")
        heard[f"form to {path}"] = await page.locator("body").inner_text()
    await page.close()
    return heard


async def test_attackers_pages_reach_neither_api_nor_session(
    browser: Browser, start_dev: StartDev, tmp_path: Path
) -> None:
    async with stage_at(start_dev, tmp_path) as stage, window(browser) as context:
        page = await context.new_page()
        await page.goto(f"{stage.app}/auth/login")
        await fill_in(page)
        await page.wait_for_url(f"{stage.app}/")
        for attacker in (stage.other_site, stage.same_site):
            heard = await attack(context, attacker, stage.app, "A" * 43)
            assert [] == stage.api.sent, heard
            assert "refused" == heard.pop("websocket")
            assert not any("Alice" in text for text in heard.values()), heard
            assert await signed_in(page, stage.app)
        good = await page.evaluate(
            """async () => {
                const {csrf} = await (await fetch('/auth/session')).json();
                return (await fetch('/api/notes', {method: 'POST', body: 'mine', headers: {'x-csrf-token': csrf}})).status;
            }"""
        )
        assert (200, [b"mine"]) == (good, [sent.body for sent in stage.api.sent])


async def test_a_page_that_an_api_returns_runs_nothing_on_our_origin(
    browser: Browser, start_dev: StartDev, tmp_path: Path
) -> None:
    from tests.client.web.sample_api import Reply

    script = b"<!doctype html><title>API</title><body><script>document.title = 'ran: ' + document.cookie</script>"
    async with stage_at(start_dev, tmp_path) as stage, window(browser) as context:
        stage.api.reply = lambda _sent: Reply(headers=[("content-type", "text/html")], body=script)
        page = await context.new_page()
        await page.goto(f"{stage.app}/auth/login?return_to=/api/page")
        await fill_in(page)
        await page.wait_for_url(f"{stage.app}/api/page")
        assert ("API", 1) == (await page.title(), len(stage.api.sent))


async def test_an_answer_that_comes_as_a_form_signs_in(browser: Browser, start_dev: StartDev, tmp_path: Path) -> None:
    async with stage_at(start_dev, tmp_path, response_mode="form_post") as stage, window(browser) as context:
        page = await context.new_page()
        await page.goto(f"{stage.app}/auth/login?return_to=/notes")
        await fill_in(page)
        await page.wait_for_url(f"{stage.app}/notes")
        assert "/notes Alice" == await page.locator("body").inner_text()
        assert await signed_in(page, stage.app)


async def test_two_tabs_sign_in_at_once_and_both_finish(browser: Browser, start_dev: StartDev, tmp_path: Path) -> None:
    async with stage_at(start_dev, tmp_path) as stage, window(browser) as context:
        first, second = await context.new_page(), await context.new_page()
        await first.goto(f"{stage.app}/auth/login?return_to=/one")
        await second.goto(f"{stage.app}/auth/login?return_to=/two")
        await fill_in(second)
        await second.wait_for_url(f"{stage.app}/two")
        await first.locator("input[name=username]").fill("alice")
        await first.locator("input[name=password]").fill(PASSWORD)
        await first.locator("form button").first.click()
        await first.wait_for_url(f"{stage.app}/one")
        assert "/one Alice" == await first.locator("body").inner_text()
