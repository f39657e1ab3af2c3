"""What an error code means to the person who waits (RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6)."""

from __future__ import annotations

from typing import Literal, TypeAlias

Meaning: TypeAlias = Literal["declined", "sign_in_again", "unavailable", "set_up_wrongly", "refused"]

_MEANINGS: dict[str, Meaning] = {
    "access_denied": "declined",
    "account_selection_required": "sign_in_again",
    "consent_required": "sign_in_again",
    "interaction_required": "sign_in_again",
    "invalid_grant": "sign_in_again",
    "login_required": "sign_in_again",
    "unmet_authentication_requirements": "sign_in_again",
    "server_error": "unavailable",
    "temporarily_unavailable": "unavailable",
    "invalid_client": "set_up_wrongly",
    "invalid_request": "set_up_wrongly",
    "invalid_request_object": "set_up_wrongly",
    "invalid_request_uri": "set_up_wrongly",
    "invalid_scope": "set_up_wrongly",
    "invalid_target": "set_up_wrongly",
    "registration_not_supported": "set_up_wrongly",
    "request_not_supported": "set_up_wrongly",
    "request_uri_not_supported": "set_up_wrongly",
    "unauthorized_client": "set_up_wrongly",
    "unsupported_grant_type": "set_up_wrongly",
    "unsupported_response_type": "set_up_wrongly",
}


def meaning_of(code: str) -> Meaning:
    """What to tell the person; `refused` for a code that nobody knows. The code itself is the other side's text."""
    return _MEANINGS.get(code, "refused")
