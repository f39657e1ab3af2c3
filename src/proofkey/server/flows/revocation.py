"""Ending what a token stands for (RFC 7009)."""

from __future__ import annotations

from proofkey.protocol.errors import InvalidToken, RefreshRefused
from proofkey.protocol.records import Client
from proofkey.protocol.revocation import may_revoke_access, may_revoke_grant
from proofkey.server.flows import access_token
from proofkey.server.flows.access_token import KnownSignatures
from proofkey.server.flows.refresh_token import read_token
from proofkey.server.issuer import Issuer
from proofkey.server.store.contract import GrantStore


async def revoke(
    token: str, client: Client, issuer: Issuer, *, store: GrantStore, known: KnownSignatures, now: int
) -> None:
    """Revoke *token* if it is this client's; anything else changes nothing and looks the same (RFC 7009 §2.2)."""
    if "." in token:
        await _revoke_access(token, client, issuer, store, known, now)
    else:
        await _revoke_refresh(token, client, issuer, store, now)


async def _revoke_refresh(text: str, client: Client, issuer: Issuer, store: GrantStore, now: int) -> None:
    try:
        token = read_token(issuer, text)
    except RefreshRefused:
        return
    live = await store.find_grant(token.workspace_id, token.grant_id, now)
    if live is not None and may_revoke_grant(client, live.grant, token):
        await store.revoke_grant(token.workspace_id, token.grant_id, "revoked_by_client", now)


async def _revoke_access(
    text: str, client: Client, issuer: Issuer, store: GrantStore, known: KnownSignatures, now: int
) -> None:
    try:
        token = access_token.verify(text, issuer, known, now)
        live = await access_token.find_alive(token, issuer, store, now)
    except InvalidToken:
        return
    if may_revoke_access(client, live.grant):
        await store.revoke_access(issuer.workspace.id, token.grant_id, now)
