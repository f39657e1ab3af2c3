"""Config: issuers, and settings that stop the start."""

from __future__ import annotations

from typing import Any

import pytest

from proofkey.server.config import Config, ConfigError, Throttle, parse_master_key

KEY = b"k" * 32


def config(**settings: Any) -> Config:
    """A sound Config, less what *settings* break."""
    return Config(
        **{"public_url": "https://auth.example", "database": "sqlite:///tmp/a.db", "master_key": KEY} | settings
    )


@pytest.mark.parametrize(
    ("public_url", "region", "expected"),
    [
        ("https://auth.example", "", "https://auth.example/acme/main"),
        ("https://auth.example:8443/id", "eu", "https://auth.example:8443/id/acme/main"),
        ("https://{tenant}.{region}.auth.example", "eu", "https://acme.eu.auth.example/acme/main"),
        ("https://{tenant}.{region}.auth.example", "", "https://acme.auth.example/acme/main"),
        ("http://localhost:8400", "", "http://localhost:8400/acme/main"),
        ("http://[::1]:8400", "", "http://[::1]:8400/acme/main"),
    ],
)
def test_an_issuer_is_the_public_url_with_tenant_and_workspace(public_url: str, region: str, expected: str) -> None:
    assert expected == config(public_url=public_url, region=region).issuer_for("acme", "main")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("public_url", "http://auth.example"),
        ("public_url", "http://127.0.0.1.example"),
        ("public_url", "ftp://auth.example"),
        ("public_url", "https://auth.example/"),
        ("public_url", "https://auth.example?a=b"),
        ("public_url", "https://auth.example#top"),
        ("public_url", "https://me@auth.example"),
        ("public_url", "https://auth.example:99999"),
        ("public_url", "https://{user}.auth.example"),
        ("public_url", "https://auth.example/{tenant}"),
        ("public_url", "https://auth example"),
        ("public_url", "auth.example"),
        ("public_url", "https://[::1"),
        ("database", "mysql://localhost/db"),
        ("database", "sqlite:proofkey.db"),
        ("master_key", b"short"),
        ("region", "EU"),
        ("log_level", "loud"),
        ("throttle.per_name", Throttle(per_name_allowed=0)),
        ("throttle.per_address", Throttle(per_address_for=10)),
        ("trusted_proxies", ("the proxy",)),
    ],
)
def test_a_mistake_stops_the_start_and_names_the_setting(setting: str, value: object) -> None:
    with pytest.raises(ConfigError) as wrong:
        config(**{setting.split(".")[0]: value})
    assert setting == wrong.value.setting
    assert str(wrong.value).startswith(f"{setting}: ")


def test_the_master_key_is_not_shown() -> None:
    assert "kkkk" not in repr(config())


@pytest.mark.parametrize(
    "text",
    ["6b" * 32, "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s", " a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n"],
)
def test_a_master_key_is_hex_or_base64url(text: str) -> None:
    assert KEY == parse_master_key(text)


@pytest.mark.parametrize(
    "text", ["", "6b" * 31, "zz" * 32, "a2tr", "é" * 43, "!!!" + "A" * 40, "A" * 42 + "B", "a" * 64 + "bc"]
)
def test_another_master_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^master_key: "):
        parse_master_key(text)
