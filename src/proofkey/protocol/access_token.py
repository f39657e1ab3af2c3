"""What an access token says (RFC 9068), and which grant it belongs to.

`jti` is the grant's id followed by a time-ordered id of the token's own, so that introspection finds the grant and can
tell tokens issued before a revocation, without a row per token.
"""

from __future__ import annotations

from collections.abc import Mapping

from proofkey.protocol.base64url import decode_base64url
from proofkey.protocol.errors import InvalidToken
from proofkey.protocol.record import record
from proofkey.protocol.records import Grant, Json, LiveGrant, seconds, wire_id

TYP = "at+jwt"


def access_token_claims(
    grant: Grant, *, issuer: str, audience: str, scope: tuple[str, ...], token_id: bytes, now: int, live_for: int
) -> dict[str, Json]:
    """The claims of RFC 9068 §2.2; `sub` is the person, or the client where it acts for itself."""
    claims: dict[str, Json] = {
        "iss": issuer,
        "sub": grant.user_id or grant.client_id,
        "aud": audience,
        "client_id": grant.client_id,
        "scope": " ".join(scope),
        "iat": seconds(now),
        "exp": seconds(now + live_for),
        "jti": wire_id(grant.id + token_id),
    }
    if grant.user_id is not None:
        claims["auth_time"] = seconds(grant.auth_time)
        claims["acr"] = grant.acr
        claims["amr"] = grant.amr
    return claims


@record(frozen=True, slots=True)
class AccessToken:
    """A verified access token of ours, and where its grant is."""

    grant_id: bytes
    issued_at: int
    client_id: str
    audience: str
    scope: tuple[str, ...]
    claims: Mapping[str, Json]


def read_access_token(claims: Mapping[str, Json], *, expected_issuer: str, now: int) -> AccessToken:
    """Our own token, once its signature has verified: issuer and time hold, and its `jti` names a grant."""
    if claims.get("iss") != expected_issuer:
        raise InvalidToken("access_token_of_another_issuer")
    if now >= claims["exp"] * 1_000:
        raise InvalidToken("access_token_over")
    try:
        raw = decode_base64url(claims["jti"])
    except (KeyError, AttributeError, ValueError):
        raise InvalidToken("access_token_without_grant") from None
    if len(raw) != 32:
        raise InvalidToken("access_token_grant_malformed")
    return AccessToken(
        raw[:16],
        int.from_bytes(raw[16:22], "big"),
        claims["client_id"],
        claims["aud"],
        tuple(claims["scope"].split()),
        claims,
    )


def check_alive(token: AccessToken, live: LiveGrant | None) -> LiveGrant:
    """The grant behind the token, unless it or this token of it was revoked."""
    if live is None:
        raise InvalidToken("access_token_grant_dead")
    if token.issued_at <= live.grant.access_valid_after:
        raise InvalidToken("access_token_revoked")
    return live
