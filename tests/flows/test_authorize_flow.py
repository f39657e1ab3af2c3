"""Authorization requests: what is answered at the redirect URI, how, and what the person is asked on the way."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import jwt
import pytest

from proofkey.protocol.records import HOUR, MINUTE, SECOND
from tests.attempt import form_with, sent_back
from tests.engine import APP, BILLS, ISSUER, NOTES, Browser, Deployment, attempt_of, credentials, reasons

STATES = [
    "plain",
    "with spaces and + plus",
    "\"quotes\" and 'apostrophes' <b>&amp;</b>",
    "a=b&c=d#e?f%20g%%",
    "ümläut ☃ \U0001f511 \u202e rtl",
    "x" * 200,
    "é" * 1_000,
    "colons:and/slashes==",
    "-._~!$()*,;@[]{}|^`\\",
]


async def refusal_of(deployment: Deployment, client_id: str = "spa", **changed: Any) -> dict[str, str]:
    """The error a client gets at its redirect URI."""
    query = {**attempt_of(client_id).query, **changed}
    return sent_back(await deployment.browser().ask({name: v for name, v in query.items() if v is not None}))


def is_login(page: Any) -> bool:
    return page.status_code == 200 and form_with(page, "password") is not None


def is_consent(page: Any) -> bool:
    return page.status_code == 200 and form_with(page, "decision") is not None


def claims_of(tokens: dict[str, Any]) -> dict[str, Any]:
    return jwt.decode(tokens["id_token"], options={"verify_signature": False})


# --- answers -------------------------------------------------------------------------------------------------------


async def test_an_answer_carries_code_state_and_issuer_and_nothing_else(deployment: Deployment) -> None:
    attempt = attempt_of()
    answer = await deployment.browser().go_through(attempt.query)
    assert answer.headers["location"].startswith(f"{attempt.redirect_uri}?code=")
    assert ("no-store", "no-referrer") == (answer.headers["cache-control"], answer.headers["referrer-policy"])
    got = sent_back(answer)
    assert {"code", "state", "iss"} == set(got)
    assert (attempt.state, ISSUER) == (got["state"], got["iss"])


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("response_mode", ["query", "fragment", "form_post"])
async def test_state_comes_back_exactly(deployment: Deployment, state: str, response_mode: str) -> None:
    query = {**attempt_of().query, "state": state, "response_mode": response_mode, "prompt": "none"}
    encoded = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    answer = await deployment.browser().ask(encoded)
    if response_mode == "form_post":
        form = form_with(answer, "error")
        assert form is not None
        assert (state, "login_required", ISSUER) == (form.fields["state"], form.fields["error"], form.fields["iss"])
        return
    parts = urlsplit(answer.headers["location"])
    part = parts.query if response_mode == "query" else parts.fragment
    got = dict(parse_qsl(part, strict_parsing=True))
    assert (state, "login_required", ISSUER) == (got["state"], got["error"], got["iss"])


async def test_a_long_state_travels_by_post_through_sign_in_and_comes_back_exactly(deployment: Deployment) -> None:
    browser, attempt = deployment.browser(), attempt_of()
    await browser.ask(attempt.query)
    state = "\U0001f511" * 2048
    page = await browser.http.post("oauth2/authorize", data={**attempt.query, "state": state, "login_hint": "é" * 320})
    page = await browser.decide(await browser.sign_in(page))
    assert state == sent_back(page)["state"]


async def test_no_state_sent_is_no_state_returned(deployment: Deployment) -> None:
    query = {name: value for name, value in attempt_of().query.items() if name != "state"}
    assert "state" not in sent_back(await deployment.browser().go_through(query))


async def test_form_post_may_run_the_one_script_that_submits_it(deployment: Deployment) -> None:
    attempt = attempt_of()
    page = await deployment.browser().go_through({**attempt.query, "response_mode": "form_post"})
    form = form_with(page, "code")
    assert form is not None
    assert attempt.redirect_uri == form.action
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert f"form-action 'self' {APP}" in policy
    scripts = re.findall(r'<script src="([^"]+)"', page.text)
    assert 1 == len(scripts)
    assert 200 == (await deployment.client().get(f"https://login.example{scripts[0]}")).status_code
    assert 200 == (await deployment.redeem(attempt, form.fields["code"])).status_code


async def test_fragment_carries_everything_behind_the_hash(deployment: Deployment) -> None:
    answer = await deployment.browser().go_through({**attempt_of().query, "response_mode": "fragment"})
    parts = urlsplit(answer.headers["location"])
    assert "" == parts.query
    assert {"code", "state", "iss"} == set(dict(parse_qsl(parts.fragment)))


@pytest.mark.parametrize(
    ("changed", "error", "slug"),
    [
        ({"response_type": None}, "invalid_request", "response_type_missing"),
        ({"response_type": "token"}, "unsupported_response_type", "response_type_not_code"),
        ({"response_type": "code id_token"}, "unsupported_response_type", "response_type_not_code"),
        ({"response_mode": "web_message"}, "invalid_request", "response_mode_unknown"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request", "pkce_required"),
        ({"code_challenge": None}, "invalid_request", "pkce_challenge_missing"),
        ({"code_challenge_method": None}, "invalid_request", "pkce_method_missing"),
        ({"code_challenge_method": "plain"}, "invalid_request", "pkce_method_not_s256"),
        ({"code_challenge_method": "s256"}, "invalid_request", "pkce_method_not_s256"),
        ({"code_challenge": "short"}, "invalid_request", "pkce_challenge_malformed"),
        ({"code_challenge": "A" * 43 + "="}, "invalid_request", "pkce_challenge_malformed"),
        ({"scope": "openid bills:read"}, "invalid_scope", "scope_not_allowed"),
        ({"scope": "openid  email"}, "invalid_scope", "scope_malformed"),
        ({"resource": "https://nobody.example"}, "invalid_target", "resource_unknown"),
        ({"resource": BILLS}, "invalid_target", "resource_unknown"),
        ({"audience": NOTES, "resource": f"{NOTES}/"}, "invalid_target", "audience_differs"),
        ({"prompt": "none login"}, "invalid_request", "prompt_none_not_alone"),
        ({"max_age": "-1"}, "invalid_request", "max_age_malformed"),
        ({"max_age": "1e9"}, "invalid_request", "max_age_malformed"),
        ({"claims": "{"}, "invalid_request", "claims_not_json"),
        ({"claims": "[]"}, "invalid_request", "claims_malformed"),
        ({"request": "e30.e30."}, "request_not_supported", "request_object_not_supported"),
        ({"request_uri": "urn:x"}, "request_uri_not_supported", "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported", "registration_not_supported"),
        ({"nonce": "n" * 513}, "invalid_request", "parameter_too_long"),
        ({"nonce": "n\n"}, "invalid_request", "parameter_control_character"),
        (
            {"claims": '{"id_token":{"acr":{"essential":true,"value":"gold"}}}'},
            "unmet_authentication_requirements",
            "acr_not_available",
        ),
        ({"prompt": "none"}, "login_required", "login_required"),
    ],
)
async def test_what_is_wrong_after_the_address_is_proven_is_answered_there(
    deployment: Deployment, log: list[Any], changed: dict[str, Any], error: str, slug: str
) -> None:
    got = await refusal_of(deployment, **changed)
    assert {"error", "error_description", "state", "iss"} == set(got)
    assert (error, ISSUER) == (got["error"], got["iss"])
    assert got["error_description"].endswith(f"[{slug}]")
    assert [slug] == reasons(log)


@pytest.mark.parametrize("mode", ["query", "fragment"])
async def test_a_state_sent_twice_is_an_error_without_a_state(deployment: Deployment, mode: str) -> None:
    query = "&".join(f"{name}={quote(value)}" for name, value in attempt_of().query.items())
    answer = await deployment.browser().ask(f"{query}&state=second&response_mode={mode}")
    got = dict(parse_qsl(getattr(urlsplit(answer.headers["location"]), mode)))
    assert ("invalid_request", None) == (got["error"], got.get("state"))
    assert "Sent more than once: state [parameter_repeated]" == got["error_description"]


async def test_unknown_parameters_are_ignored_whatever_they_hold(deployment: Deployment) -> None:
    query = "&".join(f"{name}={quote(value)}" for name, value in attempt_of().query.items())
    for more in ("dpop_jkt=%ff%fe&dpop_jkt=2", "auth0Client=%00&%ff=%ff", "code=x&error=y&iss=z", "=&&&="):
        assert is_login(await deployment.browser().ask(f"{query}&{more}"))


async def test_an_exempt_confidential_client_may_use_a_nonce_in_place_of_pkce(deployment: Deployment) -> None:
    attempt = attempt_of("old")
    query = {name: v for name, v in attempt.query.items() if not name.startswith("code_challenge")}
    code = sent_back(await deployment.browser().go_through(query))["code"]
    form = {**attempt.redemption(code), "client_secret": "x"}
    refused = await deployment.redeem(attempt, code)  # a verifier without a challenge is an error
    assert "pkce_unexpected" in refused.json()["error_description"]
    del form["code_verifier"]
    assert 200 == (await deployment.token({**form, **credentials("old")})).status_code
    del query["nonce"]
    assert "pkce_required" in sent_back(await deployment.browser().ask(query))["error_description"]


async def test_an_exempt_client_that_sends_a_challenge_is_held_to_it(deployment: Deployment) -> None:
    attempt = attempt_of("old")
    code = await deployment.browser().code(attempt)
    attempt.code_verifier = "A" * 43
    assert "pkce_mismatch" in (await deployment.redeem(attempt, code)).json()["error_description"]


# --- who is asked what ---------------------------------------------------------------------------------------------


async def test_the_second_time_nobody_is_asked(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    for more in ({}, {"prompt": "none"}, {"scope": "openid email"}):
        assert "code" in sent_back(await browser.ask({**attempt_of().query, **more}))


async def test_more_scope_is_asked_again_and_then_remembered_together(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens(scope="openid notes:read")
    page = await browser.ask(attempt_of(scope="openid email").query)
    assert is_consent(page)
    await browser.decide(page)
    assert "code" in sent_back(
        await browser.ask({**attempt_of(scope="openid email notes:read").query, "prompt": "none"})
    )


@pytest.mark.parametrize(
    "redirect_uri", ["http://127.0.0.1:49152/callback", "http://[::1]:1/callback", "com.example.demo:/callback"]
)
async def test_a_native_client_is_asked_every_time_and_never_silently(
    deployment: Deployment, redirect_uri: str
) -> None:
    browser, attempt = deployment.browser(), attempt_of("native")
    attempt.redirect_uri = redirect_uri
    code = await browser.code(attempt)
    assert 200 == (await deployment.redeem(attempt, code)).status_code
    assert is_consent(await browser.ask(attempt.query))
    assert "consent_required" == sent_back(await browser.ask({**attempt.query, "prompt": "none"}))["error"]


async def test_a_trusted_client_is_not_asked_about(deployment: Deployment) -> None:
    browser = deployment.browser()
    page = await browser.sign_in(await browser.ask(attempt_of("trusted").query))
    assert "code" in sent_back(page)


async def test_a_confidential_client_s_consent_is_remembered(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens("web")
    assert "code" in sent_back(await browser.ask({**attempt_of("web").query, "prompt": "none"}))
    assert is_consent(await browser.ask(attempt_of("rs").query))


async def test_denying_tells_the_client_and_remembers_nothing(deployment: Deployment, log: list[Any]) -> None:
    browser, attempt = deployment.browser(), attempt_of()
    got = sent_back(await browser.go_through(attempt.query, decision="deny"))
    assert ("access_denied", attempt.state, ISSUER) == (got["error"], got["state"], got["iss"])
    assert ["consent_denied"] == reasons(log)
    assert is_consent(await browser.ask(attempt.query))


async def test_prompt_consent_asks_again_and_once(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    page = await browser.ask({**attempt_of().query, "prompt": "consent"})
    assert is_consent(page)
    assert "code" in sent_back(await browser.decide(page))


async def test_prompt_login_asks_again_and_moves_auth_time(deployment: Deployment) -> None:
    browser = deployment.browser()
    before = claims_of(await browser.tokens())
    deployment.clock.turn(5 * SECOND)
    attempt = attempt_of()
    page = await browser.ask({**attempt.query, "prompt": "login"})
    assert is_login(page)
    code = sent_back(await browser.sign_in(page))["code"]
    after = claims_of((await deployment.redeem(attempt, code)).json())
    assert (before["auth_time"] + 5, before["sid"]) == (after["auth_time"], after["sid"])


async def test_prompt_login_is_not_met_by_the_session_that_was_there(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    deployment.clock.turn(1)
    page = await browser.ask({**attempt_of().query, "prompt": "login"})
    form = form_with(page, "password")
    assert form is not None
    again = await browser.http.post("consent", data={"request": form.fields["request"], "decision": "allow"})
    assert is_login(again)
    again = await browser.http.post("login", data={"request": form.fields["request"], "account": "continue"})
    assert is_login(again)


async def test_select_account_lets_the_person_go_on_or_change(deployment: Deployment) -> None:
    browser = deployment.browser()
    alice = claims_of(await browser.tokens())
    deployment.clock.turn(1)
    attempt = attempt_of()
    page = await browser.ask({**attempt.query, "prompt": "select_account"})
    assert "Continue as" in page.text
    assert "Alice Adler" in page.text
    chosen = await browser.submit(page, "account")
    answer = await deployment.redeem(attempt, sent_back(chosen)["code"])
    assert alice["sub"] == claims_of(answer.json())["sub"]
    page = await browser.ask({**attempt.query, "prompt": "select_account"})
    page = await browser.decide(await browser.sign_in(page, "bob"))
    answer = await deployment.redeem(attempt, sent_back(page)["code"])
    assert alice["sub"] != claims_of(answer.json())["sub"]


async def test_a_choice_for_one_request_is_none_for_another(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    deployment.clock.turn(1)
    query = {**attempt_of().query, "prompt": "select_account"}
    await browser.submit(await browser.ask(query), "account")
    assert "Continue as" in (await browser.ask(query)).text


@pytest.mark.parametrize(
    ("max_age", "after", "asked"), [("60", MINUTE, False), ("60", MINUTE + 1, True), ("0", 1, True)]
)
async def test_max_age_bounds_the_age_of_the_sign_in(
    deployment: Deployment, max_age: str, after: int, asked: bool
) -> None:
    browser, attempt = deployment.browser(), attempt_of()
    await browser.tokens()
    deployment.clock.turn(after)
    page = await browser.ask({**attempt.query, "max_age": max_age})
    assert asked == is_login(page)
    silent = sent_back(await browser.ask({**attempt.query, "max_age": max_age, "prompt": "none"}))
    assert asked == (silent.get("error") == "login_required")
    if asked:
        assert "code" in sent_back(await browser.sign_in(page))


async def test_an_id_token_hint_selects_and_never_authenticates(deployment: Deployment) -> None:
    browser = deployment.browser()
    alice = await browser.tokens()
    bob = await deployment.browser().tokens(username="bob")
    deployment.clock.turn(HOUR)  # expired hints still select

    async def silently(hint: str, who: Browser) -> dict[str, str]:
        return sent_back(await who.ask({**attempt_of().query, "prompt": "none", "id_token_hint": hint}))

    assert "code" in await silently(alice["id_token"], browser)
    assert "login_required" == (await silently(bob["id_token"], browser))["error"]
    assert "login_required" == (await silently(alice["id_token"], deployment.browser()))["error"]
    page = await browser.ask({**attempt_of().query, "id_token_hint": bob["id_token"]})
    assert is_login(page)
    still = await browser.sign_in(page, "alice")
    assert "another account" in still.text


async def test_a_hint_of_another_client_or_no_id_token_names_nobody(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    bob = await deployment.browser().tokens("web", username="bob")
    for hint in (bob["id_token"], bob["access_token"], bob["id_token"][:-6] + "AAAAAA", "x"):
        got = sent_back(await browser.ask({**attempt_of().query, "prompt": "none", "id_token_hint": hint}))
        assert "code" in got


async def test_claims_asked_for_one_by_one_are_given_where_they_were_asked_for(deployment: Deployment) -> None:
    asked = json.dumps({"userinfo": {"locale": None}, "id_token": {"zoneinfo": {"essential": True}, "iss": None}})
    attempt, browser = attempt_of(scope="openid"), deployment.browser()
    page = await browser.sign_in(await browser.ask({**attempt.query, "claims": asked}))
    assert "See your zoneinfo" in page.text
    tokens = (await deployment.redeem(attempt, sent_back(await browser.decide(page))["code"])).json()
    claims, info = claims_of(tokens), (await deployment.userinfo(tokens["access_token"])).json()
    assert ("Europe/London", None) == (claims.get("zoneinfo"), claims.get("locale"))
    assert {"sub": claims["sub"], "locale": "en-GB"} == info


async def test_the_claims_parameter_may_demand_a_person(deployment: Deployment) -> None:
    browser = deployment.browser()
    alice = claims_of(await browser.tokens())["sub"]
    for sub, error in ((alice, None), ("somebody-else", "login_required")):
        asked = json.dumps({"id_token": {"sub": {"value": sub}}})
        got = sent_back(await browser.ask({**attempt_of().query, "prompt": "none", "claims": asked}))
        assert error == got.get("error")


async def test_acr_values_are_a_wish_and_acr_says_what_was_done(deployment: Deployment) -> None:
    tokens = await deployment.sign_in(acr_values="gold urn:mace:silver", ui_locales="de fr", display="popup")
    assert "urn:proofkey:acr:password" == claims_of(tokens)["acr"]


async def test_login_hint_stands_in_the_field_and_nowhere_else(deployment: Deployment) -> None:
    page = await deployment.browser().ask({**attempt_of().query, "login_hint": '"><script>x</script>'})
    assert "<script>x" not in page.text
    assert html.escape('"><script>x</script>') in page.text.replace("&#34;", "&quot;")


async def test_no_scope_means_the_default_scope(deployment: Deployment) -> None:
    attempt = attempt_of()
    query = {name: value for name, value in attempt.query.items() if name not in ("scope", "nonce")}
    tokens = (await deployment.redeem(attempt, sent_back(await deployment.browser().go_through(query))["code"])).json()
    assert "notes:read" == tokens["scope"]
    assert "id_token" not in tokens


async def test_resource_and_its_older_name_end_up_in_aud_byte_for_byte(deployment: Deployment) -> None:
    for name in ("resource", "audience"):
        tokens = await deployment.sign_in("both", scope="openid bills:read", **{name: BILLS})
        claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
        assert BILLS == claims["aud"]


async def test_asking_by_post_is_asking(deployment: Deployment) -> None:
    browser, attempt = deployment.browser(), attempt_of()
    first = await browser.http.post("oauth2/authorize", data=attempt.query)
    assert 303 == first.status_code
    assert first.headers["location"].startswith(f"{ISSUER}/oauth2/authorize?")
    assert is_login(await browser.http.get(first.headers["location"]))
    assert is_login(await browser.http.post("authorize", data=attempt.query))


async def test_the_second_name_of_the_endpoint_answers_alike(deployment: Deployment) -> None:
    assert is_login(await deployment.browser().http.get("authorize", params=attempt_of().query))


async def test_a_choice_is_of_the_account_that_was_shown(deployment: Deployment) -> None:
    browser, attempt = deployment.browser(), attempt_of()
    await browser.tokens()
    deployment.clock.turn(1)
    page = await browser.ask({**attempt.query, "prompt": "select_account"})
    assert "Alice Adler" in page.text
    await browser.sign_in(await browser.ask({**attempt.query, "prompt": "login"}), "bob")
    deployment.clock.turn(1)
    fresh = await browser.ask({**attempt.query, "prompt": "select_account"})
    stale = form_with(page, "account")
    assert stale is not None
    again = await browser.submit(fresh, "account", ticket=stale.fields["ticket"])
    assert "Bob Brandt" in again.text
    assert is_login(again)


async def test_a_redirect_uri_taken_from_the_client_meanwhile_is_not_redirected_to(
    deployment: Deployment, log: list[Any]
) -> None:
    browser = deployment.browser()
    page = await browser.ask(attempt_of().query)
    client = await deployment.store.find_client("demo/main", "spa")
    assert client is not None
    fewer = replace(client, redirect_uris=(f"{APP}/",))
    await deployment.store.keep_client("demo/main", fewer, deployment.clock())
    deployment.clock.turn(11_000)
    answer = await browser.sign_in(page)
    assert (400, ["redirect_uri_mismatch"]) == (answer.status_code, reasons(log))


async def test_time_spent_at_the_page_does_not_make_an_old_sign_in_young(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens(scope="openid notes:read")
    deployment.clock.turn(1)
    page = await browser.ask({**attempt_of(scope="openid email").query, "max_age": "60"})
    assert is_consent(page)
    deployment.clock.turn(2 * MINUTE)
    assert is_login(await browser.decide(page))


async def test_a_client_without_a_default_scope_must_say_what_it_wants(deployment: Deployment, log: list[Any]) -> None:
    query = {name: value for name, value in attempt_of("plain").query.items() if name != "scope"}
    got = sent_back(await deployment.browser().ask(query))
    assert ("invalid_scope", ["scope_required"]) == (got["error"], reasons(log))
