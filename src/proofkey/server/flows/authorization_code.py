"""Redeeming a code: open, ask, write once, mint (RFC 6749 §4.1.3)."""

from __future__ import annotations

from typing import assert_never

from proofkey.protocol.authorization_code import CodeExpired, ProvenCode, Redemption, check_redemption
from proofkey.protocol.errors import CodeRefused, OAuthError
from proofkey.protocol.records import AuthorizationCode, Client, Grant, Json, Lifetimes
from proofkey.protocol.refresh_token import hash_secret
from proofkey.protocol.resource import Access, choose_access
from proofkey.seal import SealBroken
from proofkey.server.flows.token_response import Mint
from proofkey.server.issuer import Issuer
from proofkey.server.sealed import open_code
from proofkey.server.store.contract import AuthorizationGone, CodeAlreadyUsed, GrantStore, Redeemed


async def redeem_code(sent: Redemption, client: Client, *, mint: Mint, store: GrantStore) -> dict[str, Json]:
    """The token response for a code, which this call alone has spent. Raises `OAuthError`."""
    issuer, now = mint.issuer, mint.now
    code = _open(issuer, sent.code)
    proven = await _check(sent, client, code, store, now)
    access = await _choose(sent, client, code, issuer, store, now)
    secret = mint.entropy(16) if "refresh_token" in client.grant_types else None
    grant = new_grant(proven, client, mint, secret)
    match await store.redeem_code(proven, grant, now):
        case Redeemed(live):
            response = mint.access_token(live, access)
            if secret is not None:
                response["refresh_token"] = issuer.refresh_tokens.write(grant.id, 0, secret, grant.refresh_key)
            return mint.with_id_token(response, live, access, client, code.nonce)
        case CodeAlreadyUsed():  # the grant is dead already: promise 3
            raise CodeRefused("code_replayed")
        case AuthorizationGone():
            raise CodeRefused("code_authorization_gone")
        case never:
            assert_never(never)


def _open(issuer: Issuer, text: str) -> AuthorizationCode:
    try:
        return open_code(issuer.code_seal, text, issuer.workspace.id)
    except SealBroken:
        raise CodeRefused("code_not_ours") from None


async def _check(sent: Redemption, client: Client, code: AuthorizationCode, store: GrantStore, now: int) -> ProvenCode:
    try:
        return check_redemption(sent, client, code, now)
    except CodeExpired:
        await _end_if_redeemed(code, store, now)
        raise


async def _choose(
    sent: Redemption, client: Client, code: AuthorizationCode, issuer: Issuer, store: GrantStore, now: int
) -> Access:
    try:
        return choose_access(code.scope, code.resources, sent.resource, client, issuer.workspace, issuer.url)
    except OAuthError:
        if await _end_if_redeemed(code, store, now):
            raise CodeRefused("code_replayed_elsewhere") from None
        raise


async def _end_if_redeemed(code: AuthorizationCode, store: GrantStore, now: int) -> bool:
    """Proven, but not to be spent: if a grant has this id, this is a second presentation, and the first may be a thief's."""
    if await store.find_grant(code.workspace_id, code.id, now) is None:
        return False
    await store.revoke_grant(code.workspace_id, code.id, "code_replayed", now)
    return True


def new_grant(proven: ProvenCode, client: Client, mint: Mint, secret: bytes | None) -> Grant:
    """The one row this sign-in leaves behind."""
    code, now = proven.code, mint.now
    lifetimes = mint.issuer.workspace.lifetimes
    expires_at = now + (absolute_life(client, lifetimes) if secret is not None else lifetimes.access_token_for)
    return Grant(
        workspace_id=code.workspace_id,
        id=code.id,
        attempt=mint.entropy(8),
        client_id=client.id,
        user_id=code.user_id,
        user_epoch=code.user_epoch,
        session_id=code.session_id,
        consent_id=code.consent_id,
        offline="offline_access" in code.scope,
        scope=code.scope,
        resources=code.resources,
        claims=code.claims,
        auth_time=code.auth_time,
        acr=code.acr,
        amr=code.amr,
        created_at=now,
        idle_until=min(now + lifetimes.refresh_idle_for, expires_at),
        expires_at=expires_at,
        refresh_hash=None if secret is None else hash_secret(secret),
        refresh_key=mint.issuer.refresh_tokens.active,
        rotated_at=now,
    )


def absolute_life(client: Client, lifetimes: Lifetimes) -> int:
    """How long a grant may be refreshed at most; shorter for single-page apps."""
    return lifetimes.refresh_absolute_for_spa if client.kind == "spa" else lifetimes.refresh_absolute_for
