"""The token endpoint: status, headers and body of every answer, and the reason behind every refusal."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import httpx2
import jwt
import pytest

from proofkey.server.http.responses import STATUS
from tests.attempt import ALL_SCOPES, Attempt
from tests.engine import (
    BILLS,
    CLIENT_SECRET,
    ISSUER,
    NOON,
    NOTES,
    SECRETS,
    Deployment,
    attempt_of,
    credentials,
    reasons,
)


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def is_refused(answer: httpx2.Response, error: str, slug: str, status: int | None = None) -> dict[str, str]:
    """Hold *answer* against the shape every refusal has."""
    body: dict[str, str] = answer.json()
    assert {"error", "error_description"} == set(body)
    assert error == body["error"]
    assert body["error_description"].endswith(f"[{slug}]"), body
    assert (status or STATUS.get(error, 400)) == answer.status_code
    assert "no-store" == answer.headers["cache-control"]
    assert "application/json" == answer.headers["content-type"]
    return body


async def code_of(deployment: Deployment, client_id: str = "spa", **params: str) -> tuple[Attempt, str]:
    attempt = attempt_of(client_id)
    return attempt, await deployment.browser().code(attempt, **params)


async def test_a_code_is_answered_with_tokens(deployment: Deployment) -> None:
    attempt, code = await code_of(deployment)
    answer = await deployment.redeem(attempt, code)
    assert 200 == answer.status_code
    assert "application/json" == answer.headers["content-type"]
    assert "no-store" == answer.headers["cache-control"]
    body = answer.json()
    assert {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"} == set(body)
    assert ("Bearer", 300) == (body["token_type"], body["expires_in"])
    assert set(ALL_SCOPES.split()) == set(body["scope"].split())


async def test_the_tokens_verify_with_a_library_of_their_own(deployment: Deployment) -> None:
    attempt, code = await code_of(deployment)
    tokens = (await deployment.redeem(attempt, code)).json()
    keys = jwt.PyJWKSet.from_dict((await deployment.client().get(".well-known/jwks.json")).json())
    header = jwt.get_unverified_header(tokens["id_token"])
    options: Any = {"verify_exp": False, "verify_iat": False}
    key = next(key for key in keys.keys if key.key_id == header["kid"])
    id_token = jwt.decode(tokens["id_token"], key, ["ES256"], audience="spa", issuer=ISSUER, options=options)
    access = jwt.decode(tokens["access_token"], key, ["ES256"], audience=NOTES, issuer=ISSUER, options=options)
    assert (attempt.nonce, id_token["sub"]) == (id_token["nonce"], access["sub"])
    assert {"alg": "ES256", "kid": key.key_id, "typ": "at+jwt"} == jwt.get_unverified_header(tokens["access_token"])
    assert ("alice@demo.example", True, "Alice Adler") == tuple(
        id_token[name] for name in ("email", "email_verified", "name")
    )
    assert NOON // 1000 == id_token["iat"] == id_token["auth_time"]
    assert ["pwd"] == id_token["amr"]


async def test_a_client_that_registered_rs256_gets_its_id_token_so(deployment: Deployment) -> None:
    tokens = await deployment.sign_in("rs")
    assert "RS256" == jwt.get_unverified_header(tokens["id_token"])["alg"]
    assert "ES256" == jwt.get_unverified_header(tokens["access_token"])["alg"]


async def test_the_second_name_of_the_endpoint_answers_alike(deployment: Deployment) -> None:
    attempt, code = await code_of(deployment)
    assert 200 == (await deployment.post("oauth/token", attempt.redemption(code))).status_code


# --- who calls -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["header", "header, percent-encoded", "body", "header and client_id in the body"])
async def test_a_confidential_client_proves_itself_in_the_header_or_in_the_body(
    deployment: Deployment, how: str
) -> None:
    secret = SECRETS.client_secrets["service"]
    form = {"grant_type": "client_credentials"}
    headers = {"authorization": basic("service", secret)}
    if how == "header, percent-encoded":
        headers = {"authorization": basic("%73ervice", quote(secret[:-1]) + f"%{ord(secret[-1]):02x}")}
    elif how == "body":
        headers, form = {}, {**form, **credentials("service")}
    elif how == "header and client_id in the body":
        form["client_id"] = "service"
    answer = await deployment.token(form, **headers)
    assert 200 == answer.status_code, answer.text


@pytest.mark.parametrize("how", ["id in the body", "header with an empty secret", "empty secret in the body"])
async def test_a_public_client_sends_its_id_alone(deployment: Deployment, how: str) -> None:
    attempt, code = await code_of(deployment)
    form, headers = attempt.redemption(code), {}
    if how == "header with an empty secret":
        headers = {"authorization": basic("spa", "")}
        del form["client_id"]
    elif how == "empty secret in the body":
        form["client_secret"] = ""
    assert 200 == (await deployment.token(form, **headers)).status_code


@pytest.mark.parametrize("where", ["body", "header"])
async def test_a_public_client_with_a_secret_is_refused_and_its_code_stays_usable(
    deployment: Deployment, log: list[Any], where: str
) -> None:
    attempt, code = await code_of(deployment)
    form, headers = attempt.redemption(code), {}
    if where == "body":
        form["client_secret"] = "your-client-secret"
    else:
        headers = {"authorization": basic("spa", "your-client-secret")}
    is_refused(await deployment.token(form, **headers), "invalid_client", "client_authentication_failed", 401)
    assert ["public_client_with_secret"] == reasons(log)
    assert 200 == (await deployment.redeem(attempt, code)).status_code


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (basic("service", "wrong-secret-wrong-secret"), "client_secret_wrong"),
        (basic("service", ""), "client_secret_missing"),
        (basic("service", SECRETS.client_secrets["service"] + "%00"), "basic_control_character"),
        (basic("nobody", "x"), "client_unknown"),
        ("Basic " + base64.b64encode(b"no-colon").decode(), "basic_without_id"),
        ("Basic " + base64.b64encode(b":secret").decode(), "basic_without_id"),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), "basic_not_decodable"),
        ("Basic ***", "basic_malformed"),
        ("basic " + "A" * 5000, "basic_malformed"),
        ("Basic A", "basic_not_decodable"),
    ],
)
async def test_failed_client_authentication_looks_alike_whatever_failed(
    deployment: Deployment, log: list[Any], authorization: str, reason: str
) -> None:
    answer = await deployment.token({"grant_type": "client_credentials"}, authorization=authorization)
    body = is_refused(answer, "invalid_client", "client_authentication_failed", 401)
    assert "Client authentication failed [client_authentication_failed]" == body["error_description"]
    assert f'Basic realm="{ISSUER}", charset="UTF-8"' == answer.headers["www-authenticate"]
    assert [reason] == reasons(log)


async def test_two_ways_of_authentication_at_once_are_refused(deployment: Deployment, log: list[Any]) -> None:
    authorization = basic("service", SECRETS.client_secrets["service"])
    form = {"grant_type": "client_credentials", **credentials("service")}
    is_refused(
        await deployment.token(form, authorization=authorization), "invalid_request", "client_authenticated_twice"
    )
    form = {"grant_type": "client_credentials", "client_id": "web"}
    is_refused(await deployment.token(form, authorization=authorization), "invalid_request", "client_id_differs")
    assert ["client_authenticated_twice", "client_id_differs"] == reasons(log)


async def test_an_authorization_header_sent_twice_is_refused(deployment: Deployment) -> None:
    header = basic("service", SECRETS.client_secrets["service"])
    answer = await deployment.client().post(
        "oauth2/token",
        data={"grant_type": "client_credentials"},
        headers=[("authorization", header), ("authorization", header)],
    )
    is_refused(answer, "invalid_request", "credentials_repeated")


async def test_a_request_that_names_no_client_says_so(deployment: Deployment) -> None:
    is_refused(await deployment.token({"grant_type": "refresh_token"}), "invalid_request", "client_id_missing")


# --- what is asked -------------------------------------------------------------------------------------------------


async def test_a_call_that_names_the_code_authorization_code_is_told_what_to_mend_and_the_code_stays_usable(
    deployment: Deployment,
) -> None:
    attempt, code = await code_of(deployment)
    defective = f"authorization_code={code}&code_verifier={attempt.code_verifier}".encode()
    body = is_refused(await deployment.token(defective), "invalid_request", "token_parameters_missing")
    assert (
        "Required but missing: grant_type, code, client_id, redirect_uri [token_parameters_missing]"
        == body["error_description"]
    )
    assert 200 == (await deployment.redeem(attempt, code)).status_code


async def test_a_refresh_without_grant_type_is_told_only_that(deployment: Deployment) -> None:
    body = is_refused(
        await deployment.token({"refresh_token": "x", "client_id": "spa"}),
        "invalid_request",
        "token_parameters_missing",
    )
    assert "Required but missing: grant_type [token_parameters_missing]" == body["error_description"]


@pytest.mark.parametrize(
    ("changed", "error", "slug", "reason"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type", "grant_type_unknown", "grant_type_unknown"),
        ({"grant_type": "client_credentials"}, "unauthorized_client", "grant_type_not_allowed", None),
        ({"code": None}, "invalid_request", "code_missing", None),
        ({"code": "x"}, "invalid_grant", "code_invalid", "code_not_ours"),
        ({"code": "x" * 3000}, "invalid_request", "parameter_too_long", None),
        ({"redirect_uri": None}, "invalid_request", "redirect_uri_missing", None),
        ({"redirect_uri": "https://app.example/"}, "invalid_grant", "redirect_uri_differs", None),
        ({"redirect_uri": "https://app.example/Callback"}, "invalid_grant", "redirect_uri_differs", None),
        ({"code_verifier": None}, "invalid_grant", "pkce_verifier_missing", None),
        ({"code_verifier": "different-verifier"}, "invalid_grant", "pkce_verifier_malformed", None),
        ({"code_verifier": "A" * 43}, "invalid_grant", "pkce_mismatch", None),
        ({"client_id": "both"}, "invalid_grant", "code_invalid", "code_of_another_client"),
        ({"client_id": "nobody"}, "invalid_client", "client_authentication_failed", "client_unknown"),
        ({"resource": BILLS}, "invalid_target", "resource_not_granted", None),
        ({"resource": NOTES, "audience": BILLS}, "invalid_target", "audience_differs", None),
        ({"resource": [NOTES, BILLS]}, "invalid_target", "resource_repeated", None),
        ({"code_verifier": ["a", "a"]}, "invalid_request", "parameter_repeated", None),
        ({"client_id": ["spa", "both"]}, "invalid_request", "parameter_repeated", None),
        ({"code": "a\r\nb"}, "invalid_request", "parameter_control_character", None),
    ],
)
async def test_a_refused_redemption_says_what_to_mend_and_spends_nothing(
    deployment: Deployment, log: list[Any], changed: dict[str, Any], error: str, slug: str, reason: str | None
) -> None:
    attempt, code = await code_of(deployment)
    form = {name: value for name, value in {**attempt.redemption(code), **changed}.items() if value is not None}
    is_refused(await deployment.token(form), error, slug)
    assert [reason or slug] == reasons(log)
    assert 200 == (await deployment.redeem(attempt, code)).status_code


async def test_a_value_that_is_not_utf_8_is_refused(deployment: Deployment) -> None:
    answer = await deployment.token(b"grant_type=authorization_code&client_id=spa&code=%ff%fe")
    body = is_refused(answer, "invalid_request", "parameter_not_utf8")
    assert "Must be UTF-8: code [parameter_not_utf8]" == body["error_description"]


async def test_unknown_parameters_are_ignored_whatever_they_hold(deployment: Deployment) -> None:
    attempt, code = await code_of(deployment)
    known = "&".join(f"{name}={quote(value)}" for name, value in attempt.redemption(code).items())
    unknown = (
        b"&response_type=code&x=%ff%fe&x=%00&x=1&%ff=1&auth0Client=a&auth0Client=b&=&&access_type=offline&\xff=\xfe"
    )
    assert 200 == (await deployment.token(known.encode() + unknown)).status_code


async def test_too_many_parameters_are_refused(deployment: Deployment) -> None:
    is_refused(await deployment.token(b"a=1&" * 300), "invalid_request", "too_many_parameters")


async def test_the_near_miss_is_for_the_log_and_never_for_the_caller(deployment: Deployment, log: list[Any]) -> None:
    attempt, code = await code_of(deployment)
    challenge = attempt.query["code_challenge"]
    answer = await deployment.token({**attempt.redemption(code), "code_verifier": challenge})
    assert "code_verifier does not match the code_challenge [pkce_mismatch]" == answer.json()["error_description"]
    assert "the challenge was sent as the verifier" in log[-1]["detail"]


# --- refresh -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error", "slug", "reason"),
    [
        ({"refresh_token": None}, "invalid_request", "refresh_token_missing", None),
        ({"refresh_token": "x"}, "invalid_grant", "refresh_invalid", "refresh_not_ours"),
        ({"scope": "openid bills:read"}, "invalid_scope", "scope_beyond_grant", None),
        ({"scope": "a  b"}, "invalid_scope", "scope_malformed", None),
        ({"resource": BILLS}, "invalid_target", "resource_not_granted", None),
        ({"client_id": "both"}, "invalid_grant", "refresh_invalid", "refresh_of_another_client"),
        ({"client_id": "plain"}, "unauthorized_client", "grant_type_not_allowed", None),
    ],
)
async def test_a_refused_refresh_says_what_to_mend_and_touches_nothing(
    deployment: Deployment, log: list[Any], changed: dict[str, Any], error: str, slug: str, reason: str | None
) -> None:
    tokens = await deployment.sign_in()
    sent = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "spa", **changed}
    form = {name: value for name, value in sent.items() if value is not None}
    is_refused(await deployment.token(form), error, slug)
    assert [reason or slug] == reasons(log)
    assert 200 == (await deployment.refresh(tokens["refresh_token"])).status_code


async def test_a_refresh_answers_with_a_new_id_token_without_nonce(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    deployment.clock.turn(60_000)
    answer = (await deployment.refresh(tokens["refresh_token"])).json()
    options: Any = {"verify_signature": False}
    before, after = (jwt.decode(found["id_token"], options=options) for found in (tokens, answer))
    assert "nonce" not in after
    assert (before["auth_time"], before["sid"], before["sub"]) == (after["auth_time"], after["sid"], after["sub"])
    assert before["iat"] + 60 == after["iat"]


async def test_a_refresh_may_repeat_the_scope_of_the_authorization_request(deployment: Deployment) -> None:
    scope = "openid offline_access notes:read"
    tokens = await deployment.browser().tokens(scope=scope)
    answer = await deployment.refresh(tokens["refresh_token"], scope=scope)
    assert (200, set(scope.split())) == (answer.status_code, set(answer.json()["scope"].split()))


async def test_confidential_clients_keep_one_refresh_token_unless_set_otherwise(deployment: Deployment) -> None:
    for client_id, rotates in (("web", False), ("rotating", True), ("spa", True), ("native", True)):
        tokens = await deployment.sign_in(client_id)
        answer = await deployment.refresh(tokens["refresh_token"], client_id)
        assert rotates == (answer.json()["refresh_token"] != tokens["refresh_token"]), client_id


# --- client_credentials --------------------------------------------------------------------------------------------


async def test_a_service_gets_a_token_that_names_no_person(deployment: Deployment) -> None:
    answer = await deployment.token({"grant_type": "client_credentials", **credentials("service")})
    body = answer.json()
    assert {"access_token", "token_type", "expires_in", "scope"} == set(body)
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert ("service", NOTES, "notes:read") == (claims["sub"], claims["aud"], claims["scope"])
    assert "auth_time" not in claims


@pytest.mark.parametrize(
    ("scope", "slug"),
    [("openid", "scope_not_allowed"), ("bills:read", "scope_not_allowed"), ("notes:none", "scope_not_allowed")],
)
async def test_a_service_gets_no_scope_it_may_not_have(deployment: Deployment, scope: str, slug: str) -> None:
    form = {"grant_type": "client_credentials", "scope": scope, **credentials("service")}
    is_refused(await deployment.token(form), "invalid_scope", slug)


async def test_a_service_names_a_resource_of_its_own(deployment: Deployment) -> None:
    form = {"grant_type": "client_credentials", **credentials("service")}
    assert 200 == (await deployment.token({**form, "resource": NOTES})).status_code
    is_refused(await deployment.token({**form, "resource": BILLS}), "invalid_target", "resource_unknown")
    assert 200 == (await deployment.token({**form, "audience": NOTES})).status_code


async def test_a_client_disabled_gets_nothing_more(deployment: Deployment, log: list[Any]) -> None:
    form = {"grant_type": "client_credentials", **credentials("service")}
    deployment.clock.turn(1)
    assert 200 == (await deployment.token(form)).status_code
    await deployment.store.disable_client("demo/main", "service", deployment.clock())
    is_refused(await deployment.token(form), "invalid_client", "client_authentication_failed")
    deployment.clock.turn(11_000)
    is_refused(await deployment.token(form), "invalid_client", "client_authentication_failed")
    assert ["client_gone", "client_unknown"] == reasons(log)


def test_the_secret_of_the_variants_is_the_web_application_s() -> None:
    assert SECRETS.client_secrets["web"] == CLIENT_SECRET
