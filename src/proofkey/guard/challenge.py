"""What a refused request is told: status, `WWW-Authenticate`, JSON (RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3, RFC 9728 §5.1).

1. The challenge of the scheme that was used comes first and has the error; the others say that they would do.
2. Who sent no token gets no error code, in the challenge and in the body alike (RFC 6750 §3.1); the body tells a reader.
3. `scope` stands where it helps: nobody came yet, or came with too little.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from proofkey.guard.access import AuthenticationInsufficient, ScopeMissing, TokenRejected
from proofkey.guard.fetched import IssuerUnavailable
from proofkey.guard.replay import ReplayUnavailable
from proofkey.guard.request import TokenMissing
from proofkey.guard.requirement import Requirement
from proofkey.protocol.challenge import write_challenge
from proofkey.protocol.errors import OAuthError
from proofkey.protocol.records import SECOND

_STATUS = {"invalid_request": 400, "insufficient_scope": 403, "temporarily_unavailable": 503}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response, for any framework to send. Header names are in lower case.

    >>> answer = ResourceServer(ISSUER, audience=AUDIENCE).metadata()
    >>> answer.status, dict(answer.headers)["content-type"]
    (200, 'application/json')
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Challenges:
    """What one API's challenges hold whatever was wrong. *schemes* has the parameters of each scheme it knows."""

    realm: str
    schemes: Mapping[str, Mapping[str, str]]
    resource_metadata: str | None = None

    def __post_init__(self) -> None:
        texts = [
            self.realm,
            self.resource_metadata or "",
            *(text for own in self.schemes.values() for text in own.values()),
        ]
        if not all(" " <= mark <= "~" and mark not in '"\\' for text in texts for mark in text):
            raise ValueError("realm and the rest of a challenge must be ASCII without quotes and backslashes")


def render_refusal(refusal: OAuthError, challenges: Challenges, required: Requirement, sent_scheme: str) -> Answer:
    """The response to a request that was refused; *sent_scheme* is the scheme it used, in lower case, or empty."""
    told = {} if isinstance(refusal, TokenMissing) else {"error": refusal.code}
    body = json.dumps({**told, "error_description": refusal.error_description}).encode()
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        *(refusal.headers if isinstance(refusal, TokenRejected) else ()),
    ]
    if isinstance(refusal, IssuerUnavailable | ReplayUnavailable):
        headers.append(("retry-after", str(-(-refusal.retry_for // SECOND))))
    else:
        headers.append(("www-authenticate", render_challenge(refusal, challenges, required, sent_scheme)))
    return Answer(_STATUS.get(refusal.code, 401), tuple(headers), body)


def render_challenge(refusal: OAuthError, challenges: Challenges, required: Requirement, sent_scheme: str) -> str:
    """The value of `WWW-Authenticate`: one challenge for each scheme, the one that was used first."""
    schemes = sorted(challenges.schemes, key=lambda scheme: scheme.lower() != sent_scheme)
    return ", ".join(
        _challenge(scheme, challenges, _why(refusal, required) if place == 0 else _scope(refusal, required))
        for place, scheme in enumerate(schemes)
    )


def _challenge(scheme: str, challenges: Challenges, why: Mapping[str, str]) -> str:
    parts = {"realm": challenges.realm, **why}
    if challenges.resource_metadata is not None:
        parts["resource_metadata"] = challenges.resource_metadata
    return write_challenge(scheme, {**parts, **challenges.schemes[scheme]})


def _why(refusal: OAuthError, required: Requirement) -> dict[str, str]:
    if isinstance(refusal, TokenMissing):
        return _scope(refusal, required)
    told = {"error": refusal.code, "error_description": refusal.error_description}
    if isinstance(refusal, AuthenticationInsufficient):
        if required.acr_values:
            told["acr_values"] = " ".join(required.acr_values)
        if required.max_age is not None:
            told["max_age"] = str(required.max_age)
    return told | _scope(refusal, required)


def _scope(refusal: OAuthError, required: Requirement) -> dict[str, str]:
    helps = isinstance(refusal, TokenMissing | ScopeMissing | AuthenticationInsufficient)
    return {"scope": " ".join(required.scopes)} if required.scopes and helps else {}
