"""The authorization request: what has nowhere to go, what is answered at the proven address, and what is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.authorize import (
    KNOWN,
    AuthorizeRequest,
    Reply,
    check_registered,
    find_client_id,
    find_return_address,
    parse_reply,
)
from proofkey.protocol.claims_request import ClaimsRequest
from proofkey.protocol.errors import (
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    OAuthError,
    Refusal,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    Unanswerable,
    UnauthorizedClient,
    UnsupportedResponseType,
)
from proofkey.protocol.parameters import parse
from proofkey.protocol.pkce import challenge_for
from proofkey.protocol.records import SECOND, Client
from proofkey.protocol.redirect_uri import ReturnAddress
from tests.protocol.facts import API, CHALLENGE, NOON, OTHER_API, SPA, VERIFIER, WEB, changed
from tests.protocol.refusals import refused
from tests.protocol.requests import ASKING, BROWSER, REQUEST_ID, asked, read

ADDRESS = ReturnAddress("https://app.example/callback", was_sent=True)


def test_a_whole_request() -> None:
    expected = AuthorizeRequest(
        id=REQUEST_ID,
        asked_at=NOON,
        browser=BROWSER,
        client_id="spa",
        reply=Reply(ADDRESS, "query", "af0ifjsldkj"),
        scope=("openid", "notes:read"),
        resources=(API.audience,),
        challenge=challenge_for(VERIFIER),
        nonce="n-0S6_WzA2Mj",
        prompt=frozenset(),
        max_age_for=None,
        login_hint=None,
        claims=ClaimsRequest(),
        hinted_subject=None,
    )
    assert expected == read(asked())


def test_the_first_seed_s_call_without_scope_and_state_gets_the_default_scope() -> None:
    request = read(asked(scope=None, state=None, nonce=None))
    assert ("notes:read",) == request.scope
    assert request.reply.state is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"response_type=code", "authorize_client_id_missing"),
        (b"client_id=", "authorize_client_id_missing"),
        (b"client_id=a&client_id=b", "authorize_parameter_faulty"),
        (b"client_id=%FF", "authorize_parameter_faulty"),
        (b"client_id=" + b"a" * 2_049, "authorize_parameter_faulty"),
    ],
)
def test_without_a_client_there_is_nobody_to_answer(raw: bytes, reason: str) -> None:
    with refused(Unanswerable, reason):
        find_client_id(parse(raw, KNOWN))


def test_an_unknown_client_is_never_redirected() -> None:
    with refused(Unanswerable, "authorize_client_unknown"):
        check_registered(None)
    assert SPA is check_registered(SPA)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"redirect_uri=https://evil.example", "redirect_uri_mismatch"),
        (b"redirect_uri=https://app.example/callback&redirect_uri=https://evil.example", "authorize_parameter_faulty"),
        (b"redirect_uri=%FF", "authorize_parameter_faulty"),
        (b"scope=openid", "redirect_uri_required"),
        (b"", "redirect_uri_required"),
    ],
)
def test_nothing_is_redirected_to_an_unproven_address(raw: bytes, reason: str) -> None:
    with refused(Unanswerable, reason):
        find_return_address(parse(b"client_id=spa&" + raw, KNOWN), SPA)


def test_a_single_redirect_uri_may_be_left_out_without_openid() -> None:
    params = asked(client_id="web", redirect_uri=None, scope="notes:read")
    assert ReturnAddress("https://web.example/cb", was_sent=False) == find_return_address(params, WEB)
    with refused(Unanswerable, "redirect_uri_required_openid"):
        find_return_address(asked(client_id="web", redirect_uri=None), WEB)


@pytest.mark.parametrize(
    ("params", "kind", "reason"),
    [
        ({"response_type": None}, InvalidRequest, "response_type_missing"),
        ({"response_type": "token"}, UnsupportedResponseType, "response_type_not_code"),
        ({"response_type": "code id_token"}, UnsupportedResponseType, "response_type_not_code"),
        ({"response_type": "CODE"}, UnsupportedResponseType, "response_type_not_code"),
        ({"response_mode": "web_message"}, InvalidRequest, "response_mode_unknown"),
        ({"request": "eyJ"}, RequestNotSupported, "request_object_not_supported"),
        ({"request_uri": "https://evil.example"}, RequestUriNotSupported, "request_uri_not_supported"),
        ({"registration": "{}"}, RegistrationNotSupported, "registration_not_supported"),
        ({"scope": "openid  email"}, InvalidScope, "scope_malformed"),
        ({"scope": "openid admin"}, InvalidScope, "scope_not_allowed"),
        ({"scope": "openid notes:read", "resource": OTHER_API.audience}, InvalidScope, "scope_of_another_resource"),
        ({"resource": "https://unknown.example"}, InvalidTarget, "resource_unknown"),
        ({"resource": API.audience, "audience": OTHER_API.audience}, InvalidTarget, "audience_differs"),
        ({"code_challenge": None, "code_challenge_method": None}, InvalidRequest, "pkce_required"),
        ({"code_challenge": None}, InvalidRequest, "pkce_challenge_missing"),
        ({"code_challenge_method": None}, InvalidRequest, "pkce_method_missing"),
        ({"code_challenge_method": "plain"}, InvalidRequest, "pkce_method_not_s256"),
        ({"code_challenge": "helloworld"}, InvalidRequest, "pkce_challenge_malformed"),
        ({"prompt": "none login"}, InvalidRequest, "prompt_none_not_alone"),
        ({"max_age": "soon"}, InvalidRequest, "max_age_malformed"),
        ({"max_age": "-1"}, InvalidRequest, "max_age_malformed"),
        ({"max_age": "1.5"}, InvalidRequest, "max_age_malformed"),
        ({"max_age": "٣"}, InvalidRequest, "max_age_malformed"),
        ({"max_age": "9" * 10}, InvalidRequest, "max_age_malformed"),
        ({"claims": "{"}, InvalidRequest, "claims_not_json"),
        ({"claims": "[]"}, InvalidRequest, "claims_malformed"),
        ({"state": "a\nb"}, InvalidRequest, "parameter_control_character"),
        ({"nonce": "a" * 513}, InvalidRequest, "parameter_too_long"),
    ],
)
def test_what_is_answered_at_the_proven_address(
    params: dict[str, str | None], kind: type[OAuthError], reason: str
) -> None:
    assert ADDRESS == find_return_address(asked(**params), SPA)
    with refused(kind, reason):
        read(asked(**params))


def test_a_client_that_may_not_use_codes_is_told_so() -> None:
    with refused(UnauthorizedClient, "authorization_code_not_allowed"):
        read(asked(), changed(SPA, grant_types=("client_credentials",)))


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
def test_the_three_response_modes(mode: str) -> None:
    assert mode == read(asked(response_mode=mode)).reply.response_mode


def test_an_unknown_response_mode_is_refused_by_query() -> None:
    assert Reply(ADDRESS, "query", "af0ifjsldkj") == parse_reply(asked(response_mode="web_message"), ADDRESS)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("login", {"login"}),
        ("login consent", {"login", "consent"}),
        ("select_account", {"select_account"}),
        ("none", {"none"}),
        ("create", set()),
        ("login create", {"login"}),
    ],
)
def test_prompt_values_that_are_unknown_are_ignored(prompt: str, expected: set[str]) -> None:
    assert expected == read(asked(prompt=prompt)).prompt


def test_max_age_is_in_seconds_on_the_wire() -> None:
    assert 3_600 * SECOND == read(asked(max_age="3600")).max_age_for
    assert 0 == read(asked(max_age="0")).max_age_for
    assert 999_999_999 * SECOND == read(asked(max_age="9" * 9)).max_age_for


def test_audience_is_another_name_for_resource() -> None:
    assert (OTHER_API.audience,) == read(asked(scope="openid", audience=OTHER_API.audience)).resources


def test_a_default_scope_shrinks_to_the_resource_that_was_named() -> None:
    client = changed(SPA, scopes=(*SPA.scopes, "bills:read"), default_scope=("notes:read", "bills:read"))
    assert ("bills:read",) == read(asked(scope=None, resource=OTHER_API.audience), client).scope


def test_claims_are_read_only_with_openid() -> None:
    claims = '{"userinfo":{"email":null}}'
    assert ("email",) == read(asked(claims=claims)).claims.userinfo
    assert () == read(asked(claims=claims, scope="notes:read")).claims.userinfo


CONFIDENTIAL = changed(SPA, id="web", kind="web", secret_hash=b"s" * 32)
WITHOUT = {"code_challenge": None, "code_challenge_method": None}


@pytest.mark.parametrize(
    ("client", "params", "passes"),
    [
        (CONFIDENTIAL, WITHOUT, False),
        (changed(CONFIDENTIAL, pkce="or_nonce"), WITHOUT, True),
        (changed(CONFIDENTIAL, pkce="or_nonce"), {**WITHOUT, "nonce": None}, False),
        (changed(CONFIDENTIAL, pkce="or_nonce"), {**WITHOUT, "scope": "notes:read"}, False),
        (changed(CONFIDENTIAL, pkce="certification"), {**WITHOUT, "nonce": None, "scope": "notes:read"}, True),
        (changed(SPA, pkce="or_nonce"), WITHOUT, False),
        (changed(SPA, pkce="certification"), WITHOUT, False),
    ],
)
def test_pkce_downgrade_no_challenge_no_code_but_for_exempt_confidential_clients(
    client: Client, params: dict[str, str | None], passes: bool
) -> None:
    if passes:
        assert read(asked(**params), client).challenge is None
    else:
        with refused(InvalidRequest, "pkce_required"):
            read(asked(**params), client)


@pytest.mark.parametrize("mode", ["required", "or_nonce", "certification"])
def test_a_challenge_that_is_sent_is_s256_in_every_mode(mode: str) -> None:
    client = changed(CONFIDENTIAL, pkce=mode)
    assert challenge_for(VERIFIER) == read(asked(), client).challenge
    with refused(InvalidRequest, "pkce_method_not_s256"):
        read(asked(code_challenge_method="plain"), client)


@given(st.sampled_from(sorted(KNOWN)), st.text(max_size=80))
def test_no_parameter_whatever_it_holds_does_anything_but_pass_or_refuse(name: str, value: str) -> None:
    try:
        request = read(asked(**{name: value}))
    except Refusal:
        return
    assert CHALLENGE not in repr(request.reply)
    assert ASKING.id == request.id


@given(st.text(max_size=40))
def test_state_comes_back_byte_for_byte(state: str) -> None:
    try:
        request = read(asked(state=state or None))
    except InvalidRequest:
        return
    assert (state or None) == request.reply.state
