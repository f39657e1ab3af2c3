"""Signing out at a client's wish: what a hint may select, and where one may be sent afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from proofkey.protocol.errors import Unanswerable
from proofkey.protocol.logout import LogoutHint, LogoutRequest, parse_logout, read_hint
from proofkey.protocol.records import Client
from tests.protocol.facts import ISSUER, NATIVE, SPA, changed
from tests.protocol.refusals import refused

SIGNED_OUT = "https://app.example/signed-out"
CLIENT = changed(SPA, post_logout_redirect_uris=(SIGNED_OUT,))
HINT = LogoutHint("spa", "alice-id", "sid-1")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"iss": ISSUER, "aud": "spa", "sub": "alice-id", "sid": "sid-1"}, HINT),
        ({"iss": ISSUER, "aud": "spa", "sub": "alice-id"}, LogoutHint("spa", "alice-id", None)),
        ({"iss": ISSUER + "/", "aud": "spa", "sub": "alice-id"}, None),
        ({"aud": "spa", "sub": "alice-id"}, None),
        ({"iss": ISSUER, "aud": ["spa", "web"], "sub": "alice-id"}, None),
        ({"iss": ISSUER, "sub": "alice-id"}, None),
    ],
)
def test_a_hint_is_an_id_token_of_this_issuer_for_one_client(claims: dict[str, Any], expected: object) -> None:
    assert expected == read_hint(claims, ISSUER)


@pytest.mark.parametrize(
    ("params", "hint", "client", "return_url"),
    [
        ({}, None, None, None),
        ({}, HINT, CLIENT, None),
        ({"post_logout_redirect_uri": SIGNED_OUT}, HINT, CLIENT, SIGNED_OUT),
        ({"post_logout_redirect_uri": SIGNED_OUT, "client_id": "spa"}, HINT, CLIENT, SIGNED_OUT),
        ({"post_logout_redirect_uri": SIGNED_OUT, "client_id": "spa"}, None, None, None),
        ({"post_logout_redirect_uri": "https://evil.example"}, None, None, None),
    ],
)
def test_only_with_a_valid_hint_and_a_registered_address_is_anything_redirected(
    params: dict[str, str], hint: LogoutHint | None, client: Client | None, return_url: str | None
) -> None:
    assert LogoutRequest(hint, return_url) == parse_logout(params, hint, client)


@pytest.mark.parametrize(
    ("params", "client", "reason"),
    [
        ({"post_logout_redirect_uri": "https://evil.example"}, CLIENT, "post_logout_redirect_uri_mismatch"),
        ({"post_logout_redirect_uri": SIGNED_OUT + "/"}, CLIENT, "post_logout_redirect_uri_mismatch"),
        ({"post_logout_redirect_uri": SIGNED_OUT}, None, "post_logout_redirect_uri_mismatch"),
        ({"client_id": "web"}, CLIENT, "logout_client_differs"),
    ],
)
def test_what_is_never_redirected(params: dict[str, str], client: Client | None, reason: str) -> None:
    with refused(Unanswerable, reason):
        parse_logout(params, HINT, client)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (SIGNED_OUT, SIGNED_OUT + "?state=a%26b%20c"),
        (SIGNED_OUT + "?x=1", SIGNED_OUT + "?x=1&state=a%26b%20c"),
    ],
)
def test_state_comes_back_at_the_address(target: str, expected: str) -> None:
    client = changed(SPA, post_logout_redirect_uris=(target,))
    params = {"post_logout_redirect_uri": target, "state": "a&b c"}
    assert expected == parse_logout(params, HINT, client).return_url


def test_a_native_client_returns_to_the_port_it_listens_on() -> None:
    client = changed(NATIVE, post_logout_redirect_uris=("http://127.0.0.1/out",))
    params = {"post_logout_redirect_uri": "http://127.0.0.1:49152/out"}
    assert "http://127.0.0.1:49152/out" == parse_logout(params, HINT, client).return_url


def test_only_the_session_the_hint_names_ends_unasked() -> None:
    assert LogoutRequest(HINT, None).names_session("sid-1")
    assert not LogoutRequest(HINT, None).names_session("sid-2")
    assert not LogoutRequest(None, None).names_session("sid-1")
    assert not LogoutRequest(LogoutHint("spa", "alice-id", None), None).names_session("sid-1")
