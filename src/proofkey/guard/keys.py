"""The signature of an issuer's tokens, judged by that issuer's keys alone (RFC 9068 §4, RFC 8725 §3).

1. The keys are those of one issuer: a key of another issuer that is trusted too verifies nothing here.
2. Keys that the issuer withdrew open nothing from the next look on, the last one among them.
3. No stream of unknown `kid`s makes a stream of fetches: see `Fetched`.
4. Where an issuer does not mark its access tokens (`typ`), what its other tokens have must be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from proofkey import jose
from proofkey.guard.access import TokenRejected, TokenUnfitting, check_token_use
from proofkey.guard.discovery import Discovery
from proofkey.guard.fetched import COOL_DOWN_FOR, Fetched, IssuerUnavailable
from proofkey.guard.steps import Steps
from proofkey.protocol.audience import read_audiences

AT_JWT = "at+jwt"
_UNMARKED = frozenset({AT_JWT, "jwt", None})
_OF_OTHER_TOKENS = ("nonce", "at_hash", "c_hash", "s_hash", "events")
"""What stands in ID tokens (OpenID Connect Core §2, §3.3.2.11) and logout tokens, and in no access token."""


class IssuerKeys:
    """Verifies the signatures of one issuer's access tokens.

    *algorithms* are the accepted ones. With *marked* false, tokens of `typ` JWT or none are taken as well.
    """

    def __init__(
        self,
        discovery: Discovery,
        *,
        clock: Callable[[], int],
        algorithms: frozenset[str] = jose.SIGNATURE_ALGORITHMS,
        marked: bool = True,
    ) -> None:
        self.fetched = Fetched(discovery.read_keys, what=f"keys of {discovery.issuer}", clock=clock)
        self._algorithms = algorithms
        self._marked = marked

    def verification(self, token: jose.Unverified) -> Steps[dict[str, Any]]:
        """The claims, once the issuer's signature verifies. Raises `TokenRejected`, or `IssuerUnavailable`."""
        keys = yield from self.fetched.current()
        try:
            return self._verify(token, keys)
        except jose.UnknownKey:
            keys = yield from self.fetched.renewed(keys)
        try:
            return self._verify(token, keys)
        except jose.UnknownKey:
            if keys.is_empty:  # it may be a mistake: nobody is to throw a good token away
                raise IssuerUnavailable("issuer_without_keys", retry_for=COOL_DOWN_FOR) from None
            raise TokenRejected("access_token_key_unknown", "The access token is signed by an unknown key") from None

    def _verify(self, token: jose.Unverified, keys: jose.KeySet) -> dict[str, Any]:
        expected_typ = AT_JWT if self._marked else _UNMARKED
        try:
            claims = jose.verify_parsed(token, keys, expected_typ=expected_typ, algorithms=self._algorithms)
        except jose.UnknownKey:
            raise
        except jose.TokenInvalid as invalid:
            raise name_refusal(invalid) from None
        if not self._marked:
            _check_purpose(claims)
        return claims


def _check_purpose(claims: Mapping[str, Any]) -> None:
    """Refuse what is recognizably no access token, of issuers whose `typ` does not say."""
    check_token_use(claims)
    client = claims.get("azp", claims.get("client_id"))
    is_for_client = client is not None and client in read_audiences(claims.get("aud"))
    if is_for_client or any(name in claims for name in _OF_OTHER_TOKENS):
        raise TokenRejected(
            "access_token_is_another_token", "This is an ID token or another token of the issuer, and no access token"
        )


def name_refusal(invalid: jose.TokenInvalid) -> TokenRejected:
    """The refusal of a token that was malformed, or whose header or signature does not hold."""
    for kind, make in _REFUSALS.items():
        if isinstance(invalid, kind):
            return make(str(invalid))
    return TokenRejected(
        "access_token_malformed", "The access token must be a signed JWT in compact form", detail=str(invalid)
    )


def _too_long(detail: str) -> TokenRejected:
    return TokenRejected("access_token_too_long", "The access token is too long", detail=detail)


def _unsigned(detail: str) -> TokenRejected:
    return TokenRejected("access_token_unsigned", "The access token is not signed: its alg is none", detail=detail)


def _algorithm(detail: str) -> TokenRejected:
    return TokenUnfitting(
        "access_token_algorithm", "The alg of the access token is not accepted here, or not its key's", detail=detail
    )


def _extension(detail: str) -> TokenRejected:
    return TokenRejected("access_token_critical", "crit of the access token is not understood", detail=detail)


def _type(detail: str) -> TokenRejected:
    return TokenUnfitting("access_token_type", "The typ of the token is not that of an access token", detail=detail)


def _forged(detail: str) -> TokenRejected:
    return TokenRejected("access_token_forged", "The signature of the access token does not verify", detail=detail)


_REFUSALS: Mapping[type[jose.TokenInvalid], Callable[[str], TokenRejected]] = {
    jose.TokenTooLong: _too_long,
    jose.TokenUnsigned: _unsigned,
    jose.AlgorithmRefused: _algorithm,
    jose.ExtensionUnknown: _extension,
    jose.TypeDiffers: _type,
    jose.SignatureInvalid: _forged,
}
