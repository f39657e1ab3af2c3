"""What of a request decides whether it comes in, and how a token is read from it (RFC 6750 §2.1, RFC 9449 §7.1).

1. A token is read from the Authorization header alone, never from the query or a form (RFC 9700 §2.5, OAuth 2.1 §5.1).
2. The address is the configured public one; the Host header has no say in it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from proofkey.guard.access import Access, TokenRejected
from proofkey.protocol.errors import InvalidRequest

BEARER = "Bearer"
UNESCAPED = "/:@!$&'()*+,;=-._~"
"""What a path may hold as it is (RFC 3986 §3.3)."""
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class TokenMissing(TokenRejected):
    """No token was sent: the challenge says how to get in, and no error (RFC 6750 §3.1).

    >>> server, request = ResourceServer(ISSUER, audience=AUDIENCE), ApiRequest("GET", API_URL, [])
    >>> try:
    ...     server.admit_blocking(request)
    ... except TokenMissing as refusal:
    ...     server.challenge(refusal, request).status
    401
    """


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request as the guard sees it.

    *url* is absolute and without query: the public origin and the path as sent. *headers* are raw pairs with lower-case
    names. *certificate* is the client's (DER), where this process itself ended the TLS connection. *admitted* is what one
    request carries through all its guards: who was let in by which API, so that a proof is spent once and not refused then.

    >>> request = ApiRequest("GET", API_URL, [(b"authorization", b"Bearer abc"), (b"accept", b"*/*")])
    >>> request.sent(b"authorization")
    [b'Bearer abc']
    """

    method: str
    url: str
    headers: Sequence[tuple[bytes, bytes]]
    certificate: bytes | None = None
    admitted: MutableMapping[Any, Access] | None = None

    def sent(self, name: bytes) -> list[bytes]:
        """Every value of the header *name* (lower case), in order."""
        return [value for known, value in self.headers if known == name]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token and the scheme it was sent under, in the spelling of the standards."""

    scheme: str
    token: str


def parse_credentials(request: ApiRequest, schemes: Collection[str]) -> Credentials:
    """The one token of *request*, under one of *schemes*. Raises `TokenMissing` or `InvalidRequest`."""
    sent = request.sent(b"authorization")
    if len(sent) > 1:
        raise InvalidRequest("authorization_repeated", "Authorization must be sent once")
    named, _, token = sent[0].decode("latin-1").strip(" \t").partition(" ") if sent else ("", "", "")
    scheme = next((scheme for scheme in schemes if scheme.lower() == named.lower()), None)
    if scheme is None:
        raise TokenMissing(
            "access_token_missing",
            "An access token is required: send it as Authorization: Bearer (or DPoP), then the token",
        )
    token = token.strip(" ")
    if not _TOKEN68.fullmatch(token):
        raise InvalidRequest("authorization_malformed", "Authorization must be the scheme and one access token")
    return Credentials(scheme, token)


def scheme_of(request: ApiRequest) -> str:
    """The scheme that *request* was sent under, in lower case; empty where there is none."""
    sent = request.sent(b"authorization")
    return sent[0].decode("latin-1").strip().partition(" ")[0].lower() if sent else ""
