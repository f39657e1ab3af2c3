"""Redeeming a code: what must hold, in which order, and what a thief learns."""

from __future__ import annotations

import pytest

from proofkey.protocol.authorization_code import (
    CodeExpired,
    ProvenCode,
    Redemption,
    check_redemption,
    parse_redemption,
)
from proofkey.protocol.errors import CodeRefused, InvalidGrant, InvalidRequest, Refusal
from tests.protocol.facts import CODE, NOON, SPA, VERIFIER, WEB, changed
from tests.protocol.refusals import refused

SENT = Redemption("code", CODE.redirect_uri, VERIFIER, None)


def test_the_parameters_of_rfc_6749_section_4_1_3() -> None:
    params = {
        "code": "SplxlOBeZQQYbYS6WxSbIA",
        "redirect_uri": "https://client.example.com/cb",
        "code_verifier": VERIFIER,
    }
    expected = Redemption("SplxlOBeZQQYbYS6WxSbIA", "https://client.example.com/cb", VERIFIER, "https://api")
    assert expected == parse_redemption(params, "https://api")


def test_a_redemption_without_a_code_says_so() -> None:
    with refused(InvalidRequest, "code_missing") as caught:
        parse_redemption({"authorization_code": "x"}, None)
    assert "code is required [code_missing]" == caught.value.error_description


def test_everything_as_it_was_is_a_proof() -> None:
    assert ProvenCode(CODE) == check_redemption(SENT, SPA, CODE, NOON)
    assert ProvenCode(CODE) == check_redemption(SENT, SPA, CODE, CODE.expires_at - 1)


@pytest.mark.parametrize(
    ("sent", "kind", "reason"),
    [
        (changed(SENT, redirect_uri=None), InvalidRequest, "redirect_uri_missing"),
        (changed(SENT, redirect_uri="https://app.example/silent"), InvalidGrant, "redirect_uri_differs"),
        (changed(SENT, redirect_uri=CODE.redirect_uri + "/"), InvalidGrant, "redirect_uri_differs"),
        (changed(SENT, code_verifier=None), InvalidGrant, "pkce_verifier_missing"),
        (changed(SENT, code_verifier="different-verifier"), InvalidGrant, "pkce_verifier_malformed"),
        (changed(SENT, code_verifier="a" * 43), InvalidGrant, "pkce_mismatch"),
    ],
)
def test_each_difference_refuses_on_its_own(sent: Redemption, kind: type[Refusal], reason: str) -> None:
    with refused(kind, reason):
        check_redemption(sent, SPA, CODE, NOON)


def test_code_not_bound_to_the_client_is_refused_even_with_the_right_verifier() -> None:
    with refused(CodeRefused, "code_of_another_client"):
        check_redemption(SENT, WEB, CODE, NOON)


@pytest.mark.parametrize("now", [CODE.expires_at, CODE.expires_at + 1])
def test_a_code_expires_without_leeway(now: int) -> None:
    with refused(CodeExpired, "code_expired"):
        check_redemption(SENT, SPA, CODE, now)


def test_expiry_is_judged_last_so_that_only_a_proven_presentation_counts_as_a_replay() -> None:
    with refused(InvalidGrant, "pkce_mismatch"):
        check_redemption(changed(SENT, code_verifier="a" * 43), SPA, CODE, CODE.expires_at)
    with refused(CodeRefused, "code_of_another_client"):
        check_redemption(SENT, WEB, CODE, CODE.expires_at)


def test_all_that_is_wrong_with_a_code_itself_looks_alike() -> None:
    described = set()
    for client, now in ((WEB, NOON), (SPA, CODE.expires_at)):
        with pytest.raises(CodeRefused) as caught:
            check_redemption(SENT, client, CODE, now)
        described.add(caught.value.error_description)
    assert {
        "code is unknown, expired, already used or another client's: start a new authorization request [code_invalid]"
    } == described


def test_where_redirect_uri_was_not_sent_it_may_be_absent_or_equal() -> None:
    code = changed(CODE, redirect_uri_sent=False)
    assert ProvenCode(code) == check_redemption(changed(SENT, redirect_uri=None), SPA, code, NOON)
    assert ProvenCode(code) == check_redemption(SENT, SPA, code, NOON)
    with refused(InvalidGrant, "redirect_uri_differs"):
        check_redemption(changed(SENT, redirect_uri="https://evil.example"), SPA, code, NOON)


def test_a_code_without_a_challenge_takes_no_verifier() -> None:
    code = changed(CODE, challenge=None)
    assert ProvenCode(code) == check_redemption(changed(SENT, code_verifier=None), SPA, code, NOON)
    with refused(InvalidGrant, "pkce_unexpected"):
        check_redemption(SENT, SPA, code, NOON)
