"""Signatures by the key in the header, held against a library of its own; and a client's key that makes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from proofkey import jose
from proofkey.client.dpop import DpopKey
from proofkey.possession import KEPT_HEADERS, MAX_PROOF, HolderKey, _read_header, verify_proof
from proofkey.protocol.base64url import encode_base64url
from proofkey.protocol.dpop import access_token_hash
from proofkey.protocol.errors import InvalidDpopProof
from tests.protocol.refusals import refused
from tests.protocol.vectors import cases

NOON = 1_800_000_000_000


def test_another_library_verifies_what_is_signed() -> None:
    for number in range(40):  # r and s are short now and then
        key = HolderKey.generate()
        proof = jws.deserialize_compact(key.sign({"n": number}), ECKey.import_key(key.public_jwk))
        assert {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.public_jwk} == proof.headers()
        assert {"n": number} == json.loads(proof.payload)
        assert key.jkt == ECKey.import_key(key.public_jwk).thumbprint()


def test_a_proof_says_what_was_asked_for() -> None:
    key = DpopKey.generate()
    proof = key.proof("POST", "https://api.example/a?b#c", now=NOON, jti="1", nonce="n", access_token="t")
    expected = {
        "jti": "1",
        "htm": "POST",
        "htu": "https://api.example/a",
        "iat": NOON // 1_000,
        "ath": access_token_hash("t"),
        "nonce": "n",
    }
    verified = verify_proof(proof)
    assert (key.jkt, expected) == (verified.jkt, verified.claims)


@pytest.mark.parametrize("case", cases("dpop.json", "making"))
def test_a_client_names_the_address_without_query_and_fragment(case: dict[str, Any]) -> None:
    assert case["htu"] == verify_proof(DpopKey.generate().proof("GET", case["url"], now=NOON, jti="1")).claims["htu"]


def test_a_proof_without_a_token_and_nonce_says_nothing_of_them() -> None:
    claims = verify_proof(DpopKey.generate().proof("GET", "https://api.example/", now=NOON, jti="1")).claims
    assert {"jti", "htm", "htu", "iat"} == set(claims)


def test_a_kept_key_is_the_same_key() -> None:
    key = DpopKey.generate()
    again = DpopKey.from_bytes(key.to_bytes())
    assert (key.jkt, key.public_jwk) == (again.jkt, again.public_jwk)
    assert key.jkt != DpopKey.generate().jkt


@pytest.mark.parametrize("private", [b"", b"no key", jose.generate_key("RS256")], ids=["nothing", "noise", "RSA"])
def test_anything_but_a_p256_key_is_not_loaded(private: bytes) -> None:
    with pytest.raises(ValueError):
        DpopKey.from_bytes(private)


def test_an_access_token_is_no_proof() -> None:
    key = jose.SigningKey(jose.generate_key("ES256"), "ES256")
    with refused(InvalidDpopProof, "dpop_typ_wrong"):
        verify_proof(key.sign("at+jwt", {"sub": "alice"}))


def test_an_oversized_proof_is_refused_unread() -> None:
    with refused(InvalidDpopProof, "dpop_proof_too_long"):
        verify_proof(HolderKey.generate().sign({"jti": "j" * MAX_PROOF}))


def test_headers_are_kept_in_bounds() -> None:
    _read_header.cache_clear()
    for _ in range(KEPT_HEADERS + 10):
        verify_proof(HolderKey.generate().sign({}))
    assert KEPT_HEADERS == _read_header.cache_info().currsize


def test_what_was_kept_of_a_header_vouches_for_no_other_signature() -> None:
    key, thief = HolderKey.generate(), HolderKey.generate()
    head, body, _ = key.sign({"jti": "1"}).split(".")
    verify_proof(key.sign({"jti": "1"}))
    stolen = thief.sign({"jti": "1"}).rpartition(".")[2]
    with refused(InvalidDpopProof, "dpop_signature_wrong"):
        verify_proof(f"{head}.{body}.{stolen}")


@given(st.text(max_size=200))
def test_any_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidDpopProof):
        verify_proof(text)


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_any_three_parts_are_refused_by_name(head: bytes, body: bytes, signature: bytes) -> None:
    with pytest.raises(InvalidDpopProof):
        verify_proof(".".join(map(encode_base64url, (head, body, signature))))


def test_every_bit_of_a_proof_counts() -> None:
    proof = HolderKey.generate().sign({"jti": "1", "htm": "GET"})
    for place in range(0, len(proof), 7):
        other = "A" if proof[place] != "A" else "B"
        with pytest.raises(InvalidDpopProof):
            verify_proof(proof[:place] + other + proof[place + 1 :])
