"""Answering at a proven address: RFC 6749's examples with RFC 9207's `iss`, in all three modes."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.authorization_response import code_fields, error_fields, redirect_target
from proofkey.protocol.authorize import Reply, ResponseMode
from proofkey.protocol.errors import AccessDenied
from proofkey.protocol.redirect_uri import ReturnAddress
from tests.protocol.facts import ISSUER


def reply(redirect_uri: str, mode: ResponseMode = "query", state: str | None = "xyz") -> Reply:
    return Reply(ReturnAddress(redirect_uri, was_sent=True), mode, state)


IN_QUERY = reply("https://client.example.com/cb")


def test_rfc_6749_section_4_1_2_example_with_iss() -> None:
    target = redirect_target(IN_QUERY, code_fields(IN_QUERY, "SplxlOBeZQQYbYS6WxSbIA", ISSUER))
    assert (
        "https://client.example.com/cb?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz&iss=https%3A%2F%2Fauth.example%2Fdemo%2Fmain"
        == target
    )


def test_an_error_carries_state_and_iss_too() -> None:
    fields = error_fields(IN_QUERY, AccessDenied("access_denied", "The person said no"), ISSUER)
    assert (
        ("error", "access_denied"),
        ("error_description", "The person said no [access_denied]"),
        ("state", "xyz"),
        ("iss", ISSUER),
    ) == fields


def test_no_state_sent_none_answered() -> None:
    assert (("code", "c"), ("iss", ISSUER)) == code_fields(reply("https://a.example", state=None), "c", ISSUER)


@pytest.mark.parametrize(
    ("redirect_uri", "mode", "expected"),
    [
        ("https://a.example/cb", "query", "https://a.example/cb?code=c"),
        ("https://a.example/cb?tenant=1", "query", "https://a.example/cb?tenant=1&code=c"),
        ("https://a.example/cb?tenant=1", "fragment", "https://a.example/cb?tenant=1#code=c"),
        ("https://a.example", "query", "https://a.example?code=c"),
        ("com.example.app:/cb", "query", "com.example.app:/cb?code=c"),
        ("http://[::1]:5/cb", "fragment", "http://[::1]:5/cb#code=c"),
    ],
)
def test_where_the_answer_is_put(redirect_uri: str, mode: ResponseMode, expected: str) -> None:
    assert expected == redirect_target(reply(redirect_uri, mode), (("code", "c"),))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_state_comes_back_and_adds_nothing_of_its_own(state: str) -> None:
    sent = reply("https://a.example/cb", state=state)
    target = redirect_target(sent, code_fields(sent, "c", ISSUER))
    assert target.isascii()
    assert not any(mark in target for mark in "\r\n #")
    read = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    assert [("code", "c"), ("state", state), ("iss", ISSUER)] == read
