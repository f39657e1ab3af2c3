"""Issuer identifiers: which may be believed, and where their metadata are (RFC 8414 §2, §3; OpenID Discovery §4).

1. An issuer is an https URL without query and fragment; plain http is for loopback addresses alone.
2. Issuers are compared as the bytes they are; nothing here normalises one.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_IN_NO_URI = '"<>\\^`{|}\x7f'
"""What RFC 3986 §2 has no place for; browsers, shells and other readers take it each in their own way."""


def is_safe_address(url: str) -> bool:
    """True where *url* is https, or http to this very machine: 127.0.0.0/8, [::1] or localhost."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or not url.isascii() or any(mark <= " " for mark in url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """True where *host* is this machine: localhost, 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def may_be_of(url: str, issuer: str) -> bool:
    """True where *url* may be an address that *issuer* names: https, or http on loopback where the issuer itself is there.

    An issuer elsewhere that names an address of this machine would have us ask our own services for it (RFC 8414 §2).
    """
    is_spelt = not any(mark in _IN_NO_URI for mark in url)
    return is_spelt and is_safe_address(url) and (url.startswith("https:") or issuer.startswith("http:"))


def is_issuer(url: str) -> bool:
    """True where *url* can be an issuer identifier (RFC 8414 §2)."""
    return is_safe_address(url) and "?" not in url and "#" not in url


def origin_of(url: str) -> str:
    """Scheme, host and port of *url*, as written."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def metadata_addresses(issuer: str) -> tuple[str, str]:
    """Where to ask for the metadata, in this order: RFC 8414 §3.1 (before the path), then OpenID Discovery §4.1."""
    path = urlsplit(issuer).path.rstrip("/")
    return (
        f"{origin_of(issuer)}/.well-known/oauth-authorization-server{path}",
        f"{issuer.rstrip('/')}/.well-known/openid-configuration",
    )
