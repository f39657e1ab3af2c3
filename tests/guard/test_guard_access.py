"""The claims of an access token against what an API expects."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from proofkey.guard import Access, ApiRequest, ResourceServer, ScopeMissing, TokenRejected, check_access_token
from proofkey.guard.access import TokenUnfitting
from proofkey.protocol.records import SECOND
from tests.protocol.refusals import refused

NOON = 1_800_000_000_000
NOON_S = NOON // 1_000
GOOD = {
    "iss": "https://issuer.example/acme/main",
    "aud": "https://api.example",
    "sub": "alice",
    "client_id": "spa",
    "scope": "notes:read notes:write",
    "iat": NOON_S,
    "exp": NOON_S + 300,
}


def check(claims: dict[str, Any], *, scopes: tuple[str, ...] = ("notes:read",), now: int = NOON) -> Access:
    return check_access_token(
        claims,
        expected_issuer="https://issuer.example/acme/main",
        expected_audience="https://api.example",
        required_scopes=scopes,
        now=now,
    )


def test_a_fitting_token_says_who_calls_and_what_for() -> None:
    expected = Access(
        "https://issuer.example/acme/main",
        "alice",
        "spa",
        frozenset({"notes:read", "notes:write"}),
        NOON + 300 * SECOND,
        GOOD,
    )
    assert expected == check(GOOD)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["https://other.example", "https://api.example"]},
        {"nbf": NOON_S + 30},
        {"iat": NOON_S + 30},
        {"exp": NOON_S - 29.5},
        {"exp": 253_402_300_799},
        {"iat": None},
        {"client_id": None},
    ],
)
def test_what_the_standards_leave_open_passes(changed: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    assert "alice" == check(claims).subject


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://issuer.example/acme/main/"}, "access_token_issuer_differs"),
        ({"iss": "https://issuer.example/other/main"}, "access_token_issuer_differs"),
        ({"iss": None}, "access_token_issuer_differs"),
        ({"aud": "https://api.example/"}, "access_token_audience_differs"),
        ({"aud": "spa"}, "access_token_audience_differs"),
        ({"aud": None}, "access_token_audience_differs"),
        ({"aud": []}, "access_token_audience_differs"),
        ({"aud": [["https://api.example"]]}, "access_token_audience_differs"),
        ({"aud": {"https://api.example": 1}}, "access_token_audience_differs"),
        ({"exp": NOON_S - 30}, "access_token_expired"),
        ({"exp": None}, "access_token_times_malformed"),
        ({"exp": str(NOON_S + 300)}, "access_token_times_malformed"),
        ({"exp": True}, "access_token_times_malformed"),
        ({"exp": float("inf")}, "access_token_times_malformed"),
        ({"exp": float("nan")}, "access_token_times_malformed"),
        ({"exp": 1e308}, "access_token_times_malformed"),
        ({"exp": 10**400}, "access_token_times_malformed"),
        ({"exp": 253_402_300_800}, "access_token_times_malformed"),
        ({"nbf": -(10**400)}, "access_token_times_malformed"),
        ({"iat": -1e308}, "access_token_times_malformed"),
        ({"nbf": "soon"}, "access_token_times_malformed"),
        ({"nbf": NOON_S + 31}, "access_token_not_yet_valid"),
        ({"iat": NOON_S + 31}, "access_token_from_the_future"),
        ({"sub": None}, "access_token_claims_malformed"),
        ({"sub": ""}, "access_token_claims_malformed"),
        ({"sub": 7}, "access_token_claims_malformed"),
        ({"scope": ["notes:read", 7]}, "access_token_claims_malformed"),
        ({"scope": {"notes:read": True}}, "access_token_claims_malformed"),
        ({"scope": None, "scp": 7}, "access_token_claims_malformed"),
    ],
)
def test_each_wrong_claim_is_refused_by_name(changed: dict[str, Any], reason: str) -> None:
    claims = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    with refused(TokenRejected, reason) as caught:
        check(claims)
    assert caught.value.error_description.endswith(f"[{reason}]")


@pytest.mark.parametrize(
    "changed",
    [
        {"scope": ["notes:read", "notes:write"]},
        {"scope": None, "scp": "notes:write notes:read"},
        {"scope": None, "scp": ["notes:read", "notes:write"]},
    ],
)
def test_the_ways_in_which_issuers_write_scopes_mean_the_same(changed: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    assert frozenset({"notes:read", "notes:write"}) == check(claims).scope


def test_a_second_way_to_write_scopes_adds_nothing_to_the_first() -> None:
    with refused(ScopeMissing, "scope_missing"):
        check({**GOOD, "scope": "notes:write", "scp": ["notes:read"]})


def test_a_scope_that_is_missing_is_named() -> None:
    with refused(ScopeMissing, "scope_missing") as caught:
        check(GOOD, scopes=("notes:read", "notes:delete", "notes:share"))
    told = "The access token lacks a scope: notes:delete, notes:share [scope_missing]"
    assert told == caught.value.error_description


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_the_log_has_both_clocks_of_a_token_from_the_future(name: str) -> None:
    with pytest.raises(TokenUnfitting) as rejected:
        check({**GOOD, name: NOON_S + 31})
    assert f"{name}={NOON_S + 31} now={NOON_S}" == rejected.value.detail


def test_a_list_of_scopes_has_whole_words() -> None:
    with refused(ScopeMissing, "scope_missing"):
        check({**GOOD, "scope": ["openid notes:read"]})


@pytest.mark.parametrize("scope", ["notes:write", "notes:readx", "notes", "", "NOTES:READ"])
def test_a_scope_is_there_as_a_whole_word_or_not_at_all(scope: str) -> None:
    with refused(ScopeMissing, "scope_missing"):
        check({**GOOD, "scope": scope})


def test_every_required_scope_must_be_there() -> None:
    with refused(ScopeMissing, "scope_missing") as caught:
        check({**GOOD, "scope": "notes:read"}, scopes=("notes:read", "notes:write"))
    assert isinstance(caught.value, ScopeMissing)
    assert ("notes:read", "notes:write") == caught.value.required_scopes


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"aud": "https://api.example/"}, "aud='https://api.example/' expected='https://api.example'"),
        ({"iss": "https://b.example\n"}, r"iss='https://b.example\n' expected='https://issuer.example/acme/main'"),
        ({"aud": ["a" * 1_000]}, f"aud=['{'a' * 298} expected='https://api.example'"),
    ],
)
def test_the_log_has_both_sides_of_what_differs_and_the_caller_neither(changed: dict[str, Any], detail: str) -> None:
    with pytest.raises(TokenRejected) as rejected:
        check({**GOOD, **changed})
    assert (detail, False) == (rejected.value.detail, "example" in rejected.value.error_description)


@pytest.mark.parametrize("blank", ["\u00a0", "\n", "\t", "\u2028", "\x1f", "\x85"])
def test_scopes_are_parted_by_spaces_alone(blank: str) -> None:
    """RFC 6749 §3.3: an issuer that lets a client name a scope as it likes compares the whole of it."""
    assert {f"notes:read{blank}admin"} == check({**GOOD, "scope": f"notes:read{blank}admin"}, scopes=()).scope
    assert {"notes:read", "notes:write"} == check({**GOOD, "scope": " notes:read  notes:write "}).scope


def test_a_refusal_is_logged_with_its_detail_and_without_a_blank_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    server = ResourceServer("https://issuer.example/acme/main", audience="https://api.example")
    with caplog.at_level(logging.INFO, "proofkey.guard"):
        for detail in ("", "aud='x'"):
            server.challenge(TokenRejected("a_reason", "It does not do", detail=detail), ApiRequest("GET", "/", []))
    assert ["refused: a_reason", "refused: a_reason aud='x'"] == caplog.messages


def test_an_audience_that_is_empty_is_none() -> None:
    with pytest.raises(ValueError, match="audience must be named"):
        ResourceServer("https://issuer.example/acme/main", audience="")


def test_expiry_is_judged_before_scope() -> None:
    with refused(TokenRejected, "access_token_expired"):
        check({**GOOD, "scope": ""}, now=NOON + 400 * SECOND)
