"""What a person reads where a sign-in came to nothing: what it means to them, what to do next, and one line for support.

1. Every sentence is ours and constant: what came in an address is never shown, but for a code and a slug of plain letters.
2. "Sign in" is offered only where it can help.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from proofkey.client.error_code import Meaning, meaning_of
from proofkey.client.id_token import IdTokenRefused
from proofkey.client.messages import NoAnswer, ResponseRefused, ServerRefused
from proofkey.client.protocol import CallbackRefused
from proofkey.protocol.errors import Refusal

_CODE = re.compile(r"[a-z][a-z_]{0,63}")
_SLUG = re.compile(r"\[([a-z][a-z0-9_]{0,63})\]\Z")


@dataclass(frozen=True, slots=True)
class Words:
    """A heading, a sentence, and where it makes sense to go on."""

    title: str
    text: str
    onward: Literal["sign_in", "start", "nowhere"] = "sign_in"


UNAVAILABLE = Words(
    "Sign-in does not work right now",
    "Wait a minute, then try again. If it goes on, tell whoever runs this application.",
)
_BY_MEANING: dict[Meaning, Words] = {
    "declined": Words(
        "You are not signed in",
        "The sign-in was declined, so this application was given nothing. You can sign in whenever you like.",
    ),
    "sign_in_again": Words(
        "Please sign in again", "This sign-in did not come to its end. Doing it again usually helps."
    ),
    "unavailable": UNAVAILABLE,
    "set_up_wrongly": Words(
        "Sign-in is not set up correctly",
        "You did nothing wrong, and trying again will not help. Tell whoever runs this application; the line below says why.",
        "nowhere",
    ),
    "refused": Words(
        "You are not signed in",
        "The sign-in was refused. You can try again; if that does not help, tell whoever runs this application.",
    ),
}
_NOT_ACCEPTED = Words(
    "Please sign in again",
    "The answer to this sign-in could not be trusted, so nobody was signed in. "
    "If it happens again, tell whoever runs this application.",
)
_BY_REASON = {
    "certificate_not_trusted": _BY_MEANING["set_up_wrongly"],
    "tls_not_spoken": _BY_MEANING["set_up_wrongly"],
    "answer_without_state": Words("Please sign in again", "This page is only for coming back from a sign-in."),
    "transaction_lost_twice": Words(
        "Please allow cookies",
        "This browser did not keep the cookie that signing in needs. Allow cookies for this site, then sign in again.",
    ),
    "signed_out_meanwhile": Words("Please sign in again", "You were signed out while this sign-in was under way."),
    "id_token_auth_time_too_old": Words(
        "Please sign in again", "A fresh sign-in is needed here, and yours is too long ago."
    ),
    "logout_state_differs": Words(
        "Nothing was changed",
        "This page is only for coming back from signing out. The application shows whether you are signed in.",
        "start",
    ),
    "logout_not_posted": Words(
        "You were not signed out", "To sign out, use the application's own button. A link cannot do it.", "start"
    ),
    "logout_from_elsewhere": Words(
        "You were not signed out",
        "Another site asked for it, not this application. To sign out, use the application's own button.",
        "start",
    ),
    "csrf_token_differs": Words(
        "You were not signed out",
        "That page was too old, or not this application's. Open the application again and sign out there.",
        "start",
    ),
}
ELSEWHERE = Words(
    "This cannot be shown", "Go back and try again. If it happens again, tell whoever runs this application.", "nowhere"
)
"""For what is no matter of signing in or out."""


def words_for(refusal: Refusal) -> Words:
    """What the person reads for *refusal* at one of the sign-in's own addresses."""
    if refusal.reason in _BY_REASON:
        return _BY_REASON[refusal.reason]
    if isinstance(refusal, ServerRefused):
        return _BY_MEANING[meaning_of(refusal.code)]
    if isinstance(refusal, NoAnswer):
        return UNAVAILABLE
    if isinstance(refusal, IdTokenRefused | CallbackRefused):
        return _NOT_ACCEPTED
    return _BY_MEANING["set_up_wrongly"] if isinstance(refusal, ResponseRefused) else ELSEWHERE


def support_line(refusal: Refusal) -> str:
    """What to read out to whoever helps: our own constant text and slug; of a server's words its code and slug alone."""
    if not isinstance(refusal, ServerRefused):
        return refusal.error_description
    slug = _SLUG.search(refusal.told)
    code = refusal.code if _CODE.fullmatch(refusal.code) else ""
    return f"{code} [{slug[1] if slug else refusal.reason}]".lstrip()


def log_line(refusal: Refusal) -> str:
    """What whoever runs the application finds in the log: the reason, and why, in the issuer's own words where it has some."""
    if isinstance(refusal, ServerRefused):
        return f"{refusal.reason} {refusal.code} {refusal.told}".rstrip()
    named = refusal.description if isinstance(refusal, ResponseRefused) else ""
    return " ".join(
        filter(None, (refusal.reason, named, f"({refusal.detail})" if named and refusal.detail else refusal.detail))
    )
