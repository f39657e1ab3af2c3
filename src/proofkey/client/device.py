"""Signing in with a code that the person types at another device: the device grant (RFC 8628).

1. It is asked no faster than the issuer allows; `slow_down` adds five seconds for good (§3.5). A lost answer, or a problem of
   the server's own, is no answer.
2. The request carries no `state` and no `nonce`; the device code, which never leaves this process, binds the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proofkey.client.conversation import Conversation
from proofkey.client.issuer import Issuer, SignedIn
from proofkey.client.messages import NoAnswer, ResponseRefused, ServerRefused, form_request, printable, read_object
from proofkey.client.protocol import Tokens, read_seconds
from proofkey.protocol.issuer import is_safe_address
from proofkey.protocol.records import SECOND

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL_FOR = 5 * SECOND
_LONGEST_PAUSE_FOR = 30 * SECOND


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
    """The person has not decided, or nobody said so (`is_lost`); ask again after `interval_for` at the earliest."""

    interval_for: int
    is_lost: bool = False


def pause_after(interval_for: int, lost: int) -> int:
    """How long to wait after so many questions in a row that came to nothing: twice as long each time, within bounds (§3.5)."""
    return max(interval_for, min(interval_for << min(lost, 10), _LONGEST_PAUSE_FOR))


def begin_device(issuer: Issuer, *, scope: str, resource: str | None = None) -> Conversation[DeviceAuthorization]:
    """A new device authorization (§3.1). Raises `ResponseRefused` where the issuer has no such endpoint.

    What the tokens are checked by is fetched now: nobody is to type a code whose sign-in could not be believed.
    """
    metadata = yield from issuer.discover()
    endpoint = metadata.device_authorization_endpoint
    if endpoint is None:
        raise ResponseRefused("device_grant_not_served", "The issuer does not serve the device grant")
    yield from issuer.prepare(scope)
    parameters = {"scope": scope, **({} if resource is None else {"resource": resource})}
    response = yield form_request(endpoint, parameters, issuer.registration)
    return read_device_authorization(response.status, response.body)


def read_device_authorization(status: int, body: bytes) -> DeviceAuthorization:
    """The answer of the device authorization endpoint (§3.2). Raises `ServerRefused` or `ResponseRefused`."""
    answer = read_object(status, body, grants="device_code")
    texts: dict[str, Any] = {name: answer.get(name) for name in ("device_code", "user_code", "verification_uri")}
    texts["verification_uri"] = texts["verification_uri"] or answer.get("verification_url")  # Google's, from a draft
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


def _duration(told: object, default: int) -> int:
    seconds = read_seconds(told)
    return default if seconds is None or seconds < 1 else seconds * SECOND


def ask_device(
    issuer: Issuer, authorization: DeviceAuthorization, *, scope: str, interval_for: int, resource: str | None = None
) -> Conversation[SignedIn | AskAgain]:
    """Ask once whether the person has decided (§3.4); *interval_for* as it is by now.

    Raises `ServerRefused` with `access_denied` and `expired_token`, and whatever else ends it.
    """
    parameters = {
        "grant_type": _GRANT,
        "device_code": authorization.device_code,
        **({} if resource is None else {"resource": resource}),
    }
    try:
        yield from issuer.prepare(scope)
        metadata = yield from issuer.discover()
        request = form_request(metadata.token_endpoint, parameters, issuer.registration)
        tokens: Tokens = yield from issuer.ask_tokens(request)
    except NoAnswer:
        return AskAgain(interval_for, is_lost=True)
    except ServerRefused as refused:
        if refused.code == "authorization_pending":
            return AskAgain(interval_for)
        if refused.code == "slow_down":
            return AskAgain(interval_for + _INTERVAL_FOR)
        if refused.is_passing:
            return AskAgain(interval_for, is_lost=True)
        raise
    return (yield from issuer.believe(tokens, scope=scope, nonce=None))
