"""Signing out: when it just happens, when it is asked, and where the person may be sent."""

from __future__ import annotations

from typing import Any

import pytest

from proofkey.protocol.records import HOUR
from tests.attempt import form_with, sent_back
from tests.engine import APP, ISSUER, Browser, Deployment, attempt_of, reasons


async def is_signed_in(browser: Browser) -> bool:
    return "code" in sent_back(await browser.ask({**attempt_of().query, "prompt": "none"}))


@pytest.mark.parametrize("after", [0, HOUR])
async def test_the_client_s_own_hint_signs_out_and_leads_back(deployment: Deployment, after: int) -> None:
    browser = deployment.browser()
    tokens = await browser.tokens()
    deployment.clock.turn(after)
    params = {
        "id_token_hint": tokens["id_token"],
        "post_logout_redirect_uri": f"{APP}/",
        "state": 'x y&"é',
        "client_id": "spa",
    }
    answer = await browser.http.get("oauth2/logout", params=params)
    assert (303, f"{APP}/?state=x%20y%26%22%C3%A9") == (answer.status_code, answer.headers["location"])
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert not await is_signed_in(browser)


async def test_without_a_hint_the_person_is_asked_and_nothing_is_redirected(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    page = await browser.http.get("oauth2/logout", params={"post_logout_redirect_uri": f"{APP}/", "client_id": "spa"})
    assert 200 == page.status_code
    assert "Alice Adler" in page.text
    assert await is_signed_in(browser)
    done = await browser.submit(page, "ticket", decision="sign_out")
    assert (200, "text/html; charset=utf-8") == (done.status_code, done.headers["content-type"])
    assert not await is_signed_in(browser)


async def test_a_hint_of_another_session_asks(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    elsewhere = await deployment.browser().tokens(username="bob")
    params = {"id_token_hint": elsewhere["id_token"], "post_logout_redirect_uri": f"{APP}/"}
    page = await browser.http.get("oauth2/logout", params=params)
    assert form_with(page, "ticket") is not None
    assert await is_signed_in(browser)


@pytest.mark.parametrize(
    ("target", "client_id", "slug"),
    [
        ("https://evil.example/", "spa", "post_logout_redirect_uri_mismatch"),
        (f"{APP}", "spa", "post_logout_redirect_uri_mismatch"),
        (f"{APP}/callback", "spa", "post_logout_redirect_uri_mismatch"),
        (f"{APP}/", "web", "logout_client_differs"),
    ],
)
async def test_an_unregistered_address_is_a_page_and_signs_nobody_out(
    deployment: Deployment, log: list[Any], target: str, client_id: str, slug: str
) -> None:
    browser = deployment.browser()
    tokens = await browser.tokens()
    params = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": target, "client_id": client_id}
    answer = await browser.http.get("oauth2/logout", params=params)
    assert (400, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert [slug] == reasons(log)
    assert await is_signed_in(browser)


async def test_nobody_signed_in_is_signed_out_already(deployment: Deployment) -> None:
    hint = (await deployment.sign_in())["id_token"]
    stranger = deployment.client()
    assert 200 == (await stranger.get("oauth2/logout")).status_code
    params = {"id_token_hint": hint, "post_logout_redirect_uri": f"{APP}/"}
    answer = await stranger.get("oauth2/logout", params=params)
    assert (303, f"{APP}/") == (answer.status_code, answer.headers["location"])
    assert "set-cookie" not in answer.headers


async def test_a_cross_site_post_which_carries_no_cookie_is_sent_to_its_get_form_and_clears_nothing(
    deployment: Deployment,
) -> None:
    browser = deployment.browser()
    hint = (await browser.tokens())["id_token"]
    answer = await deployment.client().post("oauth2/logout", data={"id_token_hint": hint})
    assert (303, f"{ISSUER}/oauth2/logout?id_token_hint={hint}") == (answer.status_code, answer.headers["location"])
    assert "set-cookie" not in answer.headers
    assert 200 == (await browser.http.get(answer.headers["location"])).status_code
    assert not await is_signed_in(browser)


async def test_a_post_from_here_signs_out(deployment: Deployment) -> None:
    browser = deployment.browser()
    hint = (await browser.tokens())["id_token"]
    assert 200 == (await browser.http.post("oauth2/logout", data={"id_token_hint": hint})).status_code
    assert not await is_signed_in(browser)


async def test_a_parameter_sent_twice_is_a_page(deployment: Deployment, log: list[Any]) -> None:
    answer = await deployment.client().get("oauth2/logout?state=a&state=b")
    assert (400, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert ["logout_unreadable"] == reasons(log)


async def test_signing_in_again_at_the_same_browser_keeps_the_hint_of_before(deployment: Deployment) -> None:
    browser = deployment.browser()
    hint = (await browser.tokens())["id_token"]
    deployment.clock.turn(1)
    await browser.sign_in(await browser.ask({**attempt_of().query, "prompt": "login"}))
    await browser.http.get("oauth2/logout", params={"id_token_hint": hint})
    assert not await is_signed_in(browser)


async def test_after_the_question_the_person_is_sent_where_the_hint_proved(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    elsewhere = await deployment.browser().tokens(username="bob")
    params = {"id_token_hint": elsewhere["id_token"], "post_logout_redirect_uri": f"{APP}/", "state": "s t"}
    page = await browser.http.get("oauth2/logout", params=params)
    assert f"form-action 'self' {APP};" in page.headers["content-security-policy"]
    done = await browser.submit(page, "ticket", decision="sign_out")
    assert (303, f"{APP}/?state=s%20t") == (done.status_code, done.headers["location"])
    assert not await is_signed_in(browser)


async def test_who_would_rather_stay_stays(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    params = {"client_id": "spa", "post_logout_redirect_uri": f"{APP}/"}
    page = await browser.http.get("oauth2/logout", params=params)
    stayed = await browser.submit(page, "ticket", decision="stay")
    assert 200 == stayed.status_code
    assert "You are still signed in" in stayed.text
    assert await is_signed_in(browser)


async def test_a_confirmation_without_its_ticket_asks_again(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    for form in ({"decision": "sign_out"}, {"decision": "sign_out", "ticket": "x"}, {"ticket": "x"}):
        assert form_with(await browser.http.post("oauth2/logout", data=form), "ticket") is not None
    assert await is_signed_in(browser)
