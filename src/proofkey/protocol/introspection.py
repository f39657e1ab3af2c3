"""Token introspection (RFC 7662).

1. Only an authenticated confidential client learns anything: the token's own, or one registered for the API in its audience.
2. Whatever else was sent, and whatever is not alive, is `{"active": false}` and nothing more (RFC 7662 §2.2).
"""

from __future__ import annotations

from proofkey.protocol.access_token import AccessToken
from proofkey.protocol.errors import InvalidClient
from proofkey.protocol.records import Client, Grant, Json, LiveGrant, seconds

INACTIVE: dict[str, Json] = {"active": False}


def check_introspector(client: Client) -> None:
    """Refuse callers that cannot authenticate (RFC 7662 §2.1)."""
    if client.is_public:
        raise InvalidClient("introspection_by_public_client")


def may_introspect(client: Client, token_client_id: str, audience: str | None) -> bool:
    """True for the token's own client and for the API it is meant for."""
    return client.id == token_client_id or (audience is not None and audience in client.introspects)


def active_access_token(token: AccessToken, live: LiveGrant) -> dict[str, Json]:
    """The response for a live access token."""
    answer = {name: token.claims[name] for name in ("iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti")}
    answer |= {"active": True, "token_type": "Bearer"}
    if live.user is not None:
        answer |= {"username": live.user.username, "auth_time": seconds(live.grant.auth_time), "acr": live.grant.acr}
    return answer


def active_refresh_token(grant: Grant, issuer: str) -> dict[str, Json]:
    """The response for a live refresh token."""
    return {
        "active": True,
        "iss": issuer,
        "sub": grant.user_id or grant.client_id,
        "client_id": grant.client_id,
        "scope": " ".join(grant.scope),
        "exp": seconds(min(grant.idle_until, grant.expires_at)),
    }
