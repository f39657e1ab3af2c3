"""An API that the application's pages call through their own origin."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from proofkey.protocol.issuer import is_safe_address, origin_of
from proofkey.protocol.records import SECOND

MEBIBYTE = 1_048_576


@dataclass(frozen=True, slots=True)
class Api:
    """Where an API is, and which access token it takes (RFC 8707): by default the one of the sign-in, if that is for its origin.

    *max_request* and *max_response* are bytes, *timeout_for* is milliseconds without a sign of life, *max_connections* counts
    those of one process; half of them may be event streams. Cookies that the API
    sets are dropped unless *set_cookie*, and of its headers those come back that an API usually sends, with *answer_headers*
    others of your own. Plain http is for this machine and, with *inside*, for a network of your own.

    >>> from proofkey.client.web import Api
    >>> Api(url="https://notes.example/v1", resource="https://notes.example").url
    'https://notes.example/v1'
    """

    url: str
    resource: str | None = None
    scope: str | None = None
    max_request: int = 10 * MEBIBYTE
    max_response: int = 100 * MEBIBYTE
    timeout_for: int = 30 * SECOND
    max_connections: int = 100
    set_cookie: bool = False
    inside: bool = False
    answer_headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise `ValueError` for an address that nothing may be sent to."""
        object.__setattr__(self, "answer_headers", tuple(name.lower() for name in self.answer_headers))
        parts = urlsplit(self.url)
        safe = is_safe_address(self.url) or (self.inside and parts.scheme == "http" and bool(parts.hostname))
        if not safe or parts.query or parts.fragment or "%" in parts.path or "@" in parts.netloc:
            raise ValueError("url must be https (or http on loopback), without query, fragment or escapes")
        if self.max_connections < 2:
            raise ValueError("max_connections must be at least 2")

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return origin_of(self.url)

    def is_at_origin_of(self, url: str) -> bool:
        """True where that address has the same scheme, host and port."""
        return self.origin.lower() == origin_of(url).lower()

    @property
    def path(self) -> str:
        """The path everything stands under, without a slash at its end."""
        return urlsplit(self.url).path.rstrip("/")
