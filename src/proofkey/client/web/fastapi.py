"""The sign-in in FastAPI: a dependency that gives who signed in, and asks everybody else to."""

from __future__ import annotations

from fastapi import HTTPException, Request

from proofkey.client.web.require_login import ask_for_login, session_of
from proofkey.client.web.session import Session


def signed_in(request: Request) -> Session:
    """Who signed in: `session: Session = Depends(signed_in)`. Others are redirected, or told where to go (401).

    >>> from fastapi import Depends, FastAPI
    >>> from proofkey.client.web.fastapi import Session, signed_in
    >>> app = FastAPI()
    >>> @app.get("/")
    ... def home(session: Session = Depends(signed_in)) -> str:
    ...     return session.claims["name"]
    >>> from proofkey.client.web import SignIn
    >>> settings = {"client_id": WEB_CLIENT_ID, "client_secret": WEB_CLIENT_SECRET, "redirect_uri": WEB_REDIRECT_URI}
    >>> from starlette.testclient import TestClient
    >>> TestClient(SignIn(app, issuer=ISSUER, **settings)).get("/").status_code
    401
    """
    session = session_of(request)
    if session is None:
        response = ask_for_login(request)
        kept = {name.decode(): value.decode() for name, value in response.headers if name != b"content-type"}
        raise HTTPException(response.status, detail=response.told, headers=kept)
    return session


__all__ = ["Session", "signed_in"]
