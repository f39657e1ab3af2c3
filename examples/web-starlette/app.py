"""Notes in the browser, with Starlette: `uvicorn app:app --port 8000`. Sessions are kept in a SQLite file."""

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from proofkey.client.web import Api, SignIn, SqliteStore, require_login, session_of

PAGE = Path(__file__).parent.parent / "web-page"


async def home(_request: Request) -> Response:
    """The page, which asks /auth/session who is there."""
    return FileResponse(PAGE / "notes.html")


@require_login
async def profile(request: Request) -> Response:
    """Only for those who signed in; others come back here after they did."""
    session = session_of(request)
    assert session is not None  # nobody else comes past require_login
    return JSONResponse({"name": session.claims["name"], "subject": session.subject})


notes = Starlette(
    routes=[Route("/", home), Route("/profile", profile), Mount("/static", StaticFiles(directory=PAGE))],
)

app = SignIn(
    notes,
    issuer=os.environ["PROOFKEY_ISSUER"],
    client_id=os.environ["PROOFKEY_CLIENT_ID"],
    client_secret=os.environ["PROOFKEY_CLIENT_SECRET"],
    redirect_uri=os.environ["REDIRECT_URI"],
    scope="openid profile notes:read notes:write",
    store=SqliteStore(os.environ["SESSIONS"]),
    key=bytes.fromhex(os.environ["SESSION_KEY"]),
    apis={"/api": Api(url=os.environ["NOTES_API"], resource=os.environ["NOTES_AUDIENCE"])},
)
