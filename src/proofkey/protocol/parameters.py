"""Form or query to parameters (RFC 6749 §3.1, §3.2; WHATWG URL, application/x-www-form-urlencoded).

1. Only known names are decoded; whatever an unknown parameter holds is ignored.
2. A known parameter sent twice is refused, except those that are lists (`resource`, RFC 8707 §2).
3. Sent without a value is not sent (RFC 6749 §3.1).
4. A known value must be UTF-8 without control characters, and no longer than its limit. Nothing is truncated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from urllib.parse import unquote_to_bytes

from proofkey.protocol.errors import InvalidRequest
from proofkey.protocol.record import record

MAX_QUERY = 8_192
MAX_BODY = 65_536
MAX_PARAMETERS = 256
MAX_LISTED = 8
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that no value has; among them NUL, which PostgreSQL's text cannot hold."""
MAX_CODE = 2_048
_LIMITS: Mapping[str, int] = {
    "nonce": 512,
    "state": 2_048,
    "code": MAX_CODE,
    "redirect_uri": 2_048,
    "client_id": 2_048,
    "login_hint": 320,
    "claims": 4_096,
}
_LISTS = frozenset({"resource"})


@record(frozen=True, slots=True)
class Parameters:
    """The known parameters of one request: single values, and the lists."""

    values: Mapping[str, str]
    resources: tuple[str, ...] = ()
    faults: Mapping[str, InvalidRequest] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse where any known parameter was repeated, malformed or too long."""
        for fault in self.faults.values():
            raise fault


def parse(raw: bytes, known: frozenset[str]) -> Parameters:
    """The *known* parameters of a query or form body.

    Faults are collected, not raised, because /authorize may answer at redirect_uri only once that is proven; a parameter
    with a fault has no value.
    """
    text = raw.decode("latin-1")
    pairs = text.split("&")
    if len(pairs) > MAX_PARAMETERS:
        raise InvalidRequest("too_many_parameters", "The request has too many parameters")
    visible = text.isascii() and text.isprintable()
    values: dict[str, str] = {}
    resources: list[str] = []
    faults: dict[str, InvalidRequest] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in known:
            name = _decode_name(name)
        if not value or name not in known:
            continue
        try:
            value = _decode_value(name, value, visible=visible)
        except InvalidRequest as fault:
            faults[name] = fault
        else:
            _keep(name, value, values, resources, faults)
    for name in faults:
        values.pop(name, None)
    return Parameters(values, _bounded(resources, faults) if resources else (), faults)


def _keep(
    name: str, value: str, values: dict[str, str], resources: list[str], faults: dict[str, InvalidRequest]
) -> None:
    if name in _LISTS:
        resources.append(value)
    elif name in values:
        faults[name] = InvalidRequest("parameter_repeated", "Sent more than once", parameters=[name])
    else:
        values[name] = value


def _decode_name(name: str) -> str:
    return _unquote(name).decode("utf-8", "replace") if "%" in name or "+" in name else name


def _bounded(listed: list[str], faults: dict[str, InvalidRequest]) -> tuple[str, ...]:
    if len(listed) > MAX_LISTED:
        faults["resource"] = InvalidRequest("resources_too_many", "Too many values", parameters=["resource"])
    return tuple(dict.fromkeys(listed[:MAX_LISTED]))


def _unquote(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1"))


def _decode_value(name: str, value: str, *, visible: bool) -> str:
    """*visible*: the whole request is visible ASCII, so that a value without escapes stands for itself."""
    if "%" in value or "+" in value or not visible:
        try:
            value = _unquote(value).decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidRequest("parameter_not_utf8", "Must be UTF-8", parameters=[name]) from None
        if CONTROL.search(value):
            raise InvalidRequest("parameter_control_character", "Must not hold control characters", parameters=[name])
    if len(value) > _LIMITS.get(name, MAX_BODY):
        raise InvalidRequest("parameter_too_long", "Too long", parameters=[name])
    return value
