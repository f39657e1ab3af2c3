"""Form or query to parameters (RFC 6749 §3.1, §3.2; WHATWG URL, application/x-www-form-urlencoded).

1. Only known names are decoded; whatever an unknown parameter holds is ignored.
2. A known parameter sent twice is refused, except those that are lists (`resource`, RFC 8707 §2).
3. Sent without a value is not sent (RFC 6749 §3.1).
4. A known value must be UTF-8 without control characters, and no longer than its limit. Nothing is truncated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from proofkey.protocol.errors import InvalidRequest

MAX_QUERY = 8_192
MAX_BODY = 65_536
MAX_PARAMETERS = 256
MAX_LISTED = 8
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LIMITS: Mapping[str, int] = {"nonce": 512, "state": 2_048, "code": 2_048, "redirect_uri": 2_048, "client_id": 2_048}
_LISTS = frozenset({"resource"})


@dataclass(frozen=True, slots=True)
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
    pairs = raw.split(b"&")
    if len(pairs) > MAX_PARAMETERS:
        raise InvalidRequest("too_many_parameters", "The request has too many parameters")
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    faults: dict[str, InvalidRequest] = {}
    for pair in pairs:
        raw_name, _, raw_value = pair.partition(b"=")
        name = _decode_name(raw_name)
        if name not in known or not raw_value:
            continue
        try:
            value = _decode_value(name, raw_value)
        except InvalidRequest as fault:
            faults[name] = fault
            continue
        if name in _LISTS:
            lists.setdefault(name, []).append(value)
        elif name in values:
            faults[name] = InvalidRequest("parameter_repeated", "Sent more than once", parameters=[name])
        else:
            values[name] = value
    for name in faults:
        values.pop(name, None)
    return Parameters(values, _bounded(lists.get("resource", []), faults), faults)


def _bounded(listed: list[str], faults: dict[str, InvalidRequest]) -> tuple[str, ...]:
    if len(listed) > MAX_LISTED:
        faults["resource"] = InvalidRequest("resources_too_many", "Too many values", parameters=["resource"])
    return tuple(dict.fromkeys(listed[:MAX_LISTED]))


def _decode_name(raw: bytes) -> str:
    if b"%" in raw or b"+" in raw:
        raw = unquote_to_bytes(raw.replace(b"+", b" "))
    return raw.decode("utf-8", "replace")


def _decode_value(name: str, raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    try:
        value = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("parameter_not_utf8", "Must be UTF-8", parameters=[name]) from None
    if _CONTROL.search(value):
        raise InvalidRequest("parameter_control_character", "Must not hold control characters", parameters=[name])
    if len(value) > _LIMITS.get(name, MAX_BODY):
        raise InvalidRequest("parameter_too_long", "Too long", parameters=[name])
    return value
