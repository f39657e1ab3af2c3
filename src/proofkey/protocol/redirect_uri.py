"""Redirect URIs: what may be registered, and what matches (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §4.1).

1. Matching compares strings byte by byte. Nothing is parsed, decoded, folded or normalised.
2. Only the port may vary, only for native clients, only on a registered `http://127.0.0.1` or `http://[::1]`.
3. Several registered: the parameter is required. One: it may be left out, unless the scope contains `openid`.
"""

from __future__ import annotations

import re

from proofkey.protocol.errors import InvalidRequest, Unanswerable
from proofkey.protocol.record import record
from proofkey.protocol.records import ApplicationKind, Client

_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([0-9]{1,5}))?((?:[/?].*)?)", re.ASCII | re.DOTALL)
_ABSOLUTE = re.compile(r"([a-z][a-z0-9+.-]*):([!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+)", re.ASCII)
_WEB = re.compile(r"(https?)://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?(?:[/?].*)?", re.ASCII)
_LOCAL = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(?:[/?].*)?", re.ASCII)
_FORBIDDEN_SCHEMES = frozenset(
    {
        "javascript",
        "data",
        "vbscript",
        "blob",
        "file",
        "filesystem",
        "about",
        "ftp",
        "ws",
        "wss",
        "mailto",
        "tel",
        "view-source",
    }
)
MAX_REDIRECT_URI = 2_048
_PARTS = ("scheme", "user", "host", "port", "path", "query", "fragment")
_LOGGED = frozenset({"scheme", "host", "port", "path"})  # the others may hold what is nobody's business
_URI = re.compile(
    r"(?:([^:/?#]*):)?(?://(?:([^/?#@]*)@)?(\[[^\]]*\]|[^:/?#]*)(?::([0-9]*))?)?([^?#]*)(?:\?([^#]*))?(?:#(.*))?",
    re.DOTALL,
)


@record(frozen=True, slots=True)
class ReturnAddress:
    """A proven address: whoever holds one may redirect there. Only `find_redirect_uri` makes it."""

    redirect_uri: str
    was_sent: bool


@record(frozen=True, slots=True)
class ComparedPart:
    """One part of an address as requested and as registered; `same` is what the rules of matching say of it."""

    name: str
    requested: str
    registered: str
    same: bool


class RedirectUriMismatch(Unanswerable):
    """Not registered. `sent` and the nearest registered URI are for `proofkey dev` and the log, never for the caller."""

    def __init__(self, reason: str, description: str, *, sent: str, nearest: str, kind: ApplicationKind) -> None:
        self.sent = sent
        self.nearest = nearest
        self.parts = compare_parts(sent, nearest, kind)
        shown = [
            f"{part.name}: requested {part.requested[:200]!r}, registered {part.registered!r}"
            if part.name in _LOGGED
            else f"{part.name} differs"
            for part in self.parts
            if not part.same
        ]
        super().__init__(reason, description, detail="; ".join(shown))


def matches(sent: str, registered: str, kind: ApplicationKind) -> bool:
    """True where *sent* is *registered*, byte for byte, or differs only in the port of a native loopback address."""
    if sent == registered:
        return True
    if kind != "native":
        return False
    ours, theirs = _LOOPBACK.fullmatch(registered), _LOOPBACK.fullmatch(sent)
    if ours is None or theirs is None or not _is_port(theirs[2]):
        return False
    return ours[1] == theirs[1] and ours[3] == theirs[3]


def _is_port(text: str | None) -> bool:
    return text is None or (0 < int(text) <= 65_535 and text[0] != "0")


def find_redirect_uri(sent: str | None, client: Client, *, is_openid: bool) -> ReturnAddress:
    """Everything that must hold of redirect_uri before a single byte may go there (RFC 9700 §4.1.3)."""
    if sent is None:
        if len(client.redirect_uris) != 1:
            raise Unanswerable(
                "redirect_uri_required", "redirect_uri is required: this client has several or none registered"
            )
        if is_openid:
            raise Unanswerable("redirect_uri_required_openid", "redirect_uri is required with scope openid")
        return ReturnAddress(client.redirect_uris[0], was_sent=False)
    if not any(matches(sent, registered, client.kind) for registered in client.redirect_uris):
        raise RedirectUriMismatch(
            "redirect_uri_mismatch",
            "redirect_uri is not registered for this client",
            sent=sent,
            nearest=max(client.redirect_uris, key=lambda uri: _likeness(sent, uri, client.kind), default=""),
            kind=client.kind,
        )
    return ReturnAddress(sent, was_sent=True)


def check_registration(redirect_uri: str, kind: ApplicationKind) -> None:
    """Refuse a URI that must not be registered for this kind of application (RFC 8252 §7, RFC 9700 §2.1)."""
    absolute = _ABSOLUTE.fullmatch(redirect_uri)
    if absolute is None or len(redirect_uri) > MAX_REDIRECT_URI:
        raise InvalidRequest("redirect_uri_not_absolute", "redirect_uri must be absolute, in ASCII, without a fragment")
    if absolute[1] in _FORBIDDEN_SCHEMES:
        raise InvalidRequest("redirect_uri_scheme_forbidden", "redirect_uri has a scheme that is never a client's")
    if absolute[1] in ("http", "https"):
        _check_web(redirect_uri)
    elif kind != "native":
        raise InvalidRequest(
            "redirect_uri_private_scheme", "redirect_uri with a private-use scheme needs a native client"
        )


def _check_web(redirect_uri: str) -> None:
    if not _WEB.fullmatch(redirect_uri) or "@" in redirect_uri.split("/", 3)[2]:
        raise InvalidRequest("redirect_uri_malformed", "redirect_uri must have a lower-case host and no user name")
    if redirect_uri.startswith("http:") and not _LOCAL.fullmatch(redirect_uri):
        raise InvalidRequest("redirect_uri_not_https", "redirect_uri must be https, or http on a loopback address")


def origin_of(redirect_uri: str) -> str:
    """Scheme, host and port (RFC 6454), or `scheme:` for a private-use scheme; as CSP form-action and CORS name it."""
    web = re.match(r"https?://[^/?]+", redirect_uri)
    return web[0] if web else redirect_uri.split(":", 1)[0] + ":"


def _likeness(sent: str, registered: str, kind: ApplicationKind) -> int:
    return sum(part.same for part in compare_parts(sent, registered, kind))


def compare_parts(sent: str, registered: str, kind: ApplicationKind) -> tuple[ComparedPart, ...]:
    """Requested and registered part by part, for the log and `proofkey dev` only. `any` is a port that may vary."""
    any_port = kind == "native" and _LOOPBACK.fullmatch(registered) is not None
    return tuple(
        ComparedPart(name, ours, "any", _may_be_port(ours))
        if name == "port" and any_port
        else ComparedPart(name, ours, theirs, ours == theirs)
        for name, ours, theirs in zip(_PARTS, _parts(sent), _parts(registered), strict=True)
    )


def _may_be_port(text: str) -> bool:
    return len(text) <= 5 and _is_port(text or None)


def _parts(uri: str) -> tuple[str, ...]:
    found = _URI.fullmatch(uri)
    return tuple(part or "" for part in found.groups()) if found else ("", "", "", "", uri, "", "")
