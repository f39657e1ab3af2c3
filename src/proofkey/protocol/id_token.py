"""What an ID token says (OpenID Connect Core §2, §5.4), and the claims a scope stands for.

Claims by scope stand in the ID token as well as at userinfo: many clients read nothing else.
"""

from __future__ import annotations

from proofkey.protocol.claims_request import names_in
from proofkey.protocol.records import Grant, Json, User, seconds, wire_id
from proofkey.protocol.scope import CLAIMS_BY_SCOPE

TYP = "JWT"


def id_token_claims(
    grant: Grant,
    user: User,
    *,
    issuer: str,
    scope: tuple[str, ...],
    nonce: str | None,
    at_hash: str,
    now: int,
    live_for: int,
) -> dict[str, Json]:
    """The claims for *grant*'s client, as far as *scope* goes: a narrowed refresh shows no more than it asks for.

    A refresh passes no nonce and keeps auth_time (OpenID Connect Core §12.2).
    """
    claims = person_claims(scope, user, names_in(grant.claims)[1])
    claims |= {
        "iss": issuer,
        "sub": user.id,
        "aud": grant.client_id,
        "exp": seconds(now + live_for),
        "iat": seconds(now),
        "auth_time": seconds(grant.auth_time),
        "acr": grant.acr,
        "amr": grant.amr,
        "at_hash": at_hash,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if grant.session_id is not None:
        claims["sid"] = wire_id(grant.session_id)
    return claims


def person_claims(scope: tuple[str, ...], user: User, named: tuple[str, ...]) -> dict[str, Json]:
    """What the scopes and the claims named one by one say of the person (OpenID Connect Core §5.4)."""
    claims: dict[str, Json] = {}
    for token in scope:
        for name in CLAIMS_BY_SCOPE.get(token, ()):
            if name in user.claims:
                claims[name] = user.claims[name]
    for name in named:
        if name in user.claims:
            claims[name] = user.claims[name]
    return claims


def userinfo_claims(grant: Grant, user: User, scope: tuple[str, ...]) -> dict[str, Json]:
    """The userinfo response to a token with *scope*, which may be less than was granted (OpenID Connect Core §5.3.2)."""
    return {**person_claims(scope, user, names_in(grant.claims)[0]), "sub": user.id}
