"""What pages say to forms and addresses that no page of ours made: an error page, and the reason in the log."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attempt import form_with
from tests.engine import Deployment, attempt_of, reasons


async def pending(deployment: Deployment) -> dict[str, str]:
    """The hidden fields of a consent page that somebody is looking at, in a browser of their own."""
    browser = deployment.browser()
    form = form_with(await browser.sign_in(await browser.ask(attempt_of().query)), "decision")
    assert form is not None
    return form.fields


@pytest.mark.parametrize("page", ["login", "consent"])
async def test_a_page_opened_by_hand_says_where_to_start(deployment: Deployment, page: str, log: list[Any]) -> None:
    answer = await deployment.client().get(page)
    assert (400, ["page_opened_directly"]) == (answer.status_code, reasons(log))
    assert "start again from the application" in answer.text


@pytest.mark.parametrize("page", ["login", "consent"])
@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (b"", "request_missing"),
        (b"request=", "request_missing"),
        (b"request=a&request=b", "page_form_malformed"),
        (b"request=%FF", "page_form_malformed"),
        (b"request=%00", "page_form_malformed"),
        (b"request=AAAA", "request_not_ours"),
    ],
)
async def test_a_form_that_is_not_ours(
    deployment: Deployment, page: str, form: bytes, reason: str, log: list[Any]
) -> None:
    answer = await deployment.post(page, form)
    assert (400, [reason]) == (answer.status_code, reasons(log))
    assert "text/html" in answer.headers["content-type"]


async def test_login_flow_handed_to_a_victim_another_browser_cannot_go_on(
    deployment: Deployment, log: list[Any]
) -> None:
    fields = await pending(deployment)
    answer = await deployment.post("consent", {**fields, "decision": "allow"})
    assert (400, ["request_of_another_browser"]) == (answer.status_code, reasons(log))


async def test_a_decision_is_allow_or_deny(deployment: Deployment, log: list[Any]) -> None:
    browser = deployment.browser()
    page = await browser.sign_in(await browser.ask(attempt_of().query))
    answer = await browser.decide(page, "perhaps")
    assert (400, ["consent_undecided"]) == (answer.status_code, reasons(log))


@pytest.mark.parametrize(
    "form", [b"client_id=sp\xc3\xa9", b"client_id=spa&state=a\r\nb", b"client_id=spa &x=y", b"x=\x00"]
)
async def test_a_posted_request_is_percent_encoded(deployment: Deployment, form: bytes, log: list[Any]) -> None:
    answer = await deployment.post("oauth2/authorize", form)
    assert (400, ["form_not_encoded"]) == (answer.status_code, reasons(log))
    assert "location" not in answer.headers


async def test_a_request_of_too_many_parameters_cannot_be_read(deployment: Deployment, log: list[Any]) -> None:
    answer = await deployment.client().get("oauth2/authorize?" + "&".join(["a=b"] * 300))
    assert (400, ["authorize_unreadable"]) == (answer.status_code, reasons(log))


async def test_a_sign_out_that_cannot_be_read(deployment: Deployment, log: list[Any]) -> None:
    client = deployment.client()
    twice = await client.get("oauth2/logout?state=a&state=b")
    many = await client.get("oauth2/logout?" + "&".join(["a=b"] * 300))
    long = await client.get("oauth2/logout?id_token_hint=" + "a" * 9_000)
    assert [400, 400, 400] == [twice.status_code, many.status_code, long.status_code]
    assert ["logout_unreadable", "logout_unreadable", "logout_query_too_long"] == reasons(log)
