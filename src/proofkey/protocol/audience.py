"""`aud` of a token: one audience, or a list of them (RFC 7519 §4.1.3)."""

from __future__ import annotations

from typing import Any


def read_audiences(aud: Any) -> list[Any]:
    """Whatever *aud* names; nothing here says that they are texts."""
    return aud if isinstance(aud, list) else [aud]
