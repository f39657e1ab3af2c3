"""Signing in: the form, the cookie, and what strangers cannot learn from either."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from proofkey.protocol.records import MINUTE
from proofkey.server.config import Throttle
from proofkey.server.flows import sign_in as flow
from tests.attempt import form_with, sent_back
from tests.engine import SECRETS, Deployment, attempt_of, reasons


def without_seals(page: httpx2.Response) -> str:
    """The text of a page without what is different each time."""
    return re.sub(r'value="[A-Za-z0-9_-]{100,}"', "", page.text)


async def test_the_form_has_the_fields_that_password_managers_look_for(deployment: Deployment) -> None:
    page = await deployment.browser().ask(attempt_of().query)
    assert 1 == page.text.count("<form")
    for words in ('name="username"', 'autocomplete="username"', 'name="password"', 'autocomplete="current-password"'):
        assert words in page.text


@pytest.mark.parametrize(
    "name", ["alice", "ALICE", " Alice ", "alice@demo.example", "Alice@Demo.Example", "\uff41lice"]
)
async def test_a_person_signs_in_by_name_or_verified_address_however_it_is_typed(
    deployment: Deployment, name: str
) -> None:
    browser = deployment.browser()
    page = await browser.sign_in(await browser.ask(attempt_of().query), name, SECRETS.passwords["alice"])
    assert form_with(page, "decision") is not None


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", "wrong"), ("nobody", "wrong"), ("bob", SECRETS.passwords["alice"]), ("", ""), ("alice", "x" * 2000)],
)
async def test_what_is_wrong_looks_the_same_for_known_and_unknown_people(
    deployment: Deployment, log: list[Any], name: str, password: str
) -> None:
    browser = deployment.browser()
    page = await browser.ask(attempt_of().query)
    refused = await browser.submit(page, "password", username=name, password=password)
    baseline = await browser.submit(page, "password", username="somebody", password="else")
    assert 200 == refused.status_code
    assert (
        without_seals(refused).replace(f'value="{name}"', "") == without_seals(baseline).replace('value="somebody"', "")
        or name == ""
    )
    assert "do not match" in refused.text
    assert "set-cookie" not in refused.headers
    assert ["sign_in_wrong"] * 2 == reasons(log)


async def test_a_disabled_person_looks_like_nobody(deployment: Deployment, log: list[Any]) -> None:
    user = await deployment.store.find_user("demo/main", "alice")
    assert user is not None
    await deployment.store.disable_user("demo/main", user.id, deployment.clock())
    browser = deployment.browser()
    page = await browser.sign_in(await browser.ask(attempt_of().query))
    assert "do not match" in page.text
    assert ["sign_in_wrong"] == reasons(log)


async def test_an_unknown_person_costs_a_password_check_too(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str | None] = []
    verify = flow.verify_password

    async def watched(password: str, password_hash: str | None) -> bool:
        checked.append(password_hash)
        return await verify(password, password_hash)

    monkeypatch.setattr(flow, "verify_password", watched)
    browser = deployment.browser()
    page = await browser.ask(attempt_of().query)
    await browser.submit(page, "password", username="nobody", password="x")
    assert [None] == checked


async def test_the_session_cookie_is_new_at_every_sign_in_and_host_only(deployment: Deployment) -> None:
    browser = deployment.browser()
    values = set()
    for _ in range(2):
        deployment.clock.turn(1)
        page = await browser.sign_in(await browser.ask({**attempt_of().query, "prompt": "login"}))
        [cookie] = page.headers.get_list("set-cookie")
        name, _, rest = cookie.partition("=")
        assert name.startswith("__Host-proofkey_session_")
        assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure", "Max-Age=2592000"} == set(rest.split("; ")[1:])
        values.add(rest.split(";")[0])
    assert 2 == len(values)


async def test_the_value_before_a_new_sign_in_is_worth_nothing(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    old = dict(browser.http.cookies.items())
    deployment.clock.turn(1)
    await browser.sign_in(await browser.ask({**attempt_of().query, "prompt": "login"}))
    thief = deployment.browser()
    for name, value in old.items():
        thief.http.cookies.set(name, value, domain="login.example")
    assert "login_required" == sent_back(await thief.ask({**attempt_of().query, "prompt": "none"}))["error"]


async def test_another_person_at_the_same_browser_ends_the_session_before(deployment: Deployment) -> None:
    browser = deployment.browser()
    tokens = await browser.tokens()
    deployment.clock.turn(1)
    await browser.sign_in(await browser.ask({**attempt_of().query, "prompt": "login"}), "bob")
    assert 400 == (await deployment.refresh(tokens["refresh_token"])).status_code


async def test_the_eleventh_wrong_attempt_for_a_name_is_throttled_and_waiting_helps(
    deployment: Deployment, log: list[Any]
) -> None:
    page = await (browser := deployment.browser()).ask(attempt_of().query)
    for _ in range(10):
        assert 200 == (await browser.sign_in(page, "alice", "wrong")).status_code
    refused = await browser.sign_in(page, "alice")
    assert (429, True) == (refused.status_code, 0 < int(refused.headers["retry-after"]) <= 300)
    assert "Too many attempts. Try again in 5 minutes." in refused.text
    deployment.clock.turn(5 * MINUTE - 1_001)
    assert "Too many attempts. Try again in 2 seconds." in (await browser.sign_in(page, "alice")).text
    deployment.clock.turn(1)
    assert "Too many attempts. Try again in 1 second." in (await browser.sign_in(page, "alice")).text
    assert "sign_in_throttled" == reasons(log)[-1]
    deployment.clock.turn(1_000)
    assert form_with(await browser.sign_in(page), "decision") is not None


async def test_an_unknown_name_is_throttled_alike(deployment: Deployment) -> None:
    page = await (browser := deployment.browser()).ask(attempt_of().query)
    for _ in range(10):
        await browser.sign_in(page, "nobody", "wrong")
    assert 429 == (await browser.sign_in(page, "nobody", "wrong")).status_code
    assert 200 == (await browser.sign_in(page, "alice")).status_code


async def test_right_passwords_do_not_add_up(deployment: Deployment) -> None:
    for _ in range(12):
        browser = deployment.browser()
        page = await browser.sign_in(await browser.ask(attempt_of().query))
        assert form_with(page, "decision") is not None


@pytest.mark.parametrize("deployment", [{"throttle": Throttle(per_address_allowed=6)}], indirect=True, ids=["six"])
async def test_an_address_that_tries_many_names_is_throttled(deployment: Deployment) -> None:
    page = await (browser := deployment.browser(address="198.51.100.9")).ask(attempt_of().query)
    for number in range(6):
        await browser.sign_in(page, f"name{number}", "wrong")
    forged = {"x-forwarded-for": "203.0.113.1"}
    form = form_with(page, "password")
    assert form is not None
    credentials = {"username": "alice", "password": SECRETS.passwords["alice"]}
    answer = await browser.http.post("login", data={**form.fields, **credentials}, headers=forged)
    assert 429 == answer.status_code


@pytest.mark.parametrize("path", ["login", "consent"])
async def test_a_form_sent_by_a_page_of_another_site_or_port_is_refused(
    deployment: Deployment, log: list[Any], path: str
) -> None:
    browser = deployment.browser()
    form = form_with(await browser.ask(attempt_of().query), "password")
    assert form is not None
    for site, status in (("cross-site", 400), ("same-site", 400), ("same-origin", 200), ("none", 200)):
        answer = await browser.http.post(path, data=form.fields, headers={"sec-fetch-site": site})
        assert status == answer.status_code, site
    assert ["form_from_elsewhere"] * 2 == [reason for reason in reasons(log) if reason != "sign_in_wrong"]
