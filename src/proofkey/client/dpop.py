"""The key by which a client proves that a token is its own, and the proof it signs for each request (RFC 9449 §4).

1. A proof is for one request: a new `jti` and the time go into each, and a retried request takes a new one.
2. A server that wants a nonce answers with `DPoP-Nonce`; the conversation that sent the request repeats it with that.
"""

from __future__ import annotations

from typing import Any

from proofkey.possession import HolderKey
from proofkey.protocol.dpop import access_token_hash
from proofkey.protocol.records import seconds

ALG = "ES256"
"""What proofs are signed by."""


class DpopKey:
    """A P-256 key that a client's tokens are bound to. Keep it as carefully as a refresh token.

    >>> key = DpopKey.generate()
    >>> DpopKey.from_bytes(key.to_bytes()).jkt == key.jkt
    True
    >>> proof = key.proof("GET", API_URL, now=NOW, jti="n3yeQKrCrBvp", access_token=ACCESS_TOKEN)
    >>> proof.count(".")
    2
    """

    __slots__ = ("_key",)

    def __init__(self, key: HolderKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> DpopKey:
        """A new key."""
        return cls(HolderKey.generate())

    @classmethod
    def from_bytes(cls, private: bytes) -> DpopKey:
        """A key that was kept. Raises `ValueError` for anything but a P-256 key in PKCS#8 DER."""
        return cls(HolderKey(private))

    def to_bytes(self) -> bytes:
        """The private key in PKCS#8 DER, to be kept where tokens are kept."""
        return self._key.to_der()

    @property
    def jkt(self) -> str:
        """The public key's thumbprint (RFC 7638): what `cnf.jkt` of a bound token and `dpop_jkt` say."""
        return self._key.jkt

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public key as a JWK."""
        return dict(self._key.public_jwk)

    def proof(
        self,
        method: str,
        url: str,
        *,
        now: int,
        jti: str,
        nonce: str | None = None,
        access_token: str | None = None,
    ) -> str:
        """The `DPoP` header of one request, at *now* (milliseconds), under a *jti* never used before.

        *access_token* is the token sent beside it, at an API; *nonce* the server's latest. Query and fragment of *url*
        are left out (RFC 9449 §4.2).
        """
        claims: dict[str, Any] = {
            "jti": jti,
            "htm": method,
            "htu": url.partition("#")[0].partition("?")[0],
            "iat": seconds(now),
        }
        if access_token is not None:
            claims["ath"] = access_token_hash(access_token)
        if nonce is not None:
            claims["nonce"] = nonce
        return self._key.sign(claims)
