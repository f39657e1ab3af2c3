"""What is sealed or signed opens in one place only: every kind offered everywhere else, in its own workspace and another."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from proofkey.protocol.records import MINUTE
from tests.attempt import form_with, sent_back
from tests.engine import APP, ISSUER, NOTES, RIVAL, Browser, Deployment, attempt_of, credentials, reasons

KINDS = [
    "request",
    "consent ticket",
    "sign-out ticket",
    "code",
    "refresh token",
    "access token",
    "ID token",
    "session cookie",
    "browser cookie",
]
HERE_AND_THERE = [pytest.param(ISSUER, id="same workspace"), pytest.param(RIVAL, id="other workspace")]


async def make_everything(deployment: Deployment, browser: Browser) -> dict[str, str]:
    """One of each thing that travels, all for the same person and client."""
    attempt = attempt_of()
    page = await browser.sign_in(await browser.ask(attempt.query))
    form = form_with(page, "decision")
    assert form is not None
    code = sent_back(await browser.decide(page))["code"]
    tokens = await browser.tokens()
    sign_out = form_with(await browser.http.get("oauth2/logout"), "ticket")
    assert sign_out is not None
    cookies = {name.split("_")[3]: value for name, value in browser.http.cookies.items()}
    return {
        "request": form.fields["request"],
        "consent ticket": form.fields["ticket"],
        "sign-out ticket": sign_out.fields["ticket"],
        "code": code,
        "refresh token": tokens["refresh_token"],
        "access token": tokens["access_token"],
        "ID token": tokens["id_token"],
        "session cookie": cookies["session"],
        "browser cookie": cookies["browser"],
    }


@pytest.mark.parametrize("issuer", HERE_AND_THERE)
async def test_nothing_but_a_code_of_this_workspace_is_a_code(deployment: Deployment, issuer: str) -> None:
    for kind, offered in (await make_everything(deployment, deployment.browser())).items():
        said = (await deployment.token(attempt_of().redemption(offered), issuer)).json()["error_description"]
        opened = (kind, issuer) == ("code", ISSUER)
        assert opened == ("pkce_mismatch" in said), kind
        assert opened or said.endswith(("[code_invalid]", "[parameter_too_long]")), kind


@pytest.mark.parametrize("issuer", HERE_AND_THERE)
async def test_nothing_but_a_refresh_token_of_this_workspace_refreshes(deployment: Deployment, issuer: str) -> None:
    for kind, offered in (await make_everything(deployment, deployment.browser())).items():
        form = {"grant_type": "refresh_token", "refresh_token": offered, "client_id": "spa"}
        expected = 200 if (kind, issuer) == ("refresh token", ISSUER) else 400
        assert expected == (await deployment.token(form, issuer)).status_code, kind


@pytest.mark.parametrize("issuer", HERE_AND_THERE)
async def test_nothing_but_an_access_token_of_this_workspace_is_a_bearer_token(
    deployment: Deployment, issuer: str
) -> None:
    for kind, offered in (await make_everything(deployment, deployment.browser())).items():
        header = {"authorization": f"Bearer {offered}"}
        answer = await deployment.client(issuer=issuer).get("oauth2/userinfo", headers=header)
        assert (200 if (kind, issuer) == ("access token", ISSUER) else 401) == answer.status_code, kind


@pytest.mark.parametrize("issuer", HERE_AND_THERE)
async def test_introspection_knows_its_own_workspace_s_tokens_and_nothing_else(
    deployment: Deployment, issuer: str
) -> None:
    for kind, offered in (await make_everything(deployment, deployment.browser())).items():
        answer = await deployment.post("oauth2/introspect", {"token": offered, **credentials("service")}, issuer)
        assert ((kind, issuer) == ("access token", ISSUER)) == answer.json()["active"], kind


async def test_revocation_in_another_workspace_changes_nothing(deployment: Deployment) -> None:
    found = await make_everything(deployment, deployment.browser())
    for offered in found.values():
        answer = await deployment.post("oauth2/revoke", {"token": offered, "client_id": "spa"}, RIVAL)
        assert (200, b"{}") == (answer.status_code, answer.content)
    assert 200 == (await deployment.userinfo(found["access token"])).status_code
    assert 200 == (await deployment.refresh(found["refresh token"])).status_code


@pytest.mark.parametrize("path", ["login", "consent"])
@pytest.mark.parametrize("issuer", HERE_AND_THERE)
async def test_nothing_but_a_pending_request_of_this_workspace_goes_on(
    deployment: Deployment, log: list[Any], issuer: str, path: str
) -> None:
    browser = deployment.browser()
    found = await make_everything(deployment, browser)
    await browser.http.get(f"{RIVAL}/oauth2/authorize", params=attempt_of().query)  # cookies of both workspaces
    log.clear()
    for kind, offered in found.items():
        form = {"request": offered, "username": "alice", "password": "x"}
        answer = await browser.http.post(f"{issuer}/{path}", data=form)
        goes_on = (kind, issuer) == ("request", ISSUER)
        assert goes_on == (answer.status_code in (200, 303)), kind
    refused = ["request_not_ours"] * (len(KINDS) - (issuer == ISSUER))
    assert refused == [reason for reason in reasons(log) if reason != "sign_in_wrong"]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_other_thing_is_a_ticket(deployment: Deployment, kind: str) -> None:
    browser = deployment.browser()
    found = await make_everything(deployment, browser)
    deployment.clock.turn(1)
    page = await browser.ask({**attempt_of().query, "prompt": "consent"})
    again = await browser.submit(page, "decision", decision="allow", ticket=found[kind])
    assert form_with(again, "decision") is not None  # even the ticket of another request is none for this one
    answer = await browser.http.post("oauth2/logout", data={"decision": "sign_out", "ticket": found[kind]})
    assert (kind == "sign-out ticket") == ("Signed out" in answer.text or "signed out" in answer.text)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ID token"])
async def test_nothing_but_an_id_token_is_a_hint(deployment: Deployment, kind: str) -> None:
    browser = deployment.browser()
    found = await make_everything(deployment, browser)
    for hint, asks in ((found[kind], True), (found["ID token"], False)):
        answer = await browser.http.get("oauth2/logout", params={"id_token_hint": hint})
        assert asks == (form_with(answer, "ticket") is not None)


@pytest.mark.parametrize("kind", ["session cookie", "browser cookie"])
async def test_a_cookie_of_one_workspace_is_nobody_in_another(deployment: Deployment, kind: str) -> None:
    browser = deployment.browser()
    await make_everything(deployment, browser)
    rival = deployment.browser(RIVAL)
    await rival.ask(attempt_of().query)
    [name] = [name for name in rival.http.cookies if "browser" in name]
    ours = dict(browser.http.cookies.items())
    for value in ours.values():
        rival.http.cookies.set(name.replace("browser", kind.split()[0]), value, domain="login.example")
    got = sent_back(await rival.ask({**attempt_of().query, "prompt": "none"}))
    assert "login_required" == got["error"]


@pytest.mark.parametrize("kind", ["request", "consent ticket", "code", "refresh token"])
async def test_no_altered_character_goes_unnoticed(deployment: Deployment, log: list[Any], kind: str) -> None:
    browser = deployment.browser()
    text = (await make_everything(deployment, browser))[kind]
    step = max(1, len(text) // 40)
    altered = [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(0, len(text), step)]
    for sent in [*altered, text[:-1], text[1:], text + "A", text + "=", f" {text}", text.lower()]:
        if kind == "code":
            answer = await deployment.token(attempt_of().redemption(sent))
        elif kind == "refresh token":
            answer = await deployment.refresh(sent)
        elif kind == "request":
            answer = await browser.http.post("login", data={"request": sent})
        else:
            answer = await browser.http.post("oauth2/logout", data={"decision": "sign_out", "ticket": sent})
            assert form_with(answer, "ticket") is not None
            continue
        assert 400 == answer.status_code
    assert {"code_not_ours", "refresh_not_ours", "request_not_ours"} >= set(reasons(log))


# --- the browser that began ----------------------------------------------------------------------------------------


async def pending(browser: Browser, **params: str) -> tuple[httpx2.Response, str]:
    page = await browser.ask({**attempt_of().query, **params})
    form = form_with(page, "password")
    assert form is not None
    return page, form.fields["request"]


async def test_a_sign_in_begun_in_one_browser_cannot_be_finished_in_another(
    deployment: Deployment, log: list[Any]
) -> None:
    attacker, victim = deployment.browser(), deployment.browser()
    _, request = await pending(attacker)
    form = {"request": request, "username": "alice", "password": "x"}
    for path in ("login", "consent"):
        answer = await victim.http.post(path, data=form)
        assert (400, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
        assert "begun in another browser" in answer.text
    await pending(victim)
    assert 400 == (await victim.http.post("login", data=form)).status_code
    assert ["request_of_another_browser"] * 3 == reasons(log)


async def test_a_pending_request_lives_for_half_an_hour(deployment: Deployment, log: list[Any]) -> None:
    browser = deployment.browser()
    page, _ = await pending(browser)
    deployment.clock.turn(30 * MINUTE - 1)
    assert form_with(await browser.sign_in(page), "decision") is not None
    deployment.clock.turn(1)
    assert 400 == (await browser.sign_in(page)).status_code
    assert ["request_expired"] == reasons(log)


async def test_two_tabs_of_one_browser_do_not_disturb_each_other(deployment: Deployment) -> None:
    browser = deployment.browser()
    first, second = attempt_of(), attempt_of("web")
    one, two = await browser.ask(first.query), await browser.ask(second.query)
    got_two = sent_back(await browser.decide(await browser.sign_in(two)))
    got_one = sent_back(await browser.decide(await browser.sign_in(one)))
    assert (first.state, second.state) == (got_one["state"], got_two["state"])
    assert 200 == (await deployment.redeem(first, got_one["code"])).status_code
    assert 200 == (await deployment.redeem(second, got_two["code"])).status_code


async def test_a_request_whose_client_was_disabled_meanwhile_goes_nowhere(
    deployment: Deployment, log: list[Any]
) -> None:
    browser = deployment.browser()
    page, _ = await pending(browser)
    await deployment.store.disable_client("demo/main", "spa", deployment.clock())
    deployment.clock.turn(11_000)
    assert 400 == (await browser.sign_in(page)).status_code
    assert ["request_client_gone"] == reasons(log)


async def test_parameters_sent_beside_a_pending_request_change_nothing(deployment: Deployment) -> None:
    browser, attempt = deployment.browser(), attempt_of(scope="openid")
    page = await browser.ask(attempt.query)
    more = {
        "scope": "openid notes:write",
        "redirect_uri": f"{APP}/",
        "client_id": "both",
        "state": "other",
        "resource": NOTES,
    }
    page = await browser.submit(page, "password", username="alice", password="wrong", **more)
    page = await browser.sign_in(page)
    answer = await browser.submit(page, "decision", decision="allow", **more)
    assert answer.headers["location"].startswith(f"{attempt.redirect_uri}?")
    assert attempt.state == sent_back(answer)["state"]
    assert "openid" == (await deployment.redeem(attempt, sent_back(answer)["code"])).json()["scope"]
