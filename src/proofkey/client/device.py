"""Signing in with a code that the person types at another device: the device grant (RFC 8628).

1. It is asked no faster than the issuer allows; `slow_down` adds five seconds for good (§3.5).
2. The request carries no `state` and no `nonce`; the device code, which never leaves this process, binds the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proofkey.client.conversation import Conversation
from proofkey.client.issuer import Issuer, SignedIn
from proofkey.client.messages import ResponseRefused, ServerRefused, form_request, printable, read_object
from proofkey.client.protocol import Tokens
from proofkey.protocol.issuer import is_safe_address
from proofkey.protocol.records import SECOND

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL_FOR = 5 * SECOND


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """What the person is shown, and what is asked with; `expires_for` and `interval_for` in milliseconds (§3.2).

    >>> answer = b'{"device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": "https://a.example", "expires_in": 1800}'
    >>> read_device_authorization(200, answer).user_code
    'WDJB-MJHT'
    """

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_for: int
    interval_for: int


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The person has not decided; ask again after `interval_for`."""

    interval_for: int


def begin_device(issuer: Issuer, *, scope: str, resource: str | None = None) -> Conversation[DeviceAuthorization]:
    """A new device authorization (§3.1). Raises `ResponseRefused` where the issuer has no such endpoint."""
    metadata = yield from issuer.discover()
    endpoint = metadata.device_authorization_endpoint
    if endpoint is None:
        raise ResponseRefused("device_grant_not_served", "The issuer does not serve the device grant")
    parameters = {"scope": scope, **({} if resource is None else {"resource": resource})}
    response = yield form_request(endpoint, parameters, issuer.registration)
    return read_device_authorization(response.status, response.body)


def read_device_authorization(status: int, body: bytes) -> DeviceAuthorization:
    """The answer of the device authorization endpoint (§3.2). Raises `ServerRefused` or `ResponseRefused`."""
    answer = read_object(status, body)
    texts: dict[str, Any] = {name: answer.get(name) for name in ("device_code", "user_code", "verification_uri")}
    complete = answer.get("verification_uri_complete")
    if not all(isinstance(text, str) and text for text in texts.values()) or not _are_safe(texts, complete):
        raise ResponseRefused(
            "device_answer_malformed", "The device authorization response lacks a member, or has it wrong"
        )
    return DeviceAuthorization(
        device_code=texts["device_code"],
        user_code=printable(texts["user_code"]),
        verification_uri=texts["verification_uri"],
        verification_uri_complete=complete,
        expires_for=_duration(answer.get("expires_in"), 10 * 60 * SECOND),
        interval_for=_duration(answer.get("interval"), _INTERVAL_FOR),
    )


def _are_safe(texts: Mapping[str, Any], complete: Any) -> bool:
    """Addresses that are opened and printed: https, or this machine."""
    given = [texts["verification_uri"], *([] if complete is None else [complete])]
    return all(isinstance(url, str) and is_safe_address(url) for url in given)


def _duration(seconds: Any, default: int) -> int:
    return seconds * SECOND if isinstance(seconds, int) and seconds > 0 else default


def ask_device(
    issuer: Issuer, authorization: DeviceAuthorization, *, scope: str, interval_for: int, resource: str | None = None
) -> Conversation[SignedIn | AskAgain]:
    """Ask once whether the person has decided (§3.4); *interval_for* as it is by now.

    Raises `ServerRefused` with `access_denied` and `expired_token`, and whatever else ends it.
    """
    metadata = yield from issuer.discover()
    parameters = {
        "grant_type": _GRANT,
        "device_code": authorization.device_code,
        **({} if resource is None else {"resource": resource}),
    }
    request = form_request(metadata.token_endpoint, parameters, issuer.registration)
    try:
        tokens: Tokens = yield from issuer.ask_tokens(request)
    except ServerRefused as refused:
        if refused.code == "authorization_pending":
            return AskAgain(interval_for)
        if refused.code == "slow_down":
            return AskAgain(interval_for + _INTERVAL_FOR)
        raise
    claims = yield from issuer.read_person(tokens, scope=scope, nonce=None)
    return SignedIn(tokens, claims)
