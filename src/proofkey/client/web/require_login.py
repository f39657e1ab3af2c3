"""For the application behind the sign-in: who is there, and pages that only somebody who signed in may see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any

from proofkey.client.web.message import Response
from proofkey.client.web.session import SESSION, Session

POLICY_VIOLATION = 1008
"""How a WebSocket is closed that nobody who signed in asked for (RFC 6455 §7.4.1)."""
ASK = "proofkey.ask_for_login"
"""Where the scope keeps what asks for a sign-in."""


def session_of(request: Any) -> Session | None:
    """Who signed in: of a scope, a WSGI environment, or a request of Starlette, FastAPI or Django under ASGI.

    None where nobody did. Raises `LookupError` where no sign-in is in front of the application.

    >>> from proofkey.client.web import Session, session_of
    >>> session_of({"proofkey.session": Session(ISSUER, "a1", {"name": "Alice"}, NOW, NOW + 60_000, "c5rf")}).subject
    'a1'
    """
    session: Session | None = _around(request)[SESSION]
    return session


def _around(request: Any) -> Mapping[str, Any]:
    """What the sign-in put around a request. Starlette's requests are mappings, Flask's and Django's have one."""
    for found in (request, getattr(request, "scope", None), getattr(request, "environ", None)):
        if isinstance(found, Mapping) and SESSION in found:
            return found
    raise LookupError("no sign-in is in front of this application")


def ask_for_login(request: Any) -> Response:
    """What a person or a script gets who is not, or not any more, signed in: an ASGI application, so a Starlette response.

    >>> from proofkey.client.web import SessionEnded, ask_for_login, session_of
    >>> async def notes(request):
    ...     try:
    ...         token = await session_of(request).access_token()
    ...     except SessionEnded:
    ...         return ask_for_login(request)
    >>> ask_for_login({})
    Traceback (most recent call last):
    LookupError: no sign-in is in front of this application
    """
    ask: Callable[[], Response] = _around(request)[ASK]
    return ask()


def require_login(view: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """*view*, an ASGI application or a Starlette endpoint, for those who signed in; others are asked to.

    >>> from proofkey.client.web import SignIn, require_login
    >>> @require_login
    ... async def notes(scope, receive, send): ...
    >>> settings = {"client_id": WEB_CLIENT_ID, "client_secret": WEB_CLIENT_SECRET, "redirect_uri": WEB_REDIRECT_URI}
    >>> from starlette.testclient import TestClient
    >>> TestClient(SignIn(notes, issuer=ISSUER, **settings)).get("/notes").status_code
    401
    """

    @wraps(view)
    async def guarded(request: Any, *arguments: Any, **named: Any) -> Any:
        if session_of(request) is not None:
            return await view(request, *arguments, **named)
        response = ask_for_login(request)
        if len(arguments) == 2:
            receive, send = arguments
            if request["type"] == "websocket":
                await receive()
                return await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return await response(request, receive, send)
        return response

    return guarded
