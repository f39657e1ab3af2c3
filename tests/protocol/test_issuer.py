"""Which addresses may be an issuer, and where its metadata are (RFC 8414 §2, §3.1)."""

from __future__ import annotations

import pytest

from proofkey.protocol.issuer import is_issuer, is_safe_address, metadata_addresses


@pytest.mark.parametrize(
    "url",
    [
        "https://login.example",
        "https://login.example/acme/main/",
        "https://login.example:8443/a",
        "http://127.0.0.1:8400/demo/main",
        "http://127.9.9.9",
        "http://localhost:8400/demo/main",
        "http://[::1]:8400",
    ],
)
def test_https_and_this_machine_may_be_issuers(url: str) -> None:
    assert is_issuer(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:login.example",
        "http://login.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://[::2]",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "javascript:alert(1)",
        "https://user@login.example",
        "https://login.example?tenant=1",
        "https://login.example?",
        "https://login.example#a",
        "https://login.example/a b",
        "https://login.example\n",
        "https://login.example:port",
        "https://login.example:99999",
        "https://[::1",
        "https://bücher.example",
    ],
)
def test_nothing_else_may(url: str) -> None:
    assert not is_issuer(url)


def test_an_endpoint_may_have_a_query_where_an_issuer_may_not() -> None:
    assert is_safe_address("https://login.example/authorize?tenant=1")


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        (
            "https://a",
            ("https://a/.well-known/oauth-authorization-server", "https://a/.well-known/openid-configuration"),
        ),
        (
            "https://a:1/t/w",
            (
                "https://a:1/.well-known/oauth-authorization-server/t/w",
                "https://a:1/t/w/.well-known/openid-configuration",
            ),
        ),
        (
            "https://a/t/",
            ("https://a/.well-known/oauth-authorization-server/t", "https://a/t/.well-known/openid-configuration"),
        ),
    ],
)
def test_metadata_are_before_the_path_or_behind_it(issuer: str, expected: tuple[str, str]) -> None:
    assert expected == metadata_addresses(issuer)
