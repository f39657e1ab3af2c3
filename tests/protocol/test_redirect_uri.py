"""Redirect URIs: exact matching by table, then what may be left out, then what may be registered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.errors import InvalidRequest, Unanswerable
from proofkey.protocol.records import ApplicationKind
from proofkey.protocol.redirect_uri import (
    MAX_REDIRECT_URI,
    ComparedPart,
    RedirectUriMismatch,
    ReturnAddress,
    check_registration,
    compare_parts,
    find_redirect_uri,
    matches,
    origin_of,
)
from tests.protocol.facts import NATIVE, SPA, WEB, changed
from tests.protocol.refusals import refused
from tests.protocol.vectors import cases

KINDS: tuple[ApplicationKind, ...] = ("spa", "native", "web", "service")


@pytest.mark.parametrize("case", cases("redirect_uri.json", "matching"))
def test_redirect_uri_matching(case: dict[str, Any]) -> None:
    assert case["matches"] is matches(case["sent"], case["registered"], case["kind"])


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(KINDS))
def test_of_two_texts_only_equal_ones_match(sent: str, registered: str, kind: ApplicationKind) -> None:
    assert (sent == registered) is matches(sent, registered, kind)


@given(st.integers(min_value=1, max_value=65_535))
def test_every_port_of_a_native_loopback_address_matches(port: int) -> None:
    assert matches(f"http://127.0.0.1:{port}/cb", "http://127.0.0.1/cb", "native")
    assert not matches(f"http://localhost:{port}/cb", "http://localhost/cb", "native")


def test_one_of_several_must_be_named() -> None:
    address = find_redirect_uri("https://app.example/silent", SPA, is_openid=True)
    assert ReturnAddress("https://app.example/silent", was_sent=True) == address
    with refused(Unanswerable, "redirect_uri_required"):
        find_redirect_uri(None, SPA, is_openid=False)


def test_a_single_one_may_be_left_out_in_plain_oauth_alone() -> None:
    address = find_redirect_uri(None, WEB, is_openid=False)
    assert ReturnAddress("https://web.example/cb", was_sent=False) == address
    with refused(Unanswerable, "redirect_uri_required_openid"):
        find_redirect_uri(None, WEB, is_openid=True)


def test_without_a_registered_one_nothing_is_assumed() -> None:
    with refused(Unanswerable, "redirect_uri_required"):
        find_redirect_uri(None, changed(WEB, redirect_uris=()), is_openid=False)
    with refused(Unanswerable, "redirect_uri_mismatch"):
        find_redirect_uri("https://web.example/cb", changed(WEB, redirect_uris=()), is_openid=False)


@pytest.mark.parametrize(
    ("sent", "nearest", "detail"),
    [
        (
            "http://app.example/silent",
            "https://app.example/silent",
            "scheme: requested 'http', registered 'https'",
        ),
        ("https://app.example/callback?next=1", "https://app.example/callback", "query differs"),
    ],
)
def test_a_mismatch_names_the_nearest_address_and_what_differs(sent: str, nearest: str, detail: str) -> None:
    with refused(RedirectUriMismatch, "redirect_uri_mismatch") as caught:
        find_redirect_uri(sent, SPA, is_openid=False)
    assert isinstance(caught.value, RedirectUriMismatch)
    assert (sent, nearest, detail) == (caught.value.sent, caught.value.nearest, caught.value.detail)
    assert "redirect_uri is not registered for this client [redirect_uri_mismatch]" == caught.value.error_description


def test_what_may_be_secret_in_an_address_is_not_logged() -> None:
    with refused(RedirectUriMismatch, "redirect_uri_mismatch") as caught:
        find_redirect_uri("https://me:SECRET@app.example/callback?SECRET=1#SECRET", SPA, is_openid=False)
    assert "user differs; query differs; fragment differs" == caught.value.detail


def test_a_native_client_gets_the_port_it_named() -> None:
    address = find_redirect_uri("http://[::1]:49152/cb", NATIVE, is_openid=True)
    assert "http://[::1]:49152/cb" == address.redirect_uri


@pytest.mark.parametrize(
    ("redirect_uri", "kind"),
    [
        ("https://app.example/callback", "spa"),
        ("https://app.example", "web"),
        ("https://app.example:8443/cb?x=1", "web"),
        ("https://[2001:db8::1]/cb", "web"),
        ("http://127.0.0.1:8401/callback", "spa"),
        ("http://localhost:4430", "native"),
        ("http://[::1]/cb", "native"),
        ("com.example.app:/callback", "native"),
        ("myapp://callback", "native"),
        ("https://app.example/" + "a" * (MAX_REDIRECT_URI - 20), "web"),
    ],
)
def test_what_may_be_registered(redirect_uri: str, kind: ApplicationKind) -> None:
    check_registration(redirect_uri, kind)


NOT_ABSOLUTE, MALFORMED = "redirect_uri_not_absolute", "redirect_uri_malformed"
FORBIDDEN = "redirect_uri_scheme_forbidden"


@pytest.mark.parametrize(
    ("redirect_uri", "kind", "reason"),
    [
        ("", "web", NOT_ABSOLUTE),
        ("/callback", "web", NOT_ABSOLUTE),
        ("//app.example/callback", "web", NOT_ABSOLUTE),
        ("https://app.example/cb#fragment", "web", NOT_ABSOLUTE),
        ("https://app.example/c b", "web", NOT_ABSOLUTE),
        ("https://app.example/cb\n", "web", NOT_ABSOLUTE),
        ("https://äpp.example/cb", "web", NOT_ABSOLUTE),
        ("https://app.example\\@evil.example/", "web", NOT_ABSOLUTE),
        ("HTTPS://app.example/cb", "web", NOT_ABSOLUTE),
        ("https://app.example/" + "a" * MAX_REDIRECT_URI, "web", NOT_ABSOLUTE),
        ("javascript:alert(1)", "native", FORBIDDEN),
        ("data:text/html,x", "native", FORBIDDEN),
        ("vbscript:x", "native", FORBIDDEN),
        ("file:///etc/passwd", "native", FORBIDDEN),
        ("blob:https://app.example/1", "native", FORBIDDEN),
        ("about:blank", "native", FORBIDDEN),
        ("view-source:https://app.example/", "native", FORBIDDEN),
        ("com.example.app:/callback", "spa", "redirect_uri_private_scheme"),
        ("myapp://callback", "web", "redirect_uri_private_scheme"),
        ("https:///callback", "web", MALFORMED),
        ("https:callback", "web", MALFORMED),
        ("https://user@app.example/cb", "web", MALFORMED),
        ("https://App.example/cb", "web", MALFORMED),
        ("https://app.example:port/cb", "web", MALFORMED),
        ("https://*.example/cb", "web", MALFORMED),
        ("http://app.example/cb", "web", "redirect_uri_not_https"),
        ("http://127.0.0.1.evil.example/cb", "native", "redirect_uri_not_https"),
        ("http://localhost.evil.example/cb", "native", "redirect_uri_not_https"),
    ],
)
def test_what_must_not_be_registered(redirect_uri: str, kind: ApplicationKind, reason: str) -> None:
    with refused(InvalidRequest, reason):
        check_registration(redirect_uri, kind)


@given(st.text(max_size=80), st.sampled_from(KINDS))
def test_any_text_may_be_registered_or_is_an_invalid_request(text: str, kind: ApplicationKind) -> None:
    try:
        check_registration(text, kind)
    except InvalidRequest:
        return
    assert text.isascii()
    assert "#" not in text


@pytest.mark.parametrize(
    ("redirect_uri", "origin"),
    [
        ("https://app.example/callback", "https://app.example"),
        ("https://app.example?x=/y", "https://app.example"),
        ("http://127.0.0.1:8401/callback", "http://127.0.0.1:8401"),
        ("http://[::1]:8401/cb", "http://[::1]:8401"),
        ("myapp://callback", "myapp:"),
        ("com.example.app:/callback", "com.example.app:"),
    ],
)
def test_the_origin_that_form_action_and_cors_name(redirect_uri: str, origin: str) -> None:
    assert origin == origin_of(redirect_uri)


def test_a_mismatch_is_shown_part_by_part() -> None:
    parts = compare_parts("http://app.example:81/cb?y", "https://app.example/callback?x", "spa")
    assert (
        ComparedPart("scheme", "http", "https", False),
        ComparedPart("user", "", "", True),
        ComparedPart("host", "app.example", "app.example", True),
        ComparedPart("port", "81", "", False),
        ComparedPart("path", "/cb", "/callback", False),
        ComparedPart("query", "y", "x", False),
        ComparedPart("fragment", "", "", True),
    ) == parts


@pytest.mark.parametrize(
    ("sent", "registered", "kind", "port"),
    [
        ("http://127.0.0.1:4711/x", "http://127.0.0.1/cb", "native", ("4711", "any", True)),
        ("http://127.0.0.1/x", "http://127.0.0.1:80/cb", "native", ("", "any", True)),
        ("http://127.0.0.1:0/cb", "http://127.0.0.1/cb", "native", ("0", "any", False)),
        ("http://127.0.0.1:" + "9" * 5000, "http://127.0.0.1/cb", "native", ("9" * 5000, "any", False)),
        ("http://127.0.0.1:4711/x", "http://127.0.0.1/cb", "spa", ("4711", "", False)),
        ("https://app.example:1/cb", "https://app.example/cb", "native", ("1", "", False)),
    ],
)
def test_the_port_of_a_native_loopback_address_is_not_what_is_wrong(
    sent: str, registered: str, kind: ApplicationKind, port: tuple[str, str, bool]
) -> None:
    [found] = [part for part in compare_parts(sent, registered, kind) if part.name == "port"]
    assert port == (found.requested, found.registered, found.same)


def test_a_native_clients_mismatch_logs_the_path_and_not_the_port() -> None:
    with refused(RedirectUriMismatch, "redirect_uri_mismatch") as caught:
        find_redirect_uri("http://127.0.0.1:4711/x", NATIVE, is_openid=False)
    assert "path: requested '/x', registered '/cb'" == caught.value.detail


@given(st.text(max_size=80))
def test_any_text_can_be_shown_part_by_part(text: str) -> None:
    assert 7 == len(compare_parts(text, "https://app.example/cb", "spa"))
