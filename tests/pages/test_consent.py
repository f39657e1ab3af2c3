"""The consent page: in words, bound to session and request, and without effect when it is not theirs."""

from __future__ import annotations

from typing import Any

from tests.attempt import form_with, sent_back
from tests.engine import APP, Browser, Deployment, attempt_of, reasons
from tests.pages.test_render import words_of


async def consent_page(browser: Browser, **params: str) -> Any:
    page = await browser.ask({**attempt_of().query, **params})
    return await browser.sign_in(page) if form_with(page, "password") else page


async def test_the_page_says_in_words_who_wants_what(deployment: Deployment) -> None:
    page = await consent_page(deployment.browser(), scope="openid email offline_access notes:read")
    for words in (
        "Notes wants to use your account",
        "app.example",
        "Alice Adler",
        "See your email address",
        "Read your notes",
    ):
        assert words in words_of(page.text)
    assert "while you are away" in page.text
    assert "Add and change your notes" not in page.text
    assert 'name="decision" value="allow"' in page.text
    assert 'name="decision" value="deny"' in page.text
    assert f"form-action 'self' {APP};" in page.headers["content-security-policy"]


async def test_the_page_says_that_a_native_client_is_asked_about_every_time(deployment: Deployment) -> None:
    browser = deployment.browser()
    page = await browser.sign_in(await browser.ask(attempt_of("native").query))
    assert "We ask every time" in page.text


async def test_neither_allow_nor_deny_is_refused(deployment: Deployment, log: list[Any]) -> None:
    browser = deployment.browser()
    page = await consent_page(browser)
    for decision in ("", "maybe"):
        assert 400 == (await browser.submit(page, "decision", decision=decision)).status_code
    assert ["consent_undecided"] * 2 == reasons(log)


async def test_a_decision_without_its_ticket_shows_the_page_again(deployment: Deployment) -> None:
    browser = deployment.browser()
    page = await consent_page(browser)
    for ticket in ("", "x"):
        again = await browser.submit(page, "decision", decision="allow", ticket=ticket)
        assert form_with(again, "decision") is not None
    assert "consent_required" == sent_back(await browser.ask({**attempt_of().query, "prompt": "none"}))["error"]


async def test_a_ticket_of_another_session_shows_the_page_again(deployment: Deployment) -> None:
    browser = deployment.browser()
    page = await consent_page(browser)
    deployment.clock.turn(1)
    await browser.sign_in(await browser.ask({**attempt_of().query, "prompt": "login"}), "bob")
    again = await browser.decide(page)
    assert "Bob Brandt" in again.text
    assert form_with(again, "decision") is not None


async def test_who_is_not_the_one_shown_signs_in_for_the_same_request(deployment: Deployment) -> None:
    browser, attempt = deployment.browser(), attempt_of()
    page = await browser.sign_in(await browser.ask(attempt.query))
    asked = await browser.submit(page, "decision", decision="switch")
    assert 200 == asked.status_code
    assert form_with(asked, "password") is not None
    assert form_with(asked, "account") is None
    assert "consent_required" == sent_back(await browser.ask({**attempt.query, "prompt": "none"}))["error"]
    deployment.clock.turn(1)
    page = await browser.sign_in(asked, "bob")
    assert "Signed in as Bob Brandt" in words_of(page.text)
    assert "code" in sent_back(await browser.decide(page))


async def test_asking_for_another_account_needs_the_ticket_too(deployment: Deployment) -> None:
    browser = deployment.browser()
    again = await browser.submit(await consent_page(browser), "decision", decision="switch", ticket="x")
    assert form_with(again, "password") is None
    assert form_with(again, "decision") is not None


async def test_a_decision_after_signing_out_asks_to_sign_in(deployment: Deployment) -> None:
    browser = deployment.browser()
    page = await consent_page(browser)
    await browser.submit(await browser.http.get("oauth2/logout"), "ticket", decision="sign_out")
    assert form_with(await browser.decide(page), "password") is not None


async def test_the_back_button_does_no_harm(deployment: Deployment) -> None:
    browser, attempt = deployment.browser(), attempt_of()
    page = await browser.sign_in(await browser.ask(attempt.query))
    first, second = sent_back(await browser.decide(page)), sent_back(await browser.decide(page))
    assert first["code"] != second["code"]
    tokens = (await deployment.redeem(attempt, first["code"])).json()
    assert 200 == (await deployment.redeem(attempt, second["code"])).status_code
    assert 200 == (await deployment.refresh(tokens["refresh_token"])).status_code
