"""Minting what the token endpoint answers (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).

Order, everywhere: prove → write once → mint. Nothing here decides anything.
"""

from __future__ import annotations

from proofkey import jose
from proofkey.protocol import access_token, id_token
from proofkey.protocol.record import record
from proofkey.protocol.records import Client, Json, LiveGrant, seconds
from proofkey.protocol.resource import Access
from proofkey.server.entropy import Entropy, mint_id
from proofkey.server.issuer import Issuer


@record(frozen=True, slots=True)
class Mint:
    """Makes tokens for one issuer at one moment."""

    issuer: Issuer
    entropy: Entropy
    now: int

    def access_token(self, live: LiveGrant, access: Access) -> dict[str, Json]:
        """The members every token response has; `scope` is what this token carries (RFC 6749 §5.1)."""
        live_for = self.issuer.workspace.lifetimes.access_token_for
        claims = access_token.access_token_claims(
            live.grant,
            issuer=self.issuer.url,
            audience=access.audience,
            scope=access.scope,
            token_id=mint_id(self.now, self.entropy),
            now=self.now,
            live_for=live_for,
        )
        return {
            "access_token": self.issuer.signers["ES256"].sign(access_token.TYP, claims),
            "token_type": "Bearer",
            "expires_in": seconds(live_for),
            "scope": " ".join(access.scope),
        }

    def with_id_token(
        self, response: dict[str, Json], live: LiveGrant, access: Access, client: Client, nonce: str | None
    ) -> dict[str, Json]:
        """The response with an ID token, where `openid` was granted; it says no more than *access* reaches."""
        if live.user is None or "openid" not in live.grant.scope:
            return response
        claims = id_token.id_token_claims(
            live.grant,
            live.user,
            issuer=self.issuer.url,
            scope=access.scope,
            nonce=nonce,
            at_hash=jose.left_half_hash(response["access_token"]),
            now=self.now,
            live_for=self.issuer.workspace.lifetimes.id_token_for,
        )
        response["id_token"] = self.issuer.signers[client.id_token_signed_response_alg].sign(id_token.TYP, claims)
        return response
