"""Token revocation (RFC 7009).

1. Any authentic refresh token of the caller's own client, whatever its counter, revokes the whole grant.
2. An access token of its own ends the grant's access tokens issued so far; the refresh token lives on.
3. Another client's token, and anything unknown, changes nothing and is answered alike: 200 with `{}`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from proofkey.protocol.errors import InvalidRequest
from proofkey.protocol.records import Client, Grant
from proofkey.protocol.refresh_token import RefreshToken, hash_secret


def parse_revocation(params: Mapping[str, str]) -> str:
    """The token to revoke; token_type_hint is only a hint and is not needed (RFC 7009 §2.1)."""
    token = params.get("token")
    if token is None:
        raise InvalidRequest("token_missing", "token is required")
    return token


def may_revoke_access(client: Client, grant: Grant) -> bool:
    """True for the client the access token was issued to (RFC 7009 §2.1)."""
    return grant.client_id == client.id


def may_revoke_grant(client: Client, grant: Grant, token: RefreshToken) -> bool:
    """True for the client whose authentic refresh token this is; its counter does not matter."""
    if grant.client_id != client.id or grant.refresh_hash is None:
        return False
    return hmac.compare_digest(hash_secret(token.secret), grant.refresh_hash)
