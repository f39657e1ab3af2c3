"""A client acting for itself: one row, so that its token can be revoked like any other (RFC 6749 §4.4)."""

from __future__ import annotations

from collections.abc import Mapping

from proofkey.protocol.client_credentials import check_client_credentials
from proofkey.protocol.errors import InvalidClient
from proofkey.protocol.records import Client, Grant, Json, LiveGrant
from proofkey.protocol.resource import check_access, choose_access
from proofkey.server.entropy import mint_id
from proofkey.server.flows.token_response import Mint
from proofkey.server.store.contract import GrantBegun, GrantStore


async def grant_to_client(
    params: Mapping[str, str], resource: str | None, client: Client, *, mint: Mint, store: GrantStore
) -> dict[str, Json]:
    """An access token that names no person; no refresh token (RFC 6749 §4.4.3). Raises `OAuthError`."""
    workspace = mint.issuer.workspace
    own = check_client_credentials(params, client)
    scope, resources = check_access(params.get("scope"), own, (resource,) if resource else (), client, workspace)
    access = choose_access(scope, resources, resource, client, workspace, mint.issuer.url)
    grant = _new_grant(client, scope, resources, mint)
    if not isinstance(await store.begin_grant(grant, mint.now), GrantBegun):
        raise InvalidClient("client_gone")
    return mint.access_token(LiveGrant(grant, None), access)


def _new_grant(client: Client, scope: tuple[str, ...], resources: tuple[str, ...], mint: Mint) -> Grant:
    expires_at = mint.now + mint.issuer.workspace.lifetimes.access_token_for
    return Grant(
        workspace_id=mint.issuer.workspace.id,
        id=mint_id(mint.now, mint.entropy),
        attempt=mint.entropy(8),
        client_id=client.id,
        user_id=None,
        user_epoch=0,
        session_id=None,
        consent_id=None,
        offline=True,
        scope=scope,
        resources=resources,
        claims="",
        auth_time=0,
        acr="",
        amr=(),
        created_at=mint.now,
        idle_until=expires_at,
        expires_at=expires_at,
    )
