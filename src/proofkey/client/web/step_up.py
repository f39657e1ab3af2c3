"""What an API says with its 401 (RFC 6750 §3, RFC 9449 §7.1): above all whether only another sign-in helps (RFC 9470 §3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlencode

from proofkey.client.web.login import read_asked

ERROR = "insufficient_user_authentication"
_SCHEME = re.compile(r"\s*(?:Bearer|DPoP)\s+", re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_ASKED = ("acr_values", "max_age")


def read_step_up(challenges: Iterable[str]) -> Mapping[str, str] | None:
    """`acr_values` and `max_age` of a challenge that asks for another sign-in; None where none does."""
    for found in _read(challenges):
        if found.get("error") == ERROR:
            asked = read_asked(found)
            return {name: asked[name] for name in _ASKED if name in asked}
    return None


def read_errors(challenges: Iterable[str]) -> frozenset[str]:
    """The `error` of each challenge for an access token."""
    return frozenset(found["error"] for found in _read(challenges) if "error" in found)


def _read(challenges: Iterable[str]) -> Iterator[dict[str, str]]:
    for challenge in challenges:
        if len(challenge) <= 4_096 and _SCHEME.match(challenge):
            yield {name.lower(): _unquoted(quoted) or token for name, quoted, token in _PARAMETER.findall(challenge)}


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def login_address(login: str, asked: Mapping[str, str], return_to: str) -> str:
    """Where to sign in again, and to come back to *return_to*."""
    return f"{login}?{urlencode({**asked, 'return_to': return_to})}"
