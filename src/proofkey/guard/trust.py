"""The issuers an API trusts: which of them a token is of, and what it says once that one vouches for it (RFC 9068 §4).

1. The unverified `iss` is a key into the configured issuers, and nothing else; the token is then judged by that issuer alone.
2. A token that is no JWT names nobody, so at most one issuer may be asked about such tokens: it must not reach another.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from proofkey import jose
from proofkey.guard.access import TokenUnfitting, differing
from proofkey.guard.discovery import Discovery
from proofkey.guard.introspection import Introspection, Introspector
from proofkey.guard.keys import IssuerKeys, name_refusal
from proofkey.guard.steps import Steps


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer, and how its access tokens are believed.

    *algorithms* are those its tokens may be signed with, asymmetric ones only. *typ* is `JWT` for issuers that do not
    mark their access tokens as RFC 9068 says: their ID tokens are then told apart by what stands in them.
    *introspection* lets this API ask about tokens that are no JWTs. *tls* holds the authorities to trust.
    Raises `ValueError`.

    >>> partner = TrustedIssuer("https://partner.example", algorithms=["RS256"], typ="JWT")
    >>> server = ResourceServer([ISSUER, partner], audience=AUDIENCE)
    >>> TrustedIssuer(ISSUER, algorithms=["HS256"])
    Traceback (most recent call last):
    ValueError: algorithms are some of ES256, ES384, ES512, Ed25519, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512
    """

    issuer: str
    algorithms: Collection[str] = jose.SIGNATURE_ALGORITHMS
    typ: Literal["at+jwt", "JWT"] = "at+jwt"
    introspection: Introspection | None = None
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if not self.algorithms or not jose.SIGNATURE_ALGORITHMS.issuperset(self.algorithms):
            raise ValueError(f"algorithms are some of {', '.join(sorted(jose.SIGNATURE_ALGORITHMS))}")
        if self.typ not in {"at+jwt", "JWT"}:
            raise ValueError("typ is at+jwt or JWT")


Issuers: TypeAlias = str | TrustedIssuer | Iterable[str | TrustedIssuer]


class _Judge:
    """One issuer at work."""

    def __init__(self, trusted: TrustedIssuer, tls: ssl.SSLContext | None, clock: Callable[[], int]) -> None:
        discovery = Discovery(trusted.issuer, tls=trusted.tls or tls)
        self.keys = IssuerKeys(
            discovery, clock=clock, algorithms=frozenset(trusted.algorithms), marked=trusted.typ == "at+jwt"
        )
        self.introspector: Introspector | None = None
        if trusted.introspection is not None:
            self.introspector = Introspector(trusted.introspection, discovery, clock=clock)


class Trust:
    """The trusted issuers at work: from a token to claims that one of them vouches for."""

    def __init__(self, issuers: Issuers, *, tls: ssl.SSLContext | None, clock: Callable[[], int]) -> None:
        given = [issuers] if isinstance(issuers, str | TrustedIssuer) else list(issuers)
        trusted = [TrustedIssuer(each) if isinstance(each, str) else each for each in given]
        self._judges = {each.issuer: _Judge(each, tls, clock) for each in trusted}
        asked = [judge.introspector for judge in self._judges.values() if judge.introspector is not None]
        if not trusted or len(self._judges) < len(trusted):
            raise ValueError("name at least one issuer, and each once")
        if len(asked) > 1:
            raise ValueError("a token that is no JWT names no issuer: only one of several may have introspection")
        self._introspector = asked[0] if asked else None

    @property
    def issuers(self) -> tuple[str, ...]:
        """The trusted issuers, as configured."""
        return tuple(self._judges)

    async def prefetch(self) -> None:
        """Fetch the keys of all issuers, as far as they can be had."""
        await asyncio.gather(*(judge.keys.fetched.arrive() for judge in self._judges.values()))

    def verification(self, token: str) -> Steps[dict[str, Any]]:
        """The claims of *token*, whose `iss` is a trusted issuer that vouches for them.

        Raises `TokenRejected`, or `IssuerUnavailable` where that issuer would have to be asked and cannot be.
        """
        try:
            unverified = jose.parse_jwt(token)
        except jose.TokenInvalid as invalid:
            if self._introspector is None or isinstance(invalid, jose.TokenTooLong):
                raise name_refusal(invalid) from None
            return (yield from self._introspector.introspection(token))
        issuer = unverified.claims.get("iss")
        judge = self._judges.get(issuer) if isinstance(issuer, str) else None
        if judge is None:
            raise TokenUnfitting(
                "access_token_issuer_unknown",
                "The access token is of an issuer not trusted here",
                detail=differing("iss", issuer, self.issuers if len(self.issuers) > 1 else self.issuers[0]),
            )
        claims = yield from judge.keys.verification(unverified)
        if judge.introspector is not None and judge.introspector.asks_about_every_token:
            yield from judge.introspector.introspection(token)
        return claims
