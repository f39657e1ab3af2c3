"""The pages that clients show a person themselves: their policy, their words, and their looks in a real browser."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Never
from urllib.parse import urlencode

import httpx2
import pytest
from playwright.async_api import Browser

from proofkey.client.error_code import _MEANINGS
from proofkey.client.id_token import IdTokenRefused
from proofkey.client.loopback import LoopbackListener
from proofkey.client.messages import NoAnswer, ResponseRefused, ServerRefused
from proofkey.client.page import PAGE_POLICY, render_page
from proofkey.client.protocol import CallbackRefused
from proofkey.client.web.callback import LoginRefused
from proofkey.client.web.csrf import CsrfRefused
from proofkey.client.web.store.contract import StoreUnavailable
from proofkey.client.web.store.memory import MemoryStore
from proofkey.client.web.words import ELSEWHERE, support_line, words_for
from proofkey.protocol.errors import InvalidRequest, Refusal
from proofkey.protocol.issuer import metadata_addresses
from tests.browser import PHONE, complaints_of, window
from tests.client.web.test_web_attacks import answer_for
from tests.client.web.web_app import browser_of, sign_in_at, sign_in_listening
from tests.dev_server import DevServer
from tests.journeys.test_sample_app_look import AXE, faults_of
from tests.listening import bind, url_of

in_the_browser = pytest.mark.asyncio(loop_scope="session")
NAMES = ["web", "web, nobody answers", "done", "declined", "another login's"]


@pytest.fixture(scope="module")
def pages(web_dev: DevServer) -> Iterator[dict[str, str]]:
    """Addresses that answer with a page of ours, by their names."""
    socket = bind()
    sign_in = sign_in_at(web_dev, issuer="http://127.0.0.1:1", redirect_uri=f"{url_of(socket)}/auth/callback")
    listener = LoopbackListener("http://127.0.0.1:0/callback")
    listener.start(lambda query: "state=ours" in query)
    local = f"{listener.redirect_uri}?state="
    with listener, sign_in_listening(sign_in, socket) as web:
        addresses = [f"{web}/auth/callback", f"{web}/auth/login?max_age=x"]
        yield dict(
            zip(
                NAMES, [*addresses, f"{local}ours&code=c", f"{local}ours&error=access_denied", f"{local}x"], strict=True
            )
        )


def navigate(url: str) -> httpx2.Response:
    return httpx2.get(url, headers={"accept": "text/html"}, trust_env=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_policy_allows_the_page_s_own_style_and_nothing_else(pages: dict[str, str], name: str) -> None:
    answer = navigate(pages[name])
    (style,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    expected = f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"
    assert ("'none'", expected) == (policy.pop("default-src"), policy.pop("style-src"))
    assert {"base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"} == policy
    assert [] == re.findall(r'<script|<link|<img|style="| on\w+="|url\(|@import', answer.text)


@in_the_browser
@pytest.mark.parametrize("name", NAMES)
async def test_axe_finds_nothing_in_either_scheme_on_a_phone_or_a_desktop(
    browser: Browser, pages: dict[str, str], name: str
) -> None:
    async with window(browser, bypass_csp=True) as context:
        page = await context.new_page()
        await page.goto(pages[name])
        await page.add_script_tag(path=AXE)
        assert [] == await faults_of(page)


@in_the_browser
@pytest.mark.parametrize("name", NAMES)
async def test_it_is_dark_in_the_dark_fits_a_phone_and_complains_of_nothing(
    browser: Browser, pages: dict[str, str], name: str
) -> None:
    async with window(browser, scheme="dark", width=PHONE) as context:
        page = await context.new_page()
        complaints = complaints_of(page)
        await page.goto(pages[name])
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        wide = await page.evaluate("document.documentElement.scrollWidth")
    complaints = [each for each in complaints if "status of" not in each]
    assert ("rgb(18, 21, 29)", PHONE, []) == (ground, wide, complaints)


def test_everything_in_a_page_is_escaped() -> None:
    evil = "</title><script>'\"&"
    page = render_page(evil, evil, onward=(f'/"{evil}', evil), support=evil).decode()
    assert (0, 6) == (page.count("<script"), page.count("&lt;script&gt;"))
    assert "unsafe" not in PAGE_POLICY


def told_at_loopback(answer: str) -> str:
    listener = LoopbackListener("http://127.0.0.1:0/callback")
    listener.start()
    with listener:
        return navigate(f"{listener.redirect_uri}?{answer}").text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("access_denied", "was declined"),
        ("login_required", "Begin again"),
        ("temporarily_unavailable", "Wait a minute"),
        ("invalid_scope", "not set up correctly"),
        ("<script>alert(1)</script>", "The sign-in was refused"),
        ("", "The sign-in was refused"),
    ],
)
def test_a_refusal_is_not_thanked_for_at_the_loopback_address(code: str, expected: str) -> None:
    told = told_at_loopback(urlencode({"error": code, "error_description": "Call <b>evil</b>", "state": "x"}))
    assert (True, True) == ("<h1>You are not signed in</h1>" in told, expected in told)
    assert [] == [word for word in ("Done here", "alert", "evil") if word in told]


def test_an_answer_of_too_many_parts_is_not_thanked_for_either() -> None:
    assert "The sign-in was refused" in told_at_loopback("&".join(["error=access_denied"] * 100))


@pytest.mark.parametrize(
    ("refusal", "title", "onward"),
    [
        (ServerRefused("callback_refused", code="access_denied", told=""), "You are not signed in", "sign_in"),
        (ServerRefused("server_refused", code="invalid_grant", told=""), "Please sign in again", "sign_in"),
        (ServerRefused("server_refused", code="invalid_client", told=""), "Sign-in is not set up correctly", "nowhere"),
        (ServerRefused("server_refused", code="nobody_knows", told=""), "You are not signed in", "sign_in"),
        (NoAnswer("no_one", "Nobody answers"), "Sign-in does not work right now", "sign_in"),
        (ResponseRefused("metadata", "Not found"), "Sign-in is not set up correctly", "nowhere"),
        (IdTokenRefused("nonce", "Another nonce"), "Please sign in again", "sign_in"),
        (CallbackRefused("callback_iss_differs", "Another iss"), "Please sign in again", "sign_in"),
        (LoginRefused("answer_without_state", "No answer"), "Please sign in again", "sign_in"),
        (LoginRefused("transaction_lost_twice", "Lost"), "Please allow cookies", "sign_in"),
        (LoginRefused("logout_state_differs", "Another state"), "Nothing was changed", "start"),
        (CsrfRefused("csrf_token_differs", "Another token"), "You were not signed out", "start"),
        (InvalidRequest("path", "Ambiguous"), ELSEWHERE.title, "nowhere"),
    ],
)
def test_the_person_reads_what_it_means_to_them(refusal: Refusal, title: str, onward: str) -> None:
    words = words_for(refusal)
    assert (title, onward) == (words.title, words.onward)


def test_every_code_has_words_that_name_no_parameter() -> None:
    for code in _MEANINGS:
        words = words_for(ServerRefused("server_refused", code=code, told="told"))
        assert [] == [word for word in (code, "told", "_", "[") if word in words.title + words.text]


@pytest.mark.parametrize(
    ("code", "told", "expected"),
    [
        ("invalid_client", "No [client_authentication_failed]", "invalid_client [client_authentication_failed]"),
        ("access_denied", "Call +49 30 [Evil Corp]", "access_denied [callback_refused]"),
        ("Call Evil Corp", "", "[callback_refused]"),
    ],
)
def test_support_reads_codes_and_slugs_and_no_words_of_the_other_side(code: str, told: str, expected: str) -> None:
    assert expected == support_line(ServerRefused("callback_refused", code=code, told=told))


async def test_a_wrong_client_secret_is_the_application_s_fault_not_the_person_s(
    web_dev: DevServer, caplog: pytest.LogCaptureFixture
) -> None:
    app = sign_in_at(web_dev, client_secret="another-secret-of-more-than-32-characters")
    async with browser_of(app) as alice:
        page = await alice.go(await answer_for(alice))
    await app.close()
    assert (403, True) == (page.status_code, "<h1>Sign-in is not set up correctly</h1>" in page.text)
    assert (True, False) == ("[client_authentication_failed]" in page.text, "<a " in page.text)
    said = "refused: server_refused invalid_client Client authentication failed [client_authentication_failed]"
    assert said in caplog.messages


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/nobody", "metadata_not_found The issuer has no metadata at its well-known address: {0}, {1} (status 404)"),
        (
            "/",
            "metadata_issuer_differs The metadata are of another issuer, compared to the byte: asked for {2}, it names",
        ),
    ],
)
async def test_the_log_says_where_metadata_were_looked_for_and_what_they_said(
    web_dev: DevServer, caplog: pytest.LogCaptureFixture, path: str, said: str
) -> None:
    wrong = f"{web_dev.issuer}{path}"
    app = sign_in_at(web_dev, issuer=wrong)
    async with browser_of(app) as alice:
        await alice.go("/auth/login")
    await app.close()
    assert f"refused: {said.format(*metadata_addresses(wrong), wrong)}" in caplog.text


def test_what_only_a_change_of_settings_mends_is_not_to_be_waited_for() -> None:
    for reason in ("certificate_not_trusted", "tls_not_spoken"):
        assert "Sign-in is not set up correctly" == words_for(NoAnswer(reason, "")).title


async def test_a_person_gets_a_page_and_a_script_json_while_sessions_cannot_be_looked_up(web_dev: DevServer) -> None:
    class Gone(MemoryStore):
        async def find_session(self, *_: object, **__: object) -> Never:
            raise StoreUnavailable("gone")

    app = sign_in_at(web_dev, store=Gone())
    async with browser_of(app) as alice:
        await alice.follow(await alice.go("/auth/login"))
        page, told = await alice.go("/"), await alice.fetch("GET", "/", accept="application/json")
    await app.close()
    assert (503, "5", True) == (
        page.status_code,
        page.headers["retry-after"],
        "does not work right now</h1>" in page.text,
    )
    assert (503, "temporarily_unavailable") == (told.status_code, told.json()["error"])


def test_only_the_slug_is_set_apart_in_what_to_read_out() -> None:
    told = render_page("No", "Why.", support="Not <trusted> [certificate_not_trusted]").decode()
    assert 'For support: Not &lt;trusted&gt; <code translate="no">[certificate_not_trusted]</code></p>' in told
    assert "For support: nothing known</p>" in render_page("No", "Why.", support="nothing known").decode()
