"""Scopes: their syntax, what a request may have, and what a narrowing leaves (RFC 6749 §3.3).

1. Unknown or forbidden scopes are refused, never silently dropped: what is granted is what was asked.
2. OpenID scopes ride along with any audience; an API's scopes only with that API's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from proofkey.protocol.errors import InvalidScope
from proofkey.protocol.records import Api, Client

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*", re.ASCII)
MAX_SCOPE = 2_048
CLAIMS_BY_SCOPE: dict[str, tuple[str, ...]] = {
    "profile": (
        "name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
        "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}  # fmt: skip
OPENID_SCOPES = frozenset({"openid", "offline_access", *CLAIMS_BY_SCOPE})


def parse_scope(text: str) -> tuple[str, ...]:
    """The scope tokens in the order sent, each once."""
    if len(text) > MAX_SCOPE or not _SCOPE.fullmatch(text):
        raise InvalidScope("scope_malformed", "scope must be tokens separated by single spaces")
    return tuple(dict.fromkeys(text.split(" ")))


def check_scope(asked: str | None, client: Client) -> tuple[str, ...]:
    """What the client asked for, or its default_scope where it asked for nothing, if it may have all of it."""
    if asked is None:
        if not client.default_scope:
            raise InvalidScope("scope_required", "scope is required: this client has no default scope")
        return client.default_scope
    scope = parse_scope(asked)
    beyond = [token for token in scope if token not in client.scopes]
    if beyond:
        raise InvalidScope("scope_not_allowed", "scope names one that is unknown or not allowed for this client")
    if "offline_access" in scope and "refresh_token" not in client.grant_types:
        raise InvalidScope("offline_not_allowed", "scope offline_access needs the grant type refresh_token")
    return scope


def narrow_scope(asked: str | None, granted: tuple[str, ...]) -> tuple[str, ...]:
    """What a refresh asks for, never more than was granted (RFC 6749 §6); all of it where nothing is asked."""
    if asked is None:
        return granted
    scope = parse_scope(asked)
    if not set(scope) <= set(granted):
        raise InvalidScope("scope_beyond_grant", "scope must not exceed what was granted")
    return scope


def scope_for(scope: Collection[str], apis: Iterable[Api], audience: str) -> tuple[str, ...]:
    """The part of *scope* an access token for *audience* carries: OpenID scopes, and that API's own."""
    here = {name for api in apis if api.audience == audience for name in api.scopes}
    return tuple(name for name in scope if name in here or name in OPENID_SCOPES)
