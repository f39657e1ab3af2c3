"""Login names: two that a person would call the same are the same (RFC 8265 §3.3, UsernameCaseMapped, in spirit)."""

from __future__ import annotations

import unicodedata

MAX_LOGIN_NAME = 320
"""An e-mail address of the greatest length (RFC 5321 §4.5.3.1: 64 + 1 + 255)."""


def fold(login_name: str) -> str:
    """The form in which login names are kept and looked up: trimmed, width and case folded, composed."""
    folded = unicodedata.normalize("NFKC", login_name).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def is_login_name(login_name: str) -> bool:
    """Whether a person may have it: not empty, not longer than 320 characters, and every character visible."""
    return 0 < len(login_name) <= MAX_LOGIN_NAME and login_name == login_name.strip() and login_name.isprintable()
