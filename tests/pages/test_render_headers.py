"""The headers of pages, and the files beside them."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest

from proofkey.server.pages.pattern import pattern_of
from proofkey.server.pages.render import page_headers
from proofkey.server.pages.static_files import STATIC, static_address

STRICT = {
    "default-src": "'none'",
    "script-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def policy_of(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    policy = dict(headers)[b"content-security-policy"].decode("ascii")
    directives = (directive.partition(" ") for directive in policy.split("; "))
    return {name: sources for name, _, sources in directives}


def test_a_page_may_run_nothing_load_nothing_foreign_and_be_framed_by_nobody() -> None:
    assert STRICT == policy_of(page_headers())


@pytest.mark.parametrize("source", ["https://app.example", "http://127.0.0.1:8401", "com.example.app:", "myapp:"])
def test_the_proven_return_address_is_the_only_other_place_a_form_may_lead(source: str) -> None:
    assert {**STRICT, "form-action": f"'self' {source}"} == policy_of(page_headers(form_action=source))


@pytest.mark.parametrize(("origin", "source"), [("http://[::1]:8401", "http://*:8401"), ("http://[::1]", "http://*")])
def test_an_ipv6_literal_which_no_policy_can_name_is_named_by_its_port(origin: str, source: str) -> None:
    assert {**STRICT, "form-action": f"'self' {source}"} == policy_of(page_headers(form_action=origin))


def test_only_the_page_that_sends_itself_may_run_our_script() -> None:
    assert {**STRICT, "script-src": "'self'"} == policy_of(page_headers(script=True))


@pytest.mark.parametrize(
    "source",
    ["*", "'unsafe-inline'", "https:; script-src *", "https://a.example https://b.example", "https://a.example/\r\nx:1",
     "https://*.example", "a,b:", "https://a.example/path"],
)  # fmt: skip
def test_anything_but_one_origin_or_scheme_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="form_action"):
        page_headers(form_action=source)


def test_a_page_is_not_stored_not_framed_and_tells_nobody_where_one_came_from() -> None:
    headers = dict(page_headers())

    assert b"text/html; charset=utf-8" == headers[b"content-type"]
    assert b"no-store" == headers[b"cache-control"]
    assert b"no-referrer" == headers[b"referrer-policy"]
    assert b"nosniff" == headers[b"x-content-type-options"]
    assert b"DENY" == headers[b"x-frame-options"]
    assert b"geolocation=()" in headers[b"permissions-policy"]


def test_each_answer_may_be_changed_without_changing_the_next() -> None:
    page_headers().append((b"set-cookie", b"a=b"))

    assert b"set-cookie" not in dict(page_headers())


@pytest.mark.parametrize("address", STATIC)
def test_a_file_is_named_by_its_content_and_kept_for_ever(address: str) -> None:
    headers, body = STATIC[address]
    told = dict(headers)

    assert sha256(body).hexdigest().startswith(address.split(".")[-2])
    assert str(len(body)).encode() == told[b"content-length"]
    assert b"public, max-age=31536000, immutable" == told[b"cache-control"]
    assert b"nosniff" == told[b"x-content-type-options"]


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("frame.css", b"text/css; charset=utf-8"),
        ("form_post.js", b"text/javascript; charset=utf-8"),
        ("mark.svg", b"image/svg+xml"),
    ],
)
def test_a_file_says_what_it_is(name: str, content_type: bytes) -> None:
    assert content_type == dict(STATIC[static_address(name)][0])[b"content-type"]


@pytest.mark.parametrize("address", STATIC)
def test_no_file_loads_another(address: str) -> None:
    text = re.sub(r'xmlns="[^"]+"', "", STATIC[address][1].decode("utf-8"))

    assert None is re.search(r"https?:|url\(|@import|//[a-z]", text)


def test_the_pattern_is_the_hash_and_nothing_else() -> None:
    path = pattern_of("Northwind", "Field Notes")
    drawn = set()
    for column, start, length in re.findall(r"M(\d+) (\d+)v(\d+)", path):
        drawn |= {int(column) * 16 + int(start) + more for more in range(int(length) + 1)}
    bits = f"{int.from_bytes(sha256(b'Northwind' + bytes([10]) + b'Field Notes').digest(), 'big'):0256b}"

    assert {place for place, bit in enumerate(bits) if bit == "1"} == drawn
    assert path != pattern_of("Northwind", "Field Notes 2")
