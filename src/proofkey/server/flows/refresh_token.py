"""Using a refresh token: read, fetch the grant, ask, write once, mint (RFC 6749 §6)."""

from __future__ import annotations

from typing import assert_never

import structlog

from proofkey.protocol.errors import RefreshRefused
from proofkey.protocol.records import Client, Json, LiveGrant
from proofkey.protocol.refresh_token import ProvenRefresh, Refresh, RefreshToken, check_refresh
from proofkey.protocol.resource import Access, choose_access
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
    RotateOutcome,
)

_log = structlog.get_logger()


async def refresh(sent: Refresh, client: Client, *, mint: Mint, store: GrantStore) -> dict[str, Json]:
    """The token response for a refresh token. Raises `OAuthError`.

    What is asked for is judged before a current token is spent; for an older one the store speaks first, so that a thief
    learns of the replay and nothing else.
    """
    issuer, now = mint.issuer, mint.now
    token = read_token(issuer, sent.refresh_token)
    live = await find_live(token, store, now)
    proven = check_refresh(token, live, client, issuer.workspace.lifetimes, now)
    if token.counter < live.grant.counter:
        counter = _accept(await store.rotate_refresh(proven, now), proven)
        access = _choose(sent, live, client, issuer)
    else:
        access = _choose(sent, live, client, issuer)
        counter = _accept(await store.rotate_refresh(proven, now), proven)
    response = mint.access_token(live, access)
    response["refresh_token"] = issuer.refresh_tokens.write(live.grant.id, counter, token.secret, token.key)
    return mint.with_id_token(response, live, access, client, nonce=None)


def _choose(sent: Refresh, live: LiveGrant, client: Client, issuer: Issuer) -> Access:
    scope = narrow_scope(sent.scope, live.grant.scope)
    return choose_access(scope, live.grant.resources, sent.resource, client, issuer.workspace, issuer.url)


def _accept(outcome: RotateOutcome, proven: ProvenRefresh) -> int:
    """The counter of the refresh token to answer with, or the refusal."""
    match outcome:
        case Rotated():
            return proven.counter + 1 if proven.rotates else proven.counter
        case Retried():
            _log.info("refresh_retried", workspace=proven.workspace_id)
            return proven.counter + 1
        case RefreshReplayed():
            raise RefreshRefused("refresh_replayed")
        case CounterAhead():
            raise RefreshRefused("refresh_counter_ahead")
        case AuthorizationGone():
            raise RefreshRefused("refresh_authorization_gone")
        case never:
            assert_never(never)


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
