"""The client acting for itself (RFC 6749 §4.4)."""

from __future__ import annotations

from collections.abc import Mapping

from proofkey.protocol.errors import InvalidScope, UnauthorizedClient
from proofkey.protocol.records import Client
from proofkey.protocol.scope import OPENID_SCOPES, check_scope


def check_client_credentials(params: Mapping[str, str], client: Client) -> tuple[str, ...]:
    """The scope this confidential client may have for itself; nothing that speaks of a person."""
    if client.is_public:
        raise UnauthorizedClient("client_credentials_public", "client_credentials needs a confidential client")
    scope = check_scope(params.get("scope"), client) if "scope" in params else own_scope(client)
    if OPENID_SCOPES & set(scope):
        raise InvalidScope("scope_of_a_person", "scope must not hold OpenID scopes with client_credentials")
    return scope


def own_scope(client: Client) -> tuple[str, ...]:
    """What is granted where no scope is asked for: the default, else everything the client may have for itself."""
    return client.default_scope or tuple(name for name in client.scopes if name not in OPENID_SCOPES)
