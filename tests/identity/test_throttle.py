"""The sign-in throttle: which addresses count together."""

from __future__ import annotations

import pytest

from proofkey.server.identity.throttle import address_prefix


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:5678", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("2001:db8:1:2::9", "2001:0db8:0001:0002"),
        ("[2001:db8:1:2::9]", "2001:0db8:0001:0002"),
        ("[2001:db8:1:2::9]:443", "2001:0db8:0001:0002"),
        ("::1", "0000:0000:0000:0000"),
        ("", ""),
        ("unknown", "unknown"),
        ("_hidden:8080", "_hidden:8080"),
        ("[192.0.2.1", "192.0.2.1"),
        ("x" * 10_000, "x" * 64),
    ],
)
def test_an_address_counts_without_its_port(address: str, expected: str) -> None:
    assert expected == address_prefix(address)
