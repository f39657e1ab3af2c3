"""Seals: one spelling, one purpose, one key, and nothing that was altered opens."""

from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.base64url import decode_base64url, encode_base64url
from proofkey.seal import Seal, SealBroken, derive_key

KEYS = {1: b"a" * 32, 2: b"b" * 32}
SEAL = Seal(KEYS, 2, "request\0demo/main\0https://login.example/demo/main")
some_payload = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(), st.binary()),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


def sealed(payload: object = ("x", 1), seal: Seal = SEAL) -> str:
    return seal.close(payload, os.urandom(12))


@given(some_payload)
def test_what_is_closed_opens_to_the_same(payload: object) -> None:
    assert payload == msgspec.msgpack.decode(SEAL.open(sealed(payload)))


def test_a_seal_is_canonical_base64url_and_never_the_same_twice() -> None:
    first, second = sealed(), sealed()
    assert first != second
    assert first == encode_base64url(decode_base64url(first))


@pytest.mark.parametrize(
    "context",
    [
        "code\0demo/main\0https://login.example/demo/main",
        "request\0rival/main\0https://login.example/demo/main",
        "request\0demo/main\0https://login.example/rival/main",
        "",
    ],
    ids=["purpose", "workspace", "issuer", "nothing"],
)
def test_a_seal_opens_for_its_own_purpose_workspace_and_issuer_alone(context: str) -> None:
    with pytest.raises(SealBroken):
        Seal(KEYS, 2, context).open(sealed())


def test_a_retired_key_still_opens_and_a_removed_one_does_not() -> None:
    old = sealed(seal=Seal(KEYS, 1, "c"))
    assert Seal(KEYS, 2, "c").open(old)
    with pytest.raises(SealBroken):
        Seal({2: KEYS[2]}, 2, "c").open(old)
    with pytest.raises(SealBroken):
        Seal({1: KEYS[2]}, 1, "c").open(old)


@given(st.data())
def test_no_altered_bit_opens(data: st.DataObject) -> None:
    raw = bytearray(decode_base64url(sealed()))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealBroken):
        SEAL.open(encode_base64url(bytes(raw)))


def test_no_other_length_opens() -> None:
    text = sealed()
    for length in range(len(text)):
        with pytest.raises(SealBroken):
            SEAL.open(text[:length])
    for longer in (text + "A", text + "AAAA", "AAAA" + text, text * 2):
        with pytest.raises(SealBroken):
            SEAL.open(longer)


@given(st.one_of(st.text(max_size=400), st.from_regex(r"[A-Za-z0-9_-]{0,120}", fullmatch=True)))
def test_no_other_text_opens(text: str) -> None:
    with pytest.raises(SealBroken):
        SEAL.open(text)


def test_a_text_beyond_any_request_is_not_even_decoded() -> None:
    with pytest.raises(SealBroken):
        SEAL.open("A" * 1_000_000)


def test_each_purpose_has_a_key_of_its_own() -> None:
    derived = {derive_key(secret, purpose) for secret in KEYS.values() for purpose in ("a", "b", "")}
    assert (6, {32}) == (len(derived), {len(key) for key in derived})


def test_a_text_that_no_request_could_hold_is_not_even_tried() -> None:
    assert SEAL.open(sealed(bytes(36_000)))
    with pytest.raises(SealBroken):
        SEAL.open(sealed(bytes(37_000)))
