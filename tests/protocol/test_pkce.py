"""PKCE: RFC 7636's own example first, then everything that is refused, then every near miss by name."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.errors import InvalidGrant, InvalidRequest
from proofkey.protocol.pkce import (
    challenge_for,
    check_verifier,
    encode_challenge,
    find_near_miss,
    parse_challenge,
    verify,
)
from proofkey.protocol.records import CodeChallenge
from tests.protocol.facts import CHALLENGE, VERIFIER
from tests.protocol.refusals import refused
from tests.protocol.vectors import cases

UNRESERVED = st.sampled_from("ABCXYZabcxyz0189-._~")
VERIFIERS = st.text(UNRESERVED, min_size=43, max_size=128)


def sent(challenge: str | None, method: str | None) -> dict[str, str]:
    pairs = {"code_challenge": challenge, "code_challenge_method": method}
    return {name: value for name, value in pairs.items() if value is not None}


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def test_rfc_7636_appendix_b() -> None:
    challenge = parse_challenge(sent(CHALLENGE, "S256"))
    assert challenge is not None
    verify(VERIFIER, challenge)
    assert [19, 211, 30, 150] == list(challenge.digest[:4])  # the octets the RFC prints
    assert CHALLENGE == encode_challenge(challenge)


@pytest.mark.parametrize("case", cases("pkce.json", "transform"))
def test_the_transform_has_known_answers(case: dict[str, Any]) -> None:
    assert case["code_challenge"] == encode_challenge(challenge_for(case["code_verifier"]))


@pytest.mark.parametrize("case", cases("pkce.json", "verifiers"))
def test_a_verifier_is_43_to_128_unreserved_characters(case: dict[str, Any]) -> None:
    verifier = case["code_verifier"]
    if case["allowed"]:
        verify(verifier, challenge_for(verifier))
    else:
        with refused(InvalidGrant, "pkce_verifier_malformed"):
            verify(verifier, challenge_for(verifier))


@pytest.mark.parametrize("case", cases("pkce.json", "challenges"))
def test_a_challenge_is_s256_and_32_bytes_or_refused(case: dict[str, Any]) -> None:
    params = sent(case["code_challenge"], case["code_challenge_method"])
    if case["refused"] is None:
        challenge = parse_challenge(params)
        assert case["code_challenge"] == (challenge and encode_challenge(challenge))
    else:
        with refused(InvalidRequest, case["refused"]):
            parse_challenge(params)


def test_helloworld_is_a_known_answer_of_the_transform_but_too_short_to_be_sent() -> None:
    challenge = challenge_for("helloworld")
    assert "k2oYXKqiZrucvpgengXLeM1zKwsygOuURBK7b4-PB68" == encode_challenge(challenge)
    with refused(InvalidGrant, "pkce_verifier_malformed") as caught:
        verify("helloworld", challenge)
    assert "under 43 characters" == caught.value.detail


def test_pkce_checked_only_if_the_verifier_comes() -> None:
    """The challenge is a property of the code: leaving the verifier out does not leave the check out."""
    with refused(InvalidGrant, "pkce_verifier_missing"):
        check_verifier(None, challenge_for(VERIFIER))


def test_pkce_downgrade_a_verifier_without_a_challenge_is_refused() -> None:
    with refused(InvalidGrant, "pkce_unexpected"):
        check_verifier(VERIFIER, None)
    check_verifier(None, None)


def test_another_verifier_does_not_match_and_the_caller_learns_nothing_more() -> None:
    with refused(InvalidGrant, "pkce_mismatch") as caught:
        verify("a" * 43, challenge_for(VERIFIER))
    assert "code_verifier does not match the code_challenge [pkce_mismatch]" == caught.value.error_description


@given(VERIFIERS)
def test_every_verifier_matches_its_own_challenge_and_none_matches_another(verifier: str) -> None:
    challenge = challenge_for(verifier)
    assert challenge == parse_challenge(sent(encode_challenge(challenge), "S256"))
    verify(verifier, challenge)
    other = verifier[:-1] + ("B" if verifier[-1] == "A" else "A")
    with refused(InvalidGrant, "pkce_mismatch"):
        verify(other, challenge)


@given(st.text(max_size=200), st.sampled_from([None, "S256", "plain", ""]))
def test_any_text_is_a_challenge_or_an_invalid_request(challenge: str, method: str | None) -> None:
    try:
        parsed = parse_challenge(sent(challenge, method))
    except InvalidRequest:
        return
    assert parsed is not None
    assert challenge == encode_challenge(parsed)


@given(st.text(max_size=200), st.binary(min_size=32, max_size=32))
def test_any_text_as_a_verifier_is_an_invalid_grant(verifier: str, digest: bytes) -> None:
    with pytest.raises(InvalidGrant):
        verify(verifier, CodeChallenge(digest))


MARKED = "-_" + CHALLENGE[2:]
PLAIN = MARKED.replace("-", "+").replace("_", "/")
TWICE = "the code_verifier was hashed twice"
SWAPPED = (
    "code_verifier equals code_challenge: the challenge was sent as the verifier, or the verifier as the challenge"
)
ALPHABET = "plain base64 alphabet: use - and _ in place of + and /"
PADDED = "the base64 padding was kept on one side"


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize(
    ("verifier", "digest", "mistake"),
    [
        (CHALLENGE, digest_of(VERIFIER), SWAPPED),
        (VERIFIER, digest_of(CHALLENGE), TWICE),
        (VERIFIER, hashlib.sha256(digest_of(VERIFIER)).digest(), TWICE),
        (VERIFIER, digest_of(hashlib.sha256(VERIFIER.encode()).hexdigest()), "the hex digest of the code_verifier was hashed"),
        (VERIFIER + "=", digest_of(VERIFIER), PADDED),
        (VERIFIER, digest_of(VERIFIER + "="), PADDED),
        (VERIFIER + "=", digest_of(VERIFIER + "="), PADDED),
        (PLAIN, digest_of(MARKED), ALPHABET),
        (MARKED, digest_of(PLAIN), ALPHABET),
        ("different-verifier", digest_of(VERIFIER), "under 43 characters"),
        ("a" * 129, digest_of("a" * 129), "over 128 characters"),
        ("a" * 128, digest_of(VERIFIER), ""),
        (PLAIN, digest_of(PLAIN), ALPHABET),
        ("a" * 43, digest_of(VERIFIER), ""),
    ],
)  # fmt: skip
def test_the_log_names_the_known_mistake(verifier: str, digest: bytes, mistake: str) -> None:
    assert mistake == find_near_miss(verifier, CodeChallenge(digest))


@pytest.mark.parametrize(
    ("challenge", "mistake"),
    [
        (CHALLENGE + "=", "the base64 padding was kept: strip the ="),
        (digest_of(VERIFIER).hex(), "the hex digest was sent: encode the raw 32 bytes with base64url"),
        (base64url(digest_of(VERIFIER).hex().encode()), "the hex digest was encoded: encode the raw 32 bytes with base64url"),
        ("+" + CHALLENGE[1:], ALPHABET),
        (" " + CHALLENGE[1:], ALPHABET),
        ("helloworld", "under 43 characters"),
        (VERIFIER + "~", "the code_verifier was sent as the code_challenge"),
        ("!" * 43, ""),
    ],
)  # fmt: skip
def test_the_log_names_the_known_mistake_in_a_malformed_challenge(challenge: str, mistake: str) -> None:
    with refused(InvalidRequest, "pkce_challenge_malformed") as caught:
        parse_challenge(sent(challenge, "S256"))
    assert mistake == caught.value.detail
