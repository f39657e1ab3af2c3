"""Answering at a proven address (RFC 6749 §4.1.2, RFC 9207, OAuth 2.0 Multiple Response Types §2, Form Post Response Mode).

1. Only a `Reply`, which holds a proven address, can be answered.
2. Every answer, errors included, carries `iss`, and `state` byte for byte where one was sent.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from proofkey.protocol.authorize import Reply
from proofkey.protocol.errors import OAuthError

_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*", re.ASCII)


def code_fields(reply: Reply, code: str, issuer: str) -> tuple[tuple[str, str], ...]:
    """The members of a successful response."""
    return _with_state((("code", code),), reply, issuer)


def error_fields(reply: Reply, refusal: OAuthError, issuer: str) -> tuple[tuple[str, str], ...]:
    """The members of an error response."""
    return _with_state((("error", refusal.code), ("error_description", refusal.error_description)), reply, issuer)


def _with_state(fields: tuple[tuple[str, str], ...], reply: Reply, issuer: str) -> tuple[tuple[str, str], ...]:
    state = (("state", reply.state),) if reply.state is not None else ()
    return (*fields, *state, ("iss", issuer))


@lru_cache(maxsize=256)
def _encode_issuer(issuer: str) -> str:
    return quote(issuer, safe="")


def _encode(name: str, value: str) -> str:
    if name == "iss":
        return _encode_issuer(value)
    return value if _UNRESERVED.fullmatch(value) else quote(value, safe="")


def redirect_target(reply: Reply, fields: tuple[tuple[str, str], ...]) -> str:
    """The address with the answer in its query or fragment; a query the client registered is kept (RFC 6749 §3.1.2)."""
    encoded = "&".join([f"{name}={_encode(name, value)}" for name, value in fields])
    uri = reply.address.redirect_uri
    if reply.response_mode == "fragment":
        return f"{uri}#{encoded}"
    joint = "&" if "?" in uri else "?"
    return f"{uri}{joint}{encoded}"
