"""GET …/session: who is signed in, as JSON for the application's own pages; never a token.

Asking does not keep a session alive: a page that asks every minute must not stay signed in for ever.
"""

from __future__ import annotations

from proofkey.client.web.csrf import CsrfRefused, is_from_elsewhere
from proofkey.client.web.message import Request, Response, answer_json, not_allowed
from proofkey.client.web.recognise import recognise, told
from proofkey.client.web.site import Site
from proofkey.protocol.records import SECOND

_ABOUT_THE_TOKEN = frozenset("at_hash aud azp c_hash exp iat jti nbf nonce s_hash sid".split())
"""Claims that speak of the ID token or the session at the issuer, and not of the person."""


async def tell_session(site: Site, request: Request) -> Response:
    """`{"signed_in": false}`, or the claims, when the session ends without use (seconds), and the CSRF token."""
    if request.method != "GET":
        return not_allowed("GET")
    if is_from_elsewhere(request, site.addresses.origin):
        raise CsrfRefused("session_asked_from_elsewhere", "Another origin's page sent this request")
    recognised = await recognise(site, request)
    if recognised is None:
        return answer_json(200, {"signed_in": False})
    session = told(site, recognised)
    claims = {name: value for name, value in session.claims.items() if name not in _ABOUT_THE_TOKEN}
    about = {"claims": claims, "expires_at": session.expires_at // SECOND, "csrf": session.csrf}
    return answer_json(200, {"signed_in": True, **about})
