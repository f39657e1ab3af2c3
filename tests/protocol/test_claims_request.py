"""The claims parameter: OpenID Connect Core §5.5's own example, then what is not one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.claims_request import ClaimsRequest, names_in, parse_claims
from proofkey.protocol.errors import InvalidRequest
from tests.protocol.facts import SPA, changed
from tests.protocol.refusals import refused

ANYONE = changed(SPA, scopes=("openid", "profile", "email", "address", "phone"))
EXAMPLE = {
    "userinfo": {
        "given_name": {"essential": True},
        "nickname": None,
        "email": {"essential": True},
        "email_verified": {"essential": True},
        "picture": None,
        "http://example.info/claims/groups": None,
    },
    "id_token": {"auth_time": {"essential": True}, "acr": {"values": ["urn:mace:incommon:iap:silver"]}},
}


def test_claims_of_a_scope_the_client_may_not_have_are_ignored() -> None:
    nothing = changed(SPA, scopes=("openid",))
    assert ClaimsRequest() == parse_claims(json.dumps(EXAMPLE), nothing)
    assert ("email",) == parse_claims(
        '{"id_token":{"email":null,"name":null}}', changed(SPA, scopes=("email",))
    ).id_token


def test_openid_connect_core_section_5_5_example() -> None:
    expected = ClaimsRequest(userinfo=("given_name", "nickname", "email", "email_verified", "picture"))
    assert expected == parse_claims(json.dumps(EXAMPLE), ANYONE)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, ClaimsRequest()),
        ("{}", ClaimsRequest()),
        ('{"userinfo":null}', ClaimsRequest()),
        ('{"id_token":{"email":null}}', ClaimsRequest(id_token=("email",))),
        ('{"id_token":{"sub":{"value":"alice"}}}', ClaimsRequest(subject="alice")),
        ('{"userinfo":{"sub":{"value":"alice"}}}', ClaimsRequest(subject="alice")),
        ('{"id_token":{"sub":{"values":["alice","bob"]}}}', ClaimsRequest(subject="alice")),
        ('{"id_token":{"sub":{"value":7}}}', ClaimsRequest()),
        ('{"id_token":{"acr":{"essential":true,"value":"gold"}}}', ClaimsRequest(acrs=("gold",))),
        ('{"id_token":{"acr":{"essential":true,"values":["a","b"]}}}', ClaimsRequest(acrs=("a", "b"))),
        ('{"id_token":{"acr":{"essential":false,"value":"gold"}}}', ClaimsRequest()),
        ('{"id_token":{"acr":{"value":"gold"}}}', ClaimsRequest()),
        ('{"unknown":[1]}', ClaimsRequest()),
    ],
)
def test_what_is_asked_for(asked: str | None, expected: ClaimsRequest) -> None:
    assert expected == parse_claims(asked, ANYONE)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("", "claims_not_json"),
        ("email", "claims_not_json"),
        ("[" * 100_000, "claims_not_json"),
        ("9" * 5_000, "claims_not_json"),
        (r'{"id_token":{"sub":{"value":"\ud800"}}}', "claims_not_json"),
        ("[]", "claims_malformed"),
        ("7", "claims_malformed"),
        ("null", "claims_malformed"),
        ('{"userinfo":[]}', "claims_malformed"),
        ('{"userinfo":{"email":true}}', "claims_malformed"),
        ('{"id_token":{"acr":"gold"}}', "claims_malformed"),
    ],
)
def test_what_is_no_claims_parameter(asked: str, reason: str) -> None:
    with refused(InvalidRequest, reason):
        parse_claims(asked, ANYONE)


NAMES = st.sampled_from(["id_token", "userinfo", "sub", "acr", "value", "values"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_claims_request_or_an_invalid_request(asked: object) -> None:
    try:
        request = parse_claims(json.dumps(asked), ANYONE)
    except InvalidRequest:
        return
    assert (request.userinfo, request.id_token) == names_in(request.text)


def test_a_grant_keeps_the_names_as_text() -> None:
    request = ClaimsRequest(userinfo=("email", "name"), id_token=("locale",))
    assert "email name|locale" == request.text
    assert (("email", "name"), ("locale",)) == names_in(request.text)
    assert "" == ClaimsRequest(subject="alice").text
    assert "|locale" == ClaimsRequest(id_token=("locale",)).text
    assert "email|" == ClaimsRequest(userinfo=("email",)).text
    assert ((), ()) == names_in("")
