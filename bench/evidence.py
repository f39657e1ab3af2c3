"""Proof, on a sample, that what was measured is the real thing: tokens verify, claims fit, single use holds.

The tokens are verified with PyJWT, which no server measured here uses.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.request import urlopen

import jwt

from bench.journey import Issued, Journey, WrongAnswer


def read_keys(journey: Journey) -> jwt.PyJWKSet:
    with urlopen(journey.metadata["jwks_uri"], timeout=10) as answer:
        return jwt.PyJWKSet.from_dict(json.load(answer))


def verify(token: str, keys: jwt.PyJWKSet, audience: str | None, issuer: str) -> dict[str, Any]:
    """The claims of an ES256 token of this issuer."""
    wanted = jwt.get_unverified_header(token).get("kid")
    key = next(key for key in keys.keys if wanted in (None, key.key_id))
    options: Any = {"verify_aud": audience is not None, "require": ["exp", "iat", "iss", "sub", "aud"]}
    claims: dict[str, Any] = jwt.decode(
        token, key.key, algorithms=["ES256"], audience=audience, issuer=issuer, options=options
    )
    return claims


def check_sample(journey: Journey, sample: Sequence[Issued]) -> None:
    """Every ID token and JWT access token of *sample* verifies and says what it should."""
    keys, issuer = read_keys(journey), journey.running.issuer
    for issued in sample:
        identity = verify(issued.tokens.id_token, keys, journey.application.client_id, issuer)
        if identity["nonce"] != issued.attempt.nonce:
            raise WrongAnswer("the ID token holds another nonce")
        access = verify(issued.tokens.access_token, keys, None, issuer)
        if access["sub"] != identity["sub"] or access["client_id"] != journey.application.client_id:
            raise WrongAnswer("the access token is somebody else's")
    if len({issued.tokens.refresh_token for issued in sample}) != len(sample):
        raise WrongAnswer("one refresh token was issued twice")


async def check_single_use(journey: Journey) -> None:
    """A code that was spent buys nothing again."""
    connection, attempt = journey.connect(), journey.attempt()
    code = await journey.ask_code(connection, attempt)
    await journey.redeem(connection, attempt, code)
    try:
        await journey.redeem(connection, attempt, code)
    except WrongAnswer:
        return
    finally:
        connection.close()
    raise WrongAnswer("a code was redeemed twice")
