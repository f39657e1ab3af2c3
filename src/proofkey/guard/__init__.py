"""The guard an API puts in front of itself: access tokens of one issuer, checked offline (RFC 9068, RFC 6750)."""

from __future__ import annotations

from proofkey.guard.access import Access, ScopeMissing, TokenRejected, check_access_token
from proofkey.guard.asgi import Guard, access_of, protect
from proofkey.guard.keys import IssuerKeys, IssuerUnavailable

__all__ = [
    "Access",
    "Guard",
    "IssuerKeys",
    "IssuerUnavailable",
    "ScopeMissing",
    "TokenRejected",
    "access_of",
    "check_access_token",
    "protect",
]
