"""Telling an authenticated client whether a token is alive (RFC 7662)."""

from __future__ import annotations

from proofkey.protocol.errors import InvalidToken, RefreshRefused
from proofkey.protocol.introspection import INACTIVE, active_access_token, active_refresh_token, may_introspect
from proofkey.protocol.records import Client, Json
from proofkey.protocol.refresh_token import check_refresh
from proofkey.server.flows import access_token
from proofkey.server.flows.access_token import KnownSignatures
from proofkey.server.flows.refresh_token import find_live, read_token
from proofkey.server.issuer import Issuer
from proofkey.server.store.contract import GrantStore


async def introspect(
    token: str, client: Client, issuer: Issuer, *, store: GrantStore, known: KnownSignatures, now: int
) -> dict[str, Json]:
    """What *client* may know of *token*; `{"active": false}` for everything dead, foreign or none of its business."""
    if "." not in token:
        return await _introspect_refresh(token, client, issuer, store, now)
    try:
        verified = access_token.verify(token, issuer, known, now)
        if not may_introspect(client, verified.client_id, verified.audience):
            return INACTIVE
        live = await access_token.find_alive(verified, issuer, store, now)
    except InvalidToken:
        return INACTIVE
    return active_access_token(verified, live)


async def _introspect_refresh(
    text: str, client: Client, issuer: Issuer, store: GrantStore, now: int
) -> dict[str, Json]:
    try:
        token = read_token(issuer, text)
        live = await find_live(token, store, now)
        check_refresh(token, live, client, issuer.workspace.lifetimes, now)
    except RefreshRefused:
        return INACTIVE
    if token.counter != live.grant.counter:
        return INACTIVE  # a spent counter is a spent token
    return active_refresh_token(live.grant, issuer.url)
