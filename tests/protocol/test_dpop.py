"""What a DPoP proof must say: the RFCs' own examples, the shared vectors, and addresses that look alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.possession import verify_proof
from proofkey.protocol.dpop import (
    access_token_hash,
    check_claims,
    check_header,
    normal_address,
    same_address,
    thumbprint,
)
from proofkey.protocol.errors import InvalidDpopProof
from tests.protocol.refusals import refused
from tests.protocol.vectors import cases

REQUIRED = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}


def check(case: dict[str, Any]) -> str:
    """The thumbprint that a case's proof proves."""
    verified = verify_proof(case["proof"])
    return check_claims(
        verified.claims,
        jkt=verified.jkt,
        expected_method=case["method"],
        expected_url=case["url"],
        expected_token=case["access_token"],
        now=case["now"],
    ).jkt


@pytest.mark.parametrize("case", cases("dpop.json", "proofs"))
def test_a_proof_proves_its_key_or_is_refused_by_name(case: dict[str, Any]) -> None:
    if case["refused"] is None:
        assert case["jkt"] == check(case)
    else:
        with refused(InvalidDpopProof, case["refused"]):
            check(case)


@pytest.mark.parametrize("case", cases("dpop.json", "thumbprints"))
def test_a_thumbprint_hashes_the_required_members_alone(case: dict[str, Any]) -> None:
    jwk = case["jwk"]
    assert case["jkt"] == thumbprint({name: jwk[name] for name in REQUIRED[jwk["kty"]]})
    alg = {"EC": "ES256", "OKP": "Ed25519", "RSA": "RS256"}[jwk["kty"]]
    assert case["jkt"] == check_header({"typ": "dpop+jwt", "alg": alg, "jwk": jwk}).jkt


@pytest.mark.parametrize("case", cases("dpop.json", "token_hashes"))
def test_a_proof_names_its_access_token_by_hash(case: dict[str, Any]) -> None:
    assert case["ath"] == access_token_hash(case["access_token"])


@pytest.mark.parametrize("case", cases("dpop.json", "addresses"))
def test_addresses_are_compared_as_rfc_3986_normalizes_them(case: dict[str, Any]) -> None:
    assert case["same"] is same_address(case["htu"], case["url"])


@pytest.mark.parametrize("sent", [None, 7, ["https://api.example/notes"], {"https://api.example/notes": 1}])
def test_an_address_is_text(sent: Any) -> None:
    assert not same_address(sent, "https://api.example/notes")


@given(st.text(max_size=60))
def test_any_text_is_an_address_once_normal_or_none(text: str) -> None:
    once = normal_address(text)
    assert once is None or once == normal_address(once)


@given(st.dictionaries(st.sampled_from(["typ", "alg", "jwk", "crit"]), st.none() | st.text() | st.integers()))
def test_any_header_is_refused_or_read(header: dict[str, Any]) -> None:
    with pytest.raises(InvalidDpopProof):
        check_header({**header, "jwk": header.get("jwk")})


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_key_with_any_private_member_is_refused(member: str) -> None:
    jwk = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43, member: None}
    with refused(InvalidDpopProof, "dpop_key_private"):
        check_header({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "RSA", "n": "AA" + "_" * 342, "e": "AQAB"},
        {"kty": "RSA", "n": "_" * 341 + "w", "e": "AAEAAQ"},
        {"kty": "RSA", "n": "_" * 341 + "w", "e": "AQAAAAAB"},
        {"kty": "RSA", "n": "_" * 6_000, "e": "AQAB"},
        {"kty": "RSA", "n": 7, "e": "AQAB"},
        {"kty": "RSA", "n": "_" * 342},
    ],
    ids=["leading zero", "exponent with a leading zero", "long exponent", "8 thousand bits", "no text", "no exponent"],
)
def test_an_rsa_key_has_one_spelling_and_bounded_numbers(jwk: dict[str, Any]) -> None:
    with refused(InvalidDpopProof, "dpop_key_not_accepted"):
        check_header({"typ": "dpop+jwt", "alg": "RS256", "jwk": jwk})
