"""DPoP at an API: the token opens only for whoever holds the key it is bound to (RFC 9449 §7).

1. The token is judged before its proof: whoever has no good token costs no signature and fills no store.
2. The proof must be signed by the key the token names, for this request and this token, lately, and for the first time.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from typing import Any

from proofkey.guard.access import Access, Headers, TokenRejected
from proofkey.guard.nonce import Nonces
from proofkey.guard.replay import MemoryReplay, ReplayStore
from proofkey.guard.request import ApiRequest
from proofkey.guard.steps import Steps
from proofkey.possession import VerifiedProof, verify_proof
from proofkey.protocol.dpop import ALGORITHMS, FRESH_FOR, LEEWAY_FOR, check_claims
from proofkey.protocol.errors import InvalidDpopProof

_log = logging.getLogger("proofkey.guard")


class Dpop:
    """Tokens bound to a key of the client (`cnf.jkt`), sent as `Authorization: DPoP` with a `DPoP` header beside.

    *replay* keeps the proofs that came: `MemoryReplay()` where it is left out, with a warning. *nonces*, where given, must
    be in them. *required* refuses tokens that are not bound. A proof is good for *fresh_for* after it was made, and
    *leeway_for* beside for clocks, in milliseconds.

    >>> server = ResourceServer(ISSUER, audience=AUDIENCE, bindings=[Dpop(MemoryReplay(), required=True)])
    >>> request = ApiRequest("GET", API_URL, [(b"authorization", f"Bearer {ACCESS_TOKEN}".encode())])
    >>> try:
    ...     server.admit_blocking(request)
    ... except TokenMissing as refusal:  # a bearer token is none here
    ...     dict(server.challenge(refusal, request).headers)["www-authenticate"]
    'DPoP realm="...", algs="ES256 ...'
    """

    confirmation = "jkt"
    scheme = "DPoP"

    def __init__(
        self,
        replay: ReplayStore | None = None,
        *,
        nonces: Nonces | None = None,
        required: bool = False,
        fresh_for: int = FRESH_FOR,
        leeway_for: int = LEEWAY_FOR,
    ) -> None:
        if replay is None:
            _log.warning("Dpop() without a replay store: a proof that came to another process is new to this one")
        self._replay = MemoryReplay() if replay is None else replay
        self._nonces = nonces
        self.required = required
        self._fresh_for = fresh_for
        self._leeway_for = leeway_for

    @property
    def challenge(self) -> Mapping[str, str]:
        """`algs` (RFC 9449 §7.1)."""
        return {"algs": " ".join(ALGORITHMS)}

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What RFC 9728 §2 has for DPoP."""
        return {
            "dpop_signing_alg_values_supported": list(ALGORITHMS),
            "dpop_bound_access_tokens_required": self.required,
        }

    def check(self, request: ApiRequest, token: str, access: Access, bound_to: str, now: int) -> Steps[Headers]:
        """Refuse unless *request* has one proof by the key *bound_to*, for itself and *token*, that was never here.

        Raises `InvalidDpopProof`, `TokenRejected` or `ReplayUnavailable`.
        """
        verified = _read_proof(request)
        if not hmac.compare_digest(verified.jkt.encode(), bound_to.encode()):
            raise TokenRejected("dpop_key_differs", "The access token is bound to another key than the DPoP proof's")
        proven = check_claims(
            verified.claims,
            jkt=verified.jkt,
            expected_method=request.method,
            expected_url=request.url,
            expected_token=token,
            now=now,
            fresh_for=self._fresh_for,
            leeway_for=self._leeway_for,
        )
        headers = () if self._nonces is None else self._nonces.check(proven.nonce, now)
        until = proven.issued_at + self._fresh_for + self._leeway_for
        owner = f"{access.issuer} {access.subject}"
        if not (yield from self._replay.spend(proven, owner=owner, until=until, now=now)):
            raise InvalidDpopProof("dpop_replayed", "The DPoP proof was used before: make one for each request")
        return headers


def _read_proof(request: ApiRequest) -> VerifiedProof:
    """The one proof of *request* (RFC 9449 §4.3, check 1), with its signature verified."""
    sent = request.sent(b"dpop")
    if not sent:
        raise InvalidDpopProof("dpop_proof_missing", "A DPoP proof is required beside the access token")
    if len(sent) > 1:
        raise InvalidDpopProof("dpop_proof_repeated", "The DPoP header must be sent once")
    return verify_proof(sent[0].decode("latin-1").strip(" \t"))
