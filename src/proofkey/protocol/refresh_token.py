"""Using a refresh token (RFC 6749 §6, RFC 9700 §4.14.2).

1. A token says grant, counter and a secret; its MAC is checked before any row is read, its secret against the row's hash.
2. A mismatch of client or secret, or an end of life, refuses before any state is touched.
3. A narrowing refresh narrows the access token, never the grant.
4. Only `check_refresh` makes a `ProvenRefresh`; who was first, only the store decides.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from proofkey.protocol.errors import InvalidRequest, RefreshRefused
from proofkey.protocol.record import record
from proofkey.protocol.records import Client, Lifetimes, LiveGrant


@record(frozen=True, slots=True)
class RefreshToken:
    """What an authentic refresh token says."""

    workspace_id: str
    grant_id: bytes
    counter: int
    secret: bytes
    key: int


@record(frozen=True, slots=True)
class ProvenRefresh:
    """A refresh token of this client, alive as far as can be told without writing."""

    workspace_id: str
    grant_id: bytes
    counter: int
    refresh_hash: bytes
    rotates: bool
    leeway_for: int
    idle_until: int


@record(frozen=True, slots=True)
class Refresh:
    """A token request with grant_type=refresh_token, as it was sent."""

    refresh_token: str
    scope: str | None
    resource: str | None


def hash_secret(secret: bytes) -> bytes:
    """What the grant keeps of the 128 random bits that all refresh tokens of one grant repeat."""
    return hashlib.sha256(secret).digest()


def parse_refresh(params: Mapping[str, str], resource: str | None) -> Refresh:
    """Read the parameters of RFC 6749 §6."""
    token = params.get("refresh_token")
    if token is None:
        raise InvalidRequest("refresh_token_missing", "refresh_token is required")
    return Refresh(token, params.get("scope"), resource)


def check_refresh(
    token: RefreshToken, live: LiveGrant, client: Client, lifetimes: Lifetimes, now: int
) -> ProvenRefresh:
    """Everything that must hold before the counter may move."""
    grant = live.grant
    if grant.client_id != client.id:
        raise RefreshRefused("refresh_of_another_client")
    if grant.refresh_hash is None or not hmac.compare_digest(hash_secret(token.secret), grant.refresh_hash):
        raise RefreshRefused("refresh_secret_differs")
    if now >= min(grant.idle_until, grant.expires_at):
        raise RefreshRefused("refresh_expired")
    return ProvenRefresh(
        workspace_id=grant.workspace_id,
        grant_id=grant.id,
        counter=token.counter,
        refresh_hash=grant.refresh_hash,
        rotates=client.rotates,
        leeway_for=lifetimes.refresh_leeway_for,
        idle_until=min(now + lifetimes.refresh_idle_for, grant.expires_at),
    )
