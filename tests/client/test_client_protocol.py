"""The client's pairs of request and reading: what is sent, what is believed, and what is not."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from proofkey import jose
from proofkey.client import (
    PendingLogin,
    Registration,
    ResponseRefused,
    ServerMetadata,
    ServerRefused,
    Tokens,
    begin_login,
    metadata_requests,
    read_callback,
    read_metadata,
    read_tokens,
    refresh_request,
    token_request,
)
from proofkey.client.id_token import IdTokenRefused, check_id_token, check_refreshed_id_token
from proofkey.client.protocol import (
    introspection_request,
    logout_url,
    read_introspection,
    read_revocation,
    read_userinfo,
    revocation_request,
    userinfo_request,
)
from proofkey.protocol.errors import Refusal
from tests.protocol.refusals import refused
from tests.protocol.vectors import cases

ISSUER = "https://login.example/acme/main"
REDIRECT_URI = "http://127.0.0.1:5000/callback"
ENTROPY = bytes(range(96))
NOON = 1_800_000_000_000
NOON_S = NOON // 1_000
WIRE = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/oauth2/authorize",
    "token_endpoint": f"{ISSUER}/oauth2/token",
    "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
    "code_challenge_methods_supported": ["S256"],
    "authorization_response_iss_parameter_supported": True,
}
PUBLIC = Registration("native", REDIRECT_URI)
CONFIDENTIAL = Registration("a b", REDIRECT_URI, "p:%+ß")


def metadata(**changed: object) -> ServerMetadata:
    return read_metadata(200, json.dumps({**WIRE, **changed}).encode(), expected_issuer=ISSUER)


def pending(**changed: object) -> PendingLogin:
    return begin_login(metadata(**changed), PUBLIC, scope="openid", entropy=ENTROPY)


def answer(login: PendingLogin, **changed: str | None) -> str:
    sent = {"code": "abc", "state": login.state, "iss": ISSUER, **changed}
    return f"{REDIRECT_URI}?{urlencode({name: value for name, value in sent.items() if value is not None})}"


def s256(code_verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()


def test_a_login_asks_for_a_code_with_an_s256_challenge() -> None:
    login = pending()
    sent = dict(parse_qsl(urlsplit(login.url).query))
    assert {
        "response_type": "code",
        "client_id": "native",
        "redirect_uri": REDIRECT_URI,
        "scope": "openid",
        "state": login.state,
        "nonce": login.nonce,
        "code_challenge": s256(login.code_verifier),
        "code_challenge_method": "S256",
    } == sent
    assert {43} == {len(secret) for secret in (login.state, login.nonce, login.code_verifier)}
    assert 3 == len({login.state, login.nonce, login.code_verifier})


@pytest.mark.parametrize("entropy", [b"", bytes(95), bytes(97)])
def test_a_login_takes_its_full_entropy(entropy: bytes) -> None:
    with pytest.raises(ValueError, match="96 random bytes"):
        begin_login(metadata(), PUBLIC, scope="openid", entropy=entropy)


def test_further_parameters_join_but_never_replace() -> None:
    extra = {"prompt": "login", "state": "mine", "code_challenge_method": "plain"}
    login = begin_login(metadata(), PUBLIC, scope="openid", entropy=ENTROPY, extra=extra)
    sent = parse_qs(urlsplit(login.url).query)
    assert (["login"], [login.state], ["S256"]) == (sent["prompt"], sent["state"], sent["code_challenge_method"])


def test_an_endpoint_with_a_query_keeps_it() -> None:
    login = pending(authorization_endpoint="https://login.example/authorize?tenant=acme")
    assert login.url.startswith("https://login.example/authorize?tenant=acme&response_type=code&")


def test_this_logins_answer_is_a_callback() -> None:
    login = pending()
    callback = read_callback(answer(login) + "#fragment", login)
    assert ("abc", login) == (callback.code, callback.pending)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"state": "x" * 43}, "callback_state_differs"),
        ({"state": ""}, "callback_state_differs"),
        ({"state": None}, "callback_state_differs"),
        ({"state": "ä"}, "callback_state_differs"),
        ({"iss": None}, "callback_iss_missing"),
        ({"iss": f"{ISSUER}/"}, "callback_iss_differs"),
        ({"iss": "https://evil.example"}, "callback_iss_differs"),
        ({"code": None}, "callback_code_missing"),
        ({"code": ""}, "callback_code_missing"),
        ({"iss": "https://evil.example", "error": "access_denied"}, "callback_iss_differs"),
        ({"state": "x", "error": "access_denied"}, "callback_state_differs"),
    ],
)
def test_an_answer_that_is_not_this_logins_is_refused(changed: dict[str, str | None], reason: str) -> None:
    login = pending()
    with refused(ResponseRefused, reason):
        read_callback(answer(login, **changed), login)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:5001/callback",
        "http://localhost:5000/callback",
        f"{REDIRECT_URI}/",
        "",
        "https://evil.example",
    ],
)
def test_an_answer_at_another_address_is_refused(address: str) -> None:
    login = pending()
    with refused(ResponseRefused, "callback_address_differs"):
        read_callback(address + answer(login).removeprefix(REDIRECT_URI), login)


def test_an_answer_that_says_something_twice_is_refused() -> None:
    login = pending()
    with refused(ResponseRefused, "callback_repeats"):
        read_callback(answer(login) + "&code=other", login)


def test_iss_may_be_left_out_where_nobody_announced_it() -> None:
    login = pending(authorization_response_iss_parameter_supported=False)
    assert read_callback(answer(login, iss=None), login).code == "abc"
    with refused(ResponseRefused, "callback_iss_differs"):
        read_callback(answer(login, iss="https://evil.example"), login)


def test_a_refusal_speaks_with_the_servers_words_made_printable() -> None:
    login = pending()
    told = "The person said no \x1b[31m [consent_denied]"
    with refused(ServerRefused, "callback_refused") as caught:
        read_callback(answer(login, code=None, error="access_denied", error_description=told), login)
    assert isinstance(caught.value, ServerRefused)
    expected = ("access_denied", "The person said no [31m [consent_denied]")
    assert expected == (caught.value.code, caught.value.error_description)


def test_the_exchange_repeats_the_address_and_shows_the_verifier() -> None:
    login = pending()
    request = token_request("https://login.example/token", read_callback(answer(login), login))
    assert {
        "grant_type": "authorization_code",
        "code": "abc",
        "redirect_uri": REDIRECT_URI,
        "code_verifier": login.code_verifier,
        "client_id": "native",
    } == dict(parse_qsl(request.body.decode()))
    assert "authorization" not in dict(request.headers)


def test_a_client_with_a_secret_encodes_both_before_joining_them() -> None:
    request = refresh_request("https://login.example/token", CONFIDENTIAL, "r", scope="openid")
    expected = base64.b64encode(b"a+b:p%3A%25%2B%C3%9F").decode()
    assert f"Basic {expected}" == dict(request.headers)["authorization"]
    assert {"grant_type": "refresh_token", "refresh_token": "r", "scope": "openid"} == dict(
        parse_qsl(request.body.decode())
    )


def test_secrets_do_not_show_in_a_repr() -> None:
    login = begin_login(metadata(), CONFIDENTIAL, scope="openid", entropy=ENTROPY)
    shown = repr([login, token_request("https://a", read_callback(answer(login), login)), read_tokens(200, TOKENS)])
    assert [] == [
        secret for secret in ("p:%+ß", login.code_verifier, "the-access-token", "the-refresh") if secret in shown
    ]


TOKENS = json.dumps(
    {
        "access_token": "the-access-token",
        "token_type": "bearer",
        "expires_in": 300,
        "refresh_token": "the-refresh",
        "new": 1,
    }
).encode()


def test_a_token_response_is_read() -> None:
    tokens = read_tokens(200, TOKENS)
    expected = ("the-access-token", 300, "the-refresh", None, None)
    assert expected == (tokens.access_token, tokens.expires_in, tokens.refresh_token, tokens.id_token, tokens.scope)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"<html>", "response_unreadable"),
        (200, b"[]", "response_unreadable"),
        (200, b"[" * 200_000, "response_unreadable"),
        (302, b"", "response_unreadable"),
        (500, b'{"detail": "oops"}', "response_unreadable"),
        (200, b'{"access_token": "a"}', "token_type_differs"),
        (200, b'{"access_token": "a", "token_type": "DPoP"}', "token_type_differs"),
        (200, b'{"token_type": "Bearer"}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": 7}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": ""}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": "a", "expires_in": "soon"}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": "a", "expires_in": "-1"}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": "a", "expires_in": "99999999999"}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": "a", "expires_in": true}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": "a", "expires_in": -1}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": "a", "expires_in": 1e30}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": "a", "id_token": {}}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": "a\\r\\nx: y"}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": "a", "refresh_token": "\\u001b[2J"}', "tokens_malformed"),
        (200, b'{"token_type": "Bearer", "access_token": "a\\u00e9"}', "tokens_malformed"),
    ],
)
def test_what_is_no_token_response_is_refused(status: int, body: bytes, reason: str) -> None:
    with refused(ResponseRefused, reason):
        read_tokens(status, body)


def test_what_a_token_response_may_say_oddly_is_understood() -> None:
    odd = b'{"access_token": "a", "token_type": "BEARER", "expires_in": 299.5, "refresh_token": "", "scope": ""}'
    tokens = read_tokens(200, odd)
    assert (299, None, None) == (tokens.expires_in, tokens.refresh_token, tokens.scope)


@pytest.mark.parametrize("case", cases("token_response.json", "reading"))
def test_a_token_response_is_read_as_the_vectors_say(case: dict[str, Any]) -> None:
    def read() -> Tokens:
        return read_tokens(case["status"], json.dumps(case["body"]).encode())

    if case["error"] is not None:
        with pytest.raises(ServerRefused) as refusal:
            read()
        assert case["error"] == refusal.value.code
    else:
        assert case["expires_in"] == read().expires_in


def test_whoever_proved_possession_takes_no_bearer_token() -> None:
    bound = TOKENS.replace(b'"bearer"', b'"DPoP"')
    assert "DPoP" == read_tokens(200, bound, expected_type="DPoP").token_type
    with refused(ResponseRefused, "token_type_differs"):
        read_tokens(200, TOKENS, expected_type="DPoP")


def test_a_refusal_of_the_token_endpoint_is_told_as_it_came() -> None:
    with refused(ServerRefused, "server_refused") as caught:
        read_tokens(400, b'{"error": "invalid_grant", "error_description": "code is spent [code_invalid]"}')
    assert caught.value.error_description == "code is spent [code_invalid]"


def test_the_words_of_a_refusal_are_cut_where_nobody_reads_on() -> None:
    told = json.dumps({"error": "e" * 9_000, "error_description": "d" * 9_000}).encode()
    with pytest.raises(ServerRefused) as refusal:
        read_tokens(400, told)
    assert (500, 500) == (len(refusal.value.code), len(refusal.value.error_description))


def test_a_refusal_without_words_gets_some() -> None:
    with refused(ServerRefused, "server_refused") as caught:
        read_tokens(400, b'{"error": "invalid_grant"}')
    assert caught.value.error_description == "The server refused and did not say why [server_refused]"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"issuer": f"{ISSUER}/"}, "metadata_issuer_differs"),
        ({"issuer": None}, "metadata_issuer_differs"),
        ({"code_challenge_methods_supported": None}, "metadata_without_s256"),
        ({"code_challenge_methods_supported": ["plain"]}, "metadata_without_s256"),
        ({"token_endpoint": None}, "metadata_endpoint_unusable"),
        ({"token_endpoint": "http://login.example/token"}, "metadata_endpoint_unusable"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "metadata_endpoint_unusable"),
        ({"authorization_endpoint": f"{ISSUER}/oauth2/authorize#end"}, "metadata_endpoint_unusable"),
        ({"userinfo_endpoint": 7}, "metadata_endpoint_unusable"),
    ],
)
def test_metadata_that_cannot_carry_the_flow_are_refused(changed: dict[str, object], reason: str) -> None:
    with refused(ResponseRefused, reason):
        metadata(**changed)


def test_a_word_that_is_no_yes_announces_nothing() -> None:
    assert not metadata(authorization_response_iss_parameter_supported="false").names_itself


def test_metadata_that_are_not_there_are_refused() -> None:
    with refused(ResponseRefused, "metadata_not_found"):
        read_metadata(404, b"{}", expected_issuer=ISSUER)


def test_metadata_are_asked_for_before_and_behind_the_path() -> None:
    assert (
        "https://login.example/.well-known/oauth-authorization-server/acme/main",
        "https://login.example/acme/main/.well-known/openid-configuration",
    ) == tuple(request.url for request in metadata_requests(ISSUER))


def test_userinfo_is_about_the_same_person() -> None:
    assert ("authorization", "Bearer a") in userinfo_request("https://a", "a").headers
    assert {"sub": "alice", "name": "Alice"} == read_userinfo(
        200, b'{"sub": "alice", "name": "Alice"}', expected_subject="alice"
    )
    with refused(ResponseRefused, "userinfo_subject_differs"):
        read_userinfo(200, b'{"sub": "bob"}', expected_subject="alice")


def test_introspection_says_active_or_nothing() -> None:
    assert b"token=t&client_id=native" == introspection_request("https://a", PUBLIC, "t").body
    assert {"active": False} == read_introspection(200, b'{"active": false}')
    with refused(ResponseRefused, "introspection_malformed"):
        read_introspection(200, b'{"active": "true"}')


def test_revocation_is_done_with_any_body() -> None:
    assert b"token=t&client_id=native" == revocation_request("https://a", PUBLIC, "t").body
    read_revocation(200, b"")
    with refused(ServerRefused, "server_refused"):
        read_revocation(401, b'{"error": "invalid_client"}')


def test_logout_names_the_session_and_the_way_back() -> None:
    url = logout_url(
        "https://a/logout", id_token_hint="t.t.t", post_logout_redirect_uri="http://127.0.0.1:1/", state="s"
    )
    assert "https://a/logout?id_token_hint=t.t.t&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2F&state=s" == url


ID_CLAIMS = {"iss": ISSUER, "aud": "native", "sub": "alice", "nonce": "n", "iat": NOON_S, "exp": NOON_S + 300}


def check(claims: dict[str, object], access_token: str | None = "token") -> str:
    return check_id_token(
        claims,
        expected_issuer=ISSUER,
        expected_client_id="native",
        expected_nonce="n",
        now=NOON,
        access_token=access_token,
    )


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"aud": ["native"]},
        {"azp": "native"},
        {"aud": ["other", "native"], "azp": "native"},
        {"at_hash": jose.left_half_hash("token")},
    ],
)
def test_this_logins_id_token_says_who_is_there(changed: dict[str, object]) -> None:
    assert check({**ID_CLAIMS, **changed}) == "alice"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://evil.example"}, "id_token_issuer_differs"),
        ({"aud": "other"}, "id_token_audience_differs"),
        ({"aud": ["another", "other"], "azp": "native"}, "id_token_audience_differs"),
        ({"aud": []}, "id_token_audience_differs"),
        ({"aud": None}, "id_token_audience_differs"),
        ({"aud": ["native", "other"]}, "id_token_azp_differs"),
        ({"aud": ["native", "other"], "azp": "other"}, "id_token_azp_differs"),
        ({"azp": "other"}, "id_token_azp_differs"),
        ({"sub": None}, "id_token_subject_missing"),
        ({"sub": ""}, "id_token_subject_missing"),
        ({"nonce": "m"}, "id_token_nonce_differs"),
        ({"nonce": None}, "id_token_nonce_differs"),
        ({"exp": NOON_S - 60}, "id_token_expired"),
        ({"exp": None}, "id_token_times_malformed"),
        ({"iat": True}, "id_token_times_malformed"),
        ({"iat": NOON_S + 61}, "id_token_from_the_future"),
        ({"at_hash": jose.left_half_hash("other")}, "id_token_at_hash_differs"),
        ({"at_hash": 7}, "id_token_at_hash_differs"),
    ],
)
def test_another_id_token_does_not(changed: dict[str, object], reason: str) -> None:
    with refused(IdTokenRefused, reason):
        check({**ID_CLAIMS, **changed})


def test_a_refreshed_id_token_is_about_the_same_person_and_needs_no_nonce() -> None:
    claims = {name: value for name, value in ID_CLAIMS.items() if name != "nonce"}

    def check_refreshed(**changed: object) -> None:
        check_refreshed_id_token(
            {**claims, **changed},
            expected_issuer=ISSUER,
            expected_client_id="native",
            expected_subject="alice",
            expected_nonce="n",
            access_token="the-access-token",
            now=NOON,
        )

    check_refreshed()
    with refused(IdTokenRefused, "id_token_subject_differs"):
        check_refreshed(sub="bob")
    with refused(IdTokenRefused, "id_token_expired"):
        check_refreshed(exp=NOON_S - 60)
    check_refreshed(exp=NOON_S + 0.5, at_hash=jose.left_half_hash("the-access-token"), nonce="n")
    with refused(IdTokenRefused, "id_token_at_hash_differs"):
        check_refreshed(at_hash=jose.left_half_hash("another"))
    with refused(IdTokenRefused, "id_token_nonce_of_another"):
        check_refreshed(nonce="of-another")


def test_every_client_refusal_ends_with_its_slug() -> None:
    with pytest.raises(Refusal) as caught:
        read_callback("https://evil.example", replace(pending(), iss_required=False))
    assert caught.value.error_description.endswith("[callback_address_differs]")
