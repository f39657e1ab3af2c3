"""JSON for a terminal: what came from somebody else's server shows nothing but its letters (RFC 8259 §7)."""

from __future__ import annotations

import json
import re
from typing import Any

_NOT_ASCII = re.compile(r"[\x7f-\U0010ffff]")


def to_json(value: Any, *, indent: int | None = None) -> str:
    """*value* as JSON: letters as they are; controls, marks of direction and the like as `\\uXXXX`."""
    return _NOT_ASCII.sub(_escape, json.dumps(value, ensure_ascii=False, indent=indent))


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]
