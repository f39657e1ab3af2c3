"""GET …/session: who is signed in, as JSON for the application's own pages; never a token.

Asking does not keep a session alive: a page that asks every minute must not stay signed in for ever.
"""

from __future__ import annotations

from proofkey.client.web.message import Request, Response, answer_json, not_allowed
from proofkey.client.web.session import Session


async def tell_session(session: Session | None, request: Request) -> Response:
    """`{"signed_in": false}`, or the claims, when the session ends without use (seconds), and the CSRF token."""
    if request.method != "GET":
        return not_allowed("GET")
    if session is None:
        return answer_json(200, {"signed_in": False})
    told = {"claims": dict(session.claims), "expires_at": session.expires_at // 1_000, "csrf": session.csrf}
    return answer_json(200, {"signed_in": True, **told})
