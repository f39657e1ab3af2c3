"""Base64url: RFC 4648's own examples, one spelling for everything, and what the standard library makes of the same text."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.base64url import decode_base64url, decode_octets, encode_base64url, encode_octets


@pytest.mark.parametrize(
    ("octets", "text"),
    [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"foob", "Zm9vYg"), (b"\xfb\xff", "-_8")],
)
def test_rfc_4648_section_10_without_padding(octets: bytes, text: str) -> None:
    assert (text, octets) == (encode_base64url(octets), decode_base64url(text))


@pytest.mark.parametrize("text", ["YQ==", "YR", "Y", "YQ\n", "Y+", "Y/", " YQ", "é", "YQ.", "YQ=", "YWI+", "YQ=A"])
def test_there_is_one_spelling(text: str) -> None:
    with pytest.raises(ValueError):
        decode_base64url(text)


@given(st.binary(max_size=100), st.text("ABab019-_+/= \nQg", max_size=9))
def test_what_is_written_is_read_and_nothing_else(octets: bytes, text: str) -> None:
    assert octets == decode_base64url(encode_base64url(octets)) == decode_octets(encode_octets(octets))
    try:
        canonical = text == urlsafe_b64encode(urlsafe_b64decode(text + "=" * (-len(text) % 4))).rstrip(b"=").decode()
    except ValueError:
        canonical = False
    with nullcontext() if canonical else pytest.raises(ValueError):
        decode_base64url(text)
