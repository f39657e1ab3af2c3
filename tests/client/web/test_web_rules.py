"""The pure rules of the web client under made-up input: addresses, paths, headers, challenges."""

from __future__ import annotations

from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.client.answer import Arrival
from proofkey.client.web.addresses import Addresses
from proofkey.client.web.api import Api
from proofkey.client.web.callback import Answer
from proofkey.client.web.cookie import read_cookies
from proofkey.client.web.csrf import is_from_elsewhere
from proofkey.client.web.forwarding import request_headers, response_headers, upstream_url
from proofkey.client.web.message import Message, Request
from proofkey.client.web.session import Contents, HeldToken
from proofkey.client.web.site import Sweeper
from proofkey.client.web.step_up import read_step_up
from proofkey.client.web.store.memory import MemoryStore
from proofkey.client.web.transaction import Transaction
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
    back = response_headers("/api", API, API.url, 200, [(b"X-Good", b"1"), (b"x-bad", b"1\n2")])
    assert [b"x-good"] == [name for name, _ in back if name.startswith(b"x-good") or name == b"x-bad"]


def test_cookies_an_api_may_set_come_back_only_where_allowed() -> None:
    sent = [(b"set-cookie", b"a=b")]
    assert b"no-store" == dict(response_headers("/api", API, API.url, 200, []))[b"cache-control"]
    confirmed = dict(response_headers("/api", API, API.url, 304, []))
    assert (None, b"Cookie, Sec-Fetch-Dest") == (confirmed.get(b"cache-control"), confirmed[b"vary"])
    assert (b"set-cookie", b"a=b") not in response_headers("/api", API, API.url, 200, sent)
    allowed = Api(url=API.url, set_cookie=True)
    assert (b"set-cookie", b"a=b") in response_headers("/api", allowed, API.url, 200, sent)
    for ours in (
        b"__Host-proofkey_session_1=x; Path=/",
        b"proofkey_login_1=x",
        b"__HOST-PROOFKEY_session_1=x",
        b"a=b\r\nc: d",
    ):
        assert (b"set-cookie", ours) not in response_headers("/api", allowed, API.url, 200, [(b"set-cookie", ours)])


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


@pytest.mark.parametrize("segment", ["..;", ".;", "..;x=1", "..%3b", "%2e%2e;", "%2E.%3B", "a%0d", "a%1f", "a%7f"])
def test_a_path_that_some_server_would_shorten_goes_nowhere(segment: str) -> None:
    with pytest.raises(InvalidRequest, match="proxied_path_ambiguous"):
        upstream_url("/api", API, f"/api/{segment}/admin".encode(), b"")


@pytest.mark.parametrize(
    ("sites", "origins", "expected"),
    [
        ([], [], False),
        ([], ["https://app.example"], False),
        ([], ["null"], True),
        ([], ["https://evil.example"], True),
        ([], ["https://app.example", "https://app.example"], True),
        (["same-origin"], [], False),
        (["same-origin"], ["https://app.example"], False),
        (["same-origin"], ["null"], False),
        (["same-origin"], ["https://evil.example"], True),
        (["none"], [], False),
        (["none"], ["null"], True),
        (["same-site"], ["https://app.example"], True),
        (["cross-site"], [], True),
        (["cross-site"], ["null"], True),
        (["cross-site", "same-origin"], [], True),
        (["same-origin", "same-origin"], [], True),
        (["of-the-future"], [], True),
    ],
)
def test_where_a_request_comes_from_is_what_the_browser_says(
    sites: list[str], origins: list[str], expected: bool
) -> None:
    headers = [(b"sec-fetch-site", site.encode()) for site in sites]
    headers += [(b"origin", origin.encode()) for origin in origins]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    assert expected == is_from_elsewhere(Request(scope, nothing_comes), "https://app.example")


async def nothing_comes() -> Message:
    return {"type": "http.disconnect"}


@pytest.mark.parametrize("blank", [b"\xa0", b"\x85", b"\x1c", b"\x0b"])
def test_a_cookie_of_almost_our_name_is_another_cookie(blank: bytes) -> None:
    planted = blank + b"__Host-proofkey_session_1=mallory"
    assert "__Host-proofkey_session_1" not in read_cookies([(b"cookie", planted)])
    ours = b"__Host-proofkey_session_1=alice; \t"
    assert "alice" == read_cookies([(b"cookie", ours + planted)])["__Host-proofkey_session_1"]


@pytest.mark.parametrize(
    "name",
    [b"client-cert", b"x-ssl-client-cert", b"remote-user", b"true-client-ip", b"x-original-method", b"x-envoy-peer"],
)
def test_what_a_proxy_would_say_of_the_client_is_not_said_by_the_client(name: bytes) -> None:
    assert [(b"accept", b"*/*")] == request_headers([(name, b"forged"), (b"accept", b"*/*")])


@pytest.mark.parametrize("name", [b"X-Accel-Redirect", b"x-sendfile", b"x-litespeed-location", b"Speculation-Rules"])
def test_an_api_gives_no_orders_to_what_stands_in_front(name: bytes) -> None:
    assert name.lower() not in dict(
        response_headers("/api", API, "https://api.example/v1/a", 200, [(name, b"/etc/passwd")])
    )


def test_a_location_that_is_no_address_goes_nowhere() -> None:
    sent = [(b"location", b"http://[evil"), (b"etag", b"1")]
    headers = dict(response_headers("/api", API, "https://api.example/v1/a", 200, sent))
    assert b"location" not in headers
    assert b"1" == headers[b"etag"]


def test_what_holds_a_secret_does_not_show_it() -> None:
    held = HeldToken("the-access-token", 1)
    contents = Contents("a1", {"email": "a@b"}, 0, "openid", {"": held}, "the-refresh-token", "the-id-token")
    transaction = Transaction("https://a", "s", "n", "the-verifier", True, "/", None, None, None)
    shown = repr(
        [held, contents, transaction, Answer("the-state", "code=the-code"), Arrival("came_back", "?code=the-code")]
    )
    assert "the-" not in shown


async def test_logins_that_nobody_ended_go_faster_than_anybody_begins_them() -> None:
    store, sweeper = MemoryStore(limit=5_000), Sweeper()
    for number in range(1_500):
        await store.keep_transaction(number.to_bytes(32, "big"), "sealed", until=1, now=0)
    left = []
    for second in range(4):
        await sweeper.sweep(store, 10_000 + second)
        left.append(len(store._transactions))
    assert [1_000, 500, 0, 0] == left
