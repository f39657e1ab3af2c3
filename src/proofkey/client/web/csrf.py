"""Whether a request was caused by this application's own pages (Fetch Metadata, RFC 6454; Browser-Based Apps §6.1.3.3).

1. A state-changing request from another origin has no session: neither here nor in the application.
2. Sign-out and proxied APIs also want the token of `…/session`, in a header or, for the sign-out form, in a field.
3. A sibling on the same site (another subdomain, another port) is as foreign as anybody.
"""

from __future__ import annotations

from proofkey.client.web.message import Request
from proofkey.client.web.recognise import Recognised
from proofkey.client.web.site import Site
from proofkey.protocol.errors import Refusal

HEADER = "x-csrf-token"
FIELD = "csrf"
SAFE = frozenset({"GET", "HEAD"})


class CsrfRefused(Refusal):
    """The request was not, or not provably, sent by this application's own pages."""

    code = "access_denied"


def is_from_elsewhere(request: Request, origin: str) -> bool:
    """True where a browser says that another origin's page caused the request. Programs say nothing.

    A page that sends no Referer has `Origin: null` in its own forms (Fetch §3.2): there `Sec-Fetch-Site` is believed.
    """
    sites, origins = _sent(request, b"sec-fetch-site"), _sent(request, b"origin")
    if sites == ["same-origin"]:
        return origins not in ([], [origin], ["null"])
    return sites not in ([], ["none"]) or origins not in ([], [origin])


def _sent(request: Request, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in request.scope["headers"] if name == wanted]


def has_session(request: Request, origin: str) -> bool:
    """False where rule 1 takes the session away: other origins' forms and WebSockets come without one."""
    changes = request.scope["type"] == "websocket" or request.method not in SAFE
    return not (changes and is_from_elsewhere(request, origin))


def check_proxied(site: Site, request: Request, recognised: Recognised) -> None:
    """What a request to a proxied API must show. Raises `CsrfRefused`."""
    elsewhere = is_from_elsewhere(request, site.addresses.origin)
    if request.method in SAFE and (not elsewhere or request.is_navigation):
        return
    if elsewhere:
        raise CsrfRefused("request_from_elsewhere", "Another origin's page sent this request")
    check_token(site, recognised, request.header(HEADER))


def check_token(site: Site, recognised: Recognised, sent: str | None) -> None:
    """The token must be the session's own. Raises `CsrfRefused`."""
    if not recognised.is_csrf_token(site, sent):
        raise CsrfRefused("csrf_token_differs", "x-csrf-token must hold the csrf value of the session endpoint")
