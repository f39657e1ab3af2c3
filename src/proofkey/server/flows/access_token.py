"""Verifying one of our own access tokens, and finding what it stands for.

A token this process minted or verified a moment ago is recognised by its SHA-256, which spares the signature check but
nothing else: the claims are read again and the grant is looked up every time (law 10).
"""

from __future__ import annotations

import hashlib

from proofkey import jose
from proofkey.protocol.access_token import TYP, AccessToken, check_alive, read_access_token
from proofkey.protocol.base64url import decode_base64url
from proofkey.protocol.errors import InvalidToken
from proofkey.protocol.records import Json, LiveGrant
from proofkey.server.issuer import Issuer
from proofkey.server.store.contract import GrantStore

_ES256 = frozenset({"ES256"})


class KnownSignatures:
    """A bounded set of digests of tokens whose signature has verified under a key of that issuer."""

    __slots__ = ("_digests", "_limit", "_older")

    def __init__(self, limit: int = 8_192) -> None:
        self._limit = limit
        self._digests: set[bytes] = set()
        self._older: set[bytes] = set()

    def add(self, issuer: Issuer, token: str) -> None:
        """Remember *token*; forgets the oldest half when full."""
        if len(self._digests) >= self._limit:
            self._digests, self._older = set(), self._digests
        self._digests.add(self._digest(issuer, token))

    def holds(self, issuer: Issuer, token: str) -> bool:
        """True where exactly this token verified before."""
        digest = self._digest(issuer, token)
        return digest in self._digests or digest in self._older

    @staticmethod
    def _digest(issuer: Issuer, token: str) -> bytes:
        return hashlib.sha256(f"{issuer.url}\0{token}".encode()).digest()


def verify(token: str, issuer: Issuer, known: KnownSignatures, now: int) -> AccessToken:
    """Our own, unexpired access token. Raises `InvalidToken`."""
    return read_access_token(_claims(token, issuer, known), expected_issuer=issuer.url, now=now)


def _claims(token: str, issuer: Issuer, known: KnownSignatures) -> dict[str, Json]:
    if known.holds(issuer, token):
        return jose.decode_claims(decode_base64url(token.split(".")[1]))
    try:
        claims = jose.verify_jwt(token, issuer.verifying, expected_typ=TYP, algorithms=_ES256)
    except jose.TokenInvalid as refused:
        raise InvalidToken("access_token_not_ours", detail=str(refused)) from None
    known.add(issuer, token)
    return claims


async def find_alive(token: AccessToken, issuer: Issuer, store: GrantStore, now: int) -> LiveGrant:
    """The live grant behind a verified token. Raises `InvalidToken`."""
    return check_alive(token, await store.find_grant(issuer.workspace.id, token.grant_id, now))
