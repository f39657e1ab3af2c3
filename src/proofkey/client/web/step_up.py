"""Whether an API says that only another sign-in helps, and where that is (RFC 9470 §3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from proofkey.client.web.login import read_asked
from proofkey.protocol.challenge import read_challenges

ERROR = "insufficient_user_authentication"
_ASKED = ("acr_values", "max_age")


def read_step_up(challenges: Iterable[str]) -> Mapping[str, str] | None:
    """`acr_values` and `max_age` of a challenge that asks for another sign-in; None where none does."""
    for challenge in read_challenges(challenges):
        if challenge.parameters.get("error") == ERROR:
            asked = read_asked(challenge.parameters)
            return {name: asked[name] for name in _ASKED if name in asked}
    return None


def login_address(login: str, asked: Mapping[str, str], return_to: str) -> str:
    """Where to sign in again, and to come back to *return_to*."""
    return f"{login}?{urlencode({**asked, 'return_to': return_to})}"
