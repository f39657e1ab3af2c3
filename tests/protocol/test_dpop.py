"""What a DPoP proof must say: the RFCs' own examples, the shared vectors, and addresses that look alike."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from proofkey.possession import verify_proof
from proofkey.protocol.base64url import encode_base64url
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


@pytest.mark.parametrize("nonce", ["n" * 513, "", 7])
def test_a_nonce_is_a_text_of_bounded_length(nonce: Any) -> None:
    claims = {"jti": "1", "iat": 1, "htm": "GET", "htu": "https://api.example/", "nonce": nonce}
    expected = {"expected_method": "GET", "expected_url": "https://api.example/", "expected_token": None}
    with refused(InvalidDpopProof, "dpop_claims_malformed"):
        check_claims(claims, jkt="k", now=1_000, **expected)  # type: ignore[arg-type]
    assert "n" * 512 == check_claims({**claims, "nonce": "n" * 512}, jkt="k", now=1_000, **expected).nonce  # type: ignore[arg-type]


P = 2**255 - 19
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826


@pytest.mark.parametrize("y", [0, 1, P - 1, P, P + 1, ORDER_8, P - ORDER_8])
@pytest.mark.parametrize("sign", [0, 2**255])
def test_an_ed25519_key_of_small_order_is_nobodys(y: int, sign: int) -> None:
    """One signature holds for any proof, or for one in eight: whoever knows the token could make it."""
    octets = (y | sign).to_bytes(32, "little")
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(octets)}
    with refused(InvalidDpopProof, "dpop_key_not_accepted"):
        check_header({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk})


def test_a_key_of_order_eight_is_one() -> None:
    key = Ed25519PublicKey.from_public_bytes(ORDER_8.to_bytes(32, "little"))
    identity_and_zero = (1).to_bytes(32, "little") + bytes(32)
    forged = 0
    for number in range(200):
        with suppress(InvalidSignature):
            key.verify(identity_and_zero, b"%d" % number)
            forged += 1
    assert 5 < forged < 60
