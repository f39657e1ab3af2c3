"""Using a refresh token: read, fetch the grant, ask, write once, mint (RFC 6749 §6)."""

from __future__ import annotations

from typing import assert_never

from proofkey.protocol.errors import RefreshRefused
from proofkey.protocol.records import Client, Json, LiveGrant
from proofkey.protocol.refresh_token import Refresh, RefreshToken, check_refresh
from proofkey.protocol.resource import choose_audience
from proofkey.protocol.scope import narrow_scope
from proofkey.seal import SealBroken
from proofkey.server.flows.token_response import Mint
from proofkey.server.issuer import Issuer
from proofkey.server.store.contract import (
    AuthorizationGone,
    CounterAhead,
    GrantStore,
    RefreshReplayed,
    Retried,
    Rotated,
)


async def refresh(sent: Refresh, client: Client, *, mint: Mint, store: GrantStore) -> dict[str, Json]:
    """The token response for a refresh token. Raises `OAuthError`."""
    issuer, now = mint.issuer, mint.now
    token = read_token(issuer, sent.refresh_token)
    live = await find_live(token, store, now)
    proven = check_refresh(token, live, client, issuer.workspace.lifetimes, now)
    scope = narrow_scope(sent.scope, live.grant.scope)
    audience = choose_audience(sent.resource, live.grant.resources, issuer.url)
    match await store.rotate_refresh(proven, now):
        case Rotated() | Retried():
            return _respond(live, token, client, mint, audience, scope)
        case RefreshReplayed():
            raise RefreshRefused("refresh_replayed")
        case CounterAhead():
            raise RefreshRefused("refresh_counter_ahead")
        case AuthorizationGone():
            raise RefreshRefused("refresh_authorization_gone")
        case never:
            assert_never(never)


def _respond(
    live: LiveGrant, token: RefreshToken, client: Client, mint: Mint, audience: str, scope: tuple[str, ...]
) -> dict[str, Json]:
    response = mint.access_token(live, audience, scope)
    counter = token.counter + 1 if client.rotates else token.counter
    response["refresh_token"] = mint.issuer.refresh_tokens.write(live.grant.id, counter, token.secret, token.key)
    return mint.with_id_token(response, live, client, nonce=None)


async def find_live(token: RefreshToken, store: GrantStore, now: int) -> LiveGrant:
    """The grant the token names, if it is live."""
    live = await store.find_grant(token.workspace_id, token.grant_id, now)
    if live is None:
        raise RefreshRefused("refresh_grant_dead")
    return live


def read_token(issuer: Issuer, text: str) -> RefreshToken:
    """What the token says; a forged one stops here and never reaches the database."""
    try:
        return issuer.refresh_tokens.read(text, issuer.workspace.id)
    except SealBroken:
        raise RefreshRefused("refresh_not_ours") from None
