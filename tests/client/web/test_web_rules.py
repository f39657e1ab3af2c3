"""The pure rules of the web client under made-up input: addresses, paths, headers, challenges."""

from __future__ import annotations

from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.client.web.addresses import Addresses
from proofkey.client.web.api import Api
from proofkey.client.web.cookie import read_cookies
from proofkey.client.web.forwarding import request_headers, response_headers, upstream_url
from proofkey.client.web.step_up import read_step_up
from proofkey.protocol.errors import InvalidRequest

ADDRESSES = Addresses.beside("https://app.example/auth/callback")
API = Api(url="https://api.example/v1")
PIECES = st.lists(
    st.sampled_from(
        ["/", "\\", ".", "..", "%2e", "%2f", "%5c", "//", "@", ":", "evil.example", "a", "?", "#", "\t", "%09", "ü"]
    ),
    max_size=8,
).map("".join)


@given(st.one_of(st.text(max_size=60), PIECES, PIECES.map("/".__add__)))
def test_a_return_address_never_leaves_the_origin(sent: str) -> None:
    target = urlsplit(urljoin(ADDRESSES.redirect_uri, ADDRESSES.check_return_to(sent)))
    assert ("https", "app.example") == (target.scheme, target.netloc)
    assert not target.path.startswith("//")


@given(st.one_of(st.text(max_size=60), PIECES, PIECES.map("/api/".__add__)))
def test_a_proxied_path_never_leaves_the_api(sent: str) -> None:
    try:
        url = upstream_url("/api", API, sent.encode("utf-8"), b"")
    except InvalidRequest:
        return
    target = urlsplit(url)
    assert ("https", "api.example") == (target.scheme, target.netloc)
    assert target.path == "/v1" or target.path.startswith("/v1/")
    assert not {".", ".."} & set(unquote(target.path).split("/"))
    assert "\\" not in unquote(target.path)


def test_paths_and_queries_go_on_as_they_are() -> None:
    for path, query, expected in (
        ("/api", "", "https://api.example/v1"),
        ("/api/", "", "https://api.example/v1/"),
        ("/api/notes/a%20b/", "q=%2F..%2F&empty", "https://api.example/v1/notes/a%20b/?q=%2F..%2F&empty"),
        ("/api/~me/@x;v=1,2", "a=[1]&b={}|^`", "https://api.example/v1/~me/@x;v=1,2?a=[1]&b={}|^`"),
    ):
        assert expected == upstream_url("/api", API, path.encode(), query.encode())
    for path in ("/apis/notes", "/ap", "/API/notes"):
        with pytest.raises(InvalidRequest, match="proxied_path_ambiguous"):
            upstream_url("/api", API, path.encode(), b"")
    for query in (b"a b", b"a\r\nb", b"a#b", b"\xff", b'a"', b"<"):
        with pytest.raises(InvalidRequest, match="proxied_path_ambiguous"):
            upstream_url("/api", API, b"/api/notes", query)


def test_headers_with_line_breaks_go_nowhere() -> None:
    sent = [(b"x-good", b"1"), (b"x-bad", b"1\r\nx-evil: 1"), (b"x bad", b"1"), (b"X-Upper", b"1")]
    assert [(b"x-good", b"1")] == request_headers(sent)
    back = response_headers("/api", API, API.url, [(b"X-Good", b"1"), (b"x-bad", b"1\n2")])
    assert [b"x-good"] == [name for name, _ in back if name.startswith(b"x-good") or name == b"x-bad"]


def test_cookies_an_api_may_set_come_back_only_where_allowed() -> None:
    sent = [(b"set-cookie", b"a=b")]
    assert (b"set-cookie", b"a=b") not in response_headers("/api", API, API.url, sent)
    allowed = Api(url=API.url, set_cookie=True)
    assert (b"set-cookie", b"a=b") in response_headers("/api", allowed, API.url, sent)


@given(st.binary(max_size=80))
def test_any_cookie_header_can_be_read(sent: bytes) -> None:
    assert all(len(value) <= 128 for value in read_cookies([(b"cookie", sent)]).values())


@pytest.mark.parametrize(
    ("challenge", "expected"),
    [
        (
            'Bearer error="insufficient_user_authentication", acr_values="a b", max_age="5"',
            {"acr_values": "a b", "max_age": "5"},
        ),
        ("DPoP max_age=0, error=insufficient_user_authentication", {"max_age": "0"}),
        ('bearer realm="x\\"y", error="insufficient_user_authentication"', {}),
        ('Bearer error="insufficient_user_authentication", max_age="-1", acr_values="a\\nb"', {"acr_values": "anb"}),
        ('Bearer error="invalid_token"', None),
        ('Basic error="insufficient_user_authentication"', None),
        ('Bearer error_description="error=\\"insufficient_user_authentication\\""', None),
        ("", None),
        ("Bearer " + "x" * 5_000, None),
    ],
)
def test_a_challenge_for_a_stronger_sign_in_is_read(challenge: str, expected: dict[str, str] | None) -> None:
    assert expected == read_step_up([challenge])


@given(st.text(max_size=200))
def test_any_challenge_can_be_read(sent: str) -> None:
    read_step_up([sent, f"Bearer {sent}"])
