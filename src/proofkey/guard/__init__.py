"""The guard an API puts in front of itself: access tokens, checked offline where they can be (RFC 9068, RFC 6750)."""

from __future__ import annotations

from proofkey.guard.access import Access, AuthenticationInsufficient, ScopeMissing, TokenRejected, check_access_token
from proofkey.guard.asgi import Guard, access_of, protect
from proofkey.guard.binding import Binding
from proofkey.guard.challenge import Answer
from proofkey.guard.dpop import Dpop
from proofkey.guard.fetched import IssuerUnavailable
from proofkey.guard.introspection import Introspection
from proofkey.guard.mtls import CertificateBound
from proofkey.guard.nonce import Nonces
from proofkey.guard.replay import MemoryReplay, RedisReplay, ReplayStore, ReplayUnavailable
from proofkey.guard.request import ApiRequest, TokenMissing
from proofkey.guard.requirement import Requirement, require
from proofkey.guard.resource_server import ResourceServer
from proofkey.guard.trust import TrustedIssuer

__all__ = [
    "Access",
    "Answer",
    "ApiRequest",
    "AuthenticationInsufficient",
    "Binding",
    "CertificateBound",
    "Dpop",
    "Guard",
    "Introspection",
    "IssuerUnavailable",
    "MemoryReplay",
    "Nonces",
    "RedisReplay",
    "ReplayStore",
    "ReplayUnavailable",
    "Requirement",
    "ResourceServer",
    "ScopeMissing",
    "TokenMissing",
    "TokenRejected",
    "TrustedIssuer",
    "access_of",
    "check_access_token",
    "protect",
    "require",
]
