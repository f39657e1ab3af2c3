"""What comes back of an API's answer: whose it is, for how long, and what a browser may do with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from proofkey.client.web import Api, SignIn
from tests.browser import window
from tests.client.web.browser import WebBrowser
from tests.client.web.sample_api import Reply, SampleApi, payload_of, sample_api
from tests.client.web.test_web_browser import fill_in, stage_at
from tests.client.web.web_app import browser_of, sign_in_at
from tests.dev_server import DevServer, StartDev

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def notes() -> Iterator[SampleApi]:
    with sample_api() as api:
        yield api


@pytest_asyncio.fixture(loop_scope="session")
async def proxied(web_dev: DevServer, notes: SampleApi) -> AsyncIterator[SignIn]:
    closed = Api(url=notes.url, resource="http://127.0.0.1:1")
    apis = {"/api": closed, "/open": replace(closed, answer_headers=("X-Frame-Options", "My-Own", "Connection"))}
    sign_in = sign_in_at(web_dev, apis=apis)
    yield sign_in
    await sign_in.close()


@pytest_asyncio.fixture(loop_scope="session")
async def alice(proxied: SignIn) -> AsyncIterator[WebBrowser]:
    async with browser_of(proxied) as browser:
        await browser.sign_in()
        yield browser


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (
            [("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT"), ("expires", "Mon, 01 Jan 2035 00:00:00 GMT")],
            "no-store",
        ),
        ([("cache-control", "")], "no-store"),
        ([("cache-control", "max-age=600")], "private, max-age=600"),
        (
            [("cache-control", "max-age=600"), ("cache-control", "must-revalidate")],
            "private, max-age=600, must-revalidate",
        ),
        ([("cache-control", 'private="x, public", max-age=600')], 'private, private="x, public", max-age=600'),
        ([("cache-control", "Private, max-age=600")], "Private, max-age=600"),
        ([("cache-control", "no-store")], "no-store"),
        ([("cache-control", "public, max-age=600")], "public, max-age=600"),
        ([("cache-control", "s-maxage=600")], "s-maxage=600"),
        ([("cdn-cache-control", "max-age=600"), ("surrogate-control", "max-age=600")], "no-store"),
    ],
)
async def test_an_answer_is_for_whoever_signed_in(
    alice: WebBrowser, notes: SampleApi, sent: list[tuple[str, str]], expected: str
) -> None:
    notes.reply = lambda _sent: Reply(headers=sent)
    answer = await alice.fetch("GET", "/api/notes")
    assert ([expected], ["Cookie, Sec-Fetch-Dest"]) == (
        answer.headers.get_list("cache-control"),
        answer.headers.get_list("vary"),
    )
    assert set() == {"cdn-cache-control", "surrogate-control"} & set(answer.headers)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (["Authorization"], "Authorization, Cookie, Sec-Fetch-Dest"),
        (["Accept, cookie", "Origin"], "Accept, cookie, Origin, Sec-Fetch-Dest"),
        (["*"], "*"),
    ],
)
async def test_answers_are_kept_apart_by_person(
    alice: WebBrowser, notes: SampleApi, sent: list[str], expected: str
) -> None:
    notes.reply = lambda _sent: Reply(headers=[("vary", value) for value in sent])
    assert [expected] == (await alice.fetch("GET", "/api/notes")).headers.get_list("vary")


async def test_headers_that_no_api_needs_do_not_come_back(alice: WebBrowser, notes: SampleApi) -> None:
    obeyed = (
        "accept-ch critical-ch use-as-dictionary secure-session-registration sec-session-registration observe-browsing-topics"
        " attribution-reporting-register-source activate-storage-access link content-security-policy-report-only"
        " integrity-policy no-vary-search public-key-pins permissions-policy strict-transport-security refresh alt-svc nel"
        " reporting-endpoints service-worker-allowed clear-site-data access-control-allow-origin x-frame-options"
        " x-accel-redirect x-sendfile x-dns-prefetch-control x-of-tomorrow-obeyed of-tomorrow server date"
    ).split()
    kept = {"x-total": "5", "ratelimit-limit": "9", "etag": '"e"', "content-language": "de", "retry-after": "1"}
    notes.reply = lambda _sent: Reply(headers=[(name, "told") for name in obeyed] + list(kept.items()))
    answer = await alice.fetch("GET", "/api/notes")
    assert {"x-of-tomorrow-obeyed"} == set(answer.headers) & set(obeyed)
    assert kept == {name: answer.headers[name] for name in kept}


async def test_an_application_can_name_headers_of_its_own(alice: WebBrowser, notes: SampleApi) -> None:
    notes.reply = lambda _sent: Reply(
        headers=[("my-own", "1"), ("x-frame-options", "DENY"), ("connection", "keep-alive")]
    )
    closed, opened = await alice.fetch("GET", "/api/notes"), await alice.fetch("GET", "/open/notes")
    assert set() == {"my-own", "x-frame-options", "connection"} & set(closed.headers)
    assert {"my-own", "x-frame-options"} == {"my-own", "x-frame-options", "connection"} & set(opened.headers)


async def test_no_cookie_of_ours_comes_from_an_api(web_dev: DevServer, notes: SampleApi) -> None:
    api = Api(url=notes.url, resource="http://127.0.0.1:1", set_cookie=True)
    app = sign_in_at(web_dev, apis={"/api": api})
    cookies = ["theme=dark", "proofkey_session_x=evil", "=proofkey_session_x=evil", "__Host-Proofkey_session_x=evil"]
    notes.reply = lambda _sent: Reply(headers=[("set-cookie", cookie) for cookie in cookies])
    async with browser_of(app) as alice:
        await alice.sign_in()
        answer = await alice.fetch("GET", "/api/notes")
    await app.close()
    assert ["theme=dark"] == answer.headers.get_list("set-cookie")


async def test_nothing_is_asked_of_an_api_that_the_browser_would_run(alice: WebBrowser, notes: SampleApi) -> None:
    run = (
        "script",
        "style",
        "worker",
        "sharedworker",
        "serviceworker",
        "manifest",
        "xslt",
        "object",
        "embed",
        "audioworklet",
    )
    for destination in run:
        answer = await alice.fetch("GET", "/api/uploads/1", sec_fetch_dest=destination)
        assert (403, True) == (answer.status_code, "[proxied_to_be_run]" in answer.text)
    assert [] == notes.sent
    for destination in ("empty", "document", "image", "audio", "video", "font", "track", "iframe"):
        assert 200 == (await alice.fetch("GET", "/api/uploads/1", sec_fetch_dest=destination)).status_code


async def sign_in_as(page: Page, app: str, username: str) -> None:
    """Sign in, in a browser whose issuer knows nobody."""
    await page.context.clear_cookies()
    await page.goto(f"{app}/auth/login")
    await fill_in(page, username)
    await page.wait_for_url(f"{app}/")


async def test_a_browser_shows_nobody_what_an_api_told_somebody_else(
    browser: Browser, start_dev: StartDev, tmp_path: Path
) -> None:
    said = {
        "/api/silent": ("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT"),
        "/api/private": ("cache-control", "private, max-age=600"),
        "/api/public": ("cache-control", "public, max-age=600"),
    }
    ask = "async (path) => (await fetch(path)).text()"
    async with stage_at(start_dev, tmp_path) as stage, window(browser) as context:
        stage.api.reply = lambda sent: Reply(
            headers=[("vary", "Authorization"), said[f"/api{sent.target}"]], body=payload_of(sent.token)
        )
        page = await context.new_page()
        await sign_in_as(page, stage.app, "alice")
        alices = [await page.evaluate(ask, path) for path in said]
        again = [await page.evaluate(ask, path) for path in said]
        asked = [sent.target for sent in stage.api.sent]
        await sign_in_as(page, stage.app, "bob")
        bobs = [await page.evaluate(ask, path) for path in said]
    subjects = [{json.loads(told)["sub"] for told in each} for each in (alices, again, bobs)]
    assert (1, subjects[0], set()) == (len(subjects[0]), subjects[1], subjects[0] & subjects[2])
    assert ["/silent", "/private", "/public", "/silent"] == asked, "what may be kept is kept"


async def test_what_an_api_says_is_no_code_of_a_page(browser: Browser, start_dev: StartDev, tmp_path: Path) -> None:
    async with stage_at(start_dev, tmp_path) as stage, window(browser) as context:
        stage.api.reply = lambda _sent: Reply(
            headers=[("content-type", "text/javascript"), ("cache-control", "private, max-age=600")],
            body=b"self.document && (document.title = 'ran')",
        )
        page = await context.new_page()
        await sign_in_as(page, stage.app, "alice")
        await page.evaluate(
            """async () => {
                const loaded = (name, what) => new Promise((done) => {
                    const element = Object.assign(document.createElement(name), what);
                    element.onload = element.onerror = done;
                    document.body.append(element);
                });
                await loaded('img', {src: '/api/uploads/1'});
                await loaded('script', {src: '/api/uploads/1'});
                await import('/api/uploads/1').catch(() => {});
                await navigator.serviceWorker.register('/api/uploads/1').catch(() => {});
            }"""
        )
        assert ("", 1) == (await page.title(), len(stage.api.sent))
