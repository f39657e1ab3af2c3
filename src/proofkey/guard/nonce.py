"""Nonces that a server has its clients put into DPoP proofs: a time under a MAC, nothing stored (RFC 9449 §8, §9).

1. A proof with a nonce cannot have been made before the nonce was: nobody lays in proofs while he holds the key.
2. Every process that knows the key knows the nonces; whoever does not gets none past it.
"""

from __future__ import annotations

import hmac

from proofkey.guard.access import Headers, TokenRejected
from proofkey.protocol.base64url import decode_base64url, encode_base64url
from proofkey.protocol.records import MINUTE

_PURPOSE = b"proofkey DPoP nonce\0"


class NonceWanted(TokenRejected):
    """The proof lacks a nonce that counts; the answer brings one (RFC 9449 §9)."""

    code = "use_dpop_nonce"

    def __init__(self, reason: str, description: str, *, nonce: str) -> None:
        super().__init__(reason, description)
        self.headers = (("dpop-nonce", nonce),)


class Nonces:
    """Nonces under a secret *key* of at least 32 bytes, the same for all processes; each is good for *live_for* milliseconds.

    >>> nonces = Nonces(b"a secret of 32 bytes or more ... ")
    >>> nonces.holds(nonces.mint(NOW), NOW)
    True
    >>> server = ResourceServer(ISSUER, audience=AUDIENCE, bindings=[Dpop(nonces=nonces)])
    """

    def __init__(self, key: bytes, *, live_for: int = 5 * MINUTE) -> None:
        if len(key) < 32:
            raise ValueError("a key for nonces has at least 32 bytes")
        self._key = key
        self._live_for = live_for

    def mint(self, now: int) -> str:
        """A nonce that is good from *now* on."""
        stamp = now.to_bytes(6, "big")
        mac = hmac.digest(self._key, _PURPOSE + stamp, "sha256")[:16]
        return encode_base64url(stamp + mac)

    def holds(self, nonce: str, now: int) -> bool:
        """Whether *nonce* was minted under this key, and not too long ago."""
        try:
            minted_at = int.from_bytes(decode_base64url(nonce)[:6], "big")
        except ValueError:
            return False
        authentic = hmac.compare_digest(nonce.encode("ascii"), self.mint(minted_at).encode("ascii"))
        return authentic and now - self._live_for < minted_at <= now + self._live_for

    def check(self, nonce: str | None, now: int) -> Headers:
        """Refuse a proof whose nonce is missing or does not hold, with a fresh one. Raises `NonceWanted`.

        A nonce past half its life is answered with the next one, so that nobody who keeps calling is ever refused (§8.2).
        """
        if nonce is None:
            raise NonceWanted(
                "dpop_nonce_missing", "The DPoP proof must hold the nonce of DPoP-Nonce", nonce=self.mint(now)
            )
        if not self.holds(nonce, now):
            raise NonceWanted(
                "dpop_nonce_stale", "The DPoP proof must hold a newer nonce: that of DPoP-Nonce", nonce=self.mint(now)
            )
        return () if self.holds(nonce, now + self._live_for // 2) else (("dpop-nonce", self.mint(now)),)
