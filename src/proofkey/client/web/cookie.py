"""Cookies of a sign-in, as they are read and set (RFC 6265bis).

1. Over https every cookie is `__Host-`: Secure, Path=/, no Domain, so that no other host can have set it.
2. Over http, which is for loopback alone, the prefix and Secure are left out; nothing else changes.
3. A name that came twice counts as not sent: nobody can tell which one is ours (cookie tossing).
4. Space and tab end a name, and nothing else: a browser takes U+00A0 before `__Host-` for part of a name without prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

MAX_VALUE = 128
SameSite = Literal["Lax", "None"]


def read_cookies(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """The cookies of a request by name; those that came twice or are too long for one of ours are left out."""
    found: dict[str, str] = {}
    repeated: set[str] = set()
    for header, value in headers:
        if header != b"cookie":
            continue
        for pair in value.decode("latin-1").split(";"):
            name, _, content = pair.strip(" \t").partition("=")
            if name in found:
                repeated.add(name)
            found[name] = content
    return {name: value for name, value in found.items() if name not in repeated and len(value) <= MAX_VALUE}


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of ours: its whole name and how it is set."""

    name: str
    secure: bool
    same_site: SameSite = "Lax"

    @classmethod
    def named(cls, name: str, *, secure: bool, same_site: SameSite = "Lax") -> Cookie:
        """The cookie called *name*, prefixed where it can be."""
        return cls(f"__Host-{name}" if secure else name, secure or same_site == "None", same_site)

    def set(self, value: str, *, max_age: int | None = None) -> tuple[bytes, bytes]:
        """The header that sets it; without *max_age* (seconds) it goes when the browser is closed."""
        parts = [f"{self.name}={value}", "Path=/", "HttpOnly", f"SameSite={self.same_site}"]
        parts += ["Secure"] if self.secure else []
        parts += [] if max_age is None else [f"Max-Age={max_age}"]
        return b"set-cookie", "; ".join(parts).encode("ascii")

    def drop(self) -> tuple[bytes, bytes]:
        """The header that removes it."""
        return self.set("", max_age=0)
