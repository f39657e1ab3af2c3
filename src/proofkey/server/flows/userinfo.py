"""The userinfo endpoint (OpenID Connect Core §5.3): any live access token of the workspace with `openid`."""

from __future__ import annotations

from proofkey.protocol.errors import InsufficientScope, InvalidToken
from proofkey.protocol.id_token import userinfo_claims
from proofkey.protocol.records import Json
from proofkey.server.flows import access_token
from proofkey.server.flows.access_token import KnownSignatures
from proofkey.server.issuer import Issuer
from proofkey.server.store.contract import GrantStore


async def read_userinfo(
    token: str, issuer: Issuer, *, store: GrantStore, known: KnownSignatures, now: int
) -> dict[str, Json]:
    """The claims of the person behind *token*. Raises `InvalidToken` or `InsufficientScope`."""
    verified = access_token.verify(token, issuer, known, now)
    live = await access_token.find_alive(verified, issuer, store, now)
    if "openid" not in verified.scope:
        raise InsufficientScope("userinfo_needs_openid", "The access token needs scope openid")
    if live.user is None:
        raise InvalidToken("userinfo_without_person")
    return userinfo_claims(live.grant, live.user, verified.scope)
