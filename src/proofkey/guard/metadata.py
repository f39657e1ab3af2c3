"""Where an API says which issuers it trusts and how it takes tokens: protected resource metadata (RFC 9728)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from proofkey.guard.challenge import Answer
from proofkey.protocol.issuer import is_safe_address

WELL_KNOWN = "/.well-known/oauth-protected-resource"


def is_resource(identifier: str) -> bool:
    """True where *identifier* can be a resource's: an https URL without fragment, or http on loopback (RFC 9728 §1.2)."""
    return is_safe_address(identifier) and "#" not in identifier


def metadata_path(resource: str) -> str:
    """Path and query of the metadata of *resource*: the well-known part goes before its own path (RFC 9728 §3.1)."""
    parts = urlsplit(resource)
    path = "" if parts.path == "/" else parts.path
    return f"{WELL_KNOWN}{path}" + (f"?{parts.query}" if parts.query else "")


def render_metadata(
    resource: str, *, issuers: Iterable[str], scopes: Collection[str], further: Mapping[str, Any]
) -> Answer:
    """The metadata of *resource* as a response that anybody may read, pages of other origins included (RFC 9728 §3.2)."""
    metadata: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": list(issuers),
        "bearer_methods_supported": ["header"],
    }
    if scopes:
        metadata["scopes_supported"] = sorted(scopes)
    body = json.dumps({**metadata, **further}).encode()
    headers = (
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("cache-control", "public, max-age=300"),
        ("access-control-allow-origin", "*"),
    )
    return Answer(200, headers, body)
