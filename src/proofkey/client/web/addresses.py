"""Where a web application's own sign-in addresses are, and where it may send the person afterwards.

1. All addresses are made of the registered `redirect_uri`, never of a Host or Forwarded header.
2. After sign-in the person goes to a path of this origin and to nothing else; what is none becomes `/`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from proofkey.protocol.issuer import is_safe_address, origin_of

MAX_RETURN_TO = 2_000
_PCHAR = r"[A-Za-z0-9._~!$&'()*+,;=:@%-]"
_PATH = re.compile(rf"/(?:{_PCHAR}+(?:/{_PCHAR}+)*/?)?(?:\?(?:{_PCHAR}|[/?])*)?")
_TRAVERSAL = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The public addresses of one sign-in: all of them stand beside its redirect URI."""

    redirect_uri: str
    origin: str
    folder: str
    callback: str

    @classmethod
    def beside(cls, redirect_uri: str) -> Addresses:
        """Those that go with *redirect_uri*. Raises `ValueError` where it is neither https nor http on this machine."""
        parts = urlsplit(redirect_uri)
        if not is_safe_address(redirect_uri) or not parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("redirect_uri must be https, or http on loopback, with a path and no query")
        folder = parts.path.rpartition("/")[0]
        return cls(redirect_uri, origin_of(redirect_uri), folder, parts.path)

    @property
    def is_secure(self) -> bool:
        """True over https: cookies are then Secure and `__Host-`."""
        return self.origin.startswith("https:")

    @property
    def mark(self) -> str:
        """Eight characters that tell this sign-in's cookies from another's on the same host (cookies ignore ports)."""
        return hashlib.sha256(self.redirect_uri.encode()).hexdigest()[:8]

    def path(self, name: str) -> str:
        """The path of the endpoint called *name*."""
        return f"{self.folder}/{name}"

    def url(self, name: str) -> str:
        """The public address of the endpoint called *name*."""
        return f"{self.origin}{self.path(name)}"

    def check_return_to(self, sent: str | None) -> str:
        """*sent* where it is a path (and query) of this origin outside the sign-in itself, else `/`."""
        if sent is None or len(sent) > MAX_RETURN_TO or not _PATH.fullmatch(sent):
            return "/"
        path, lower = sent.partition("?")[0], sent.lower()
        if "%0" in lower or "%5c" in lower or _TRAVERSAL.search(path):
            return "/"
        own = {self.path(name) for name in ("login", "logout", "session", "backchannel-logout", "logged-out")}
        return "/" if path in own | {self.callback} else sent
