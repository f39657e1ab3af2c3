"""Notes in the browser, with FastAPI: `uvicorn app:app --port 8000 --workers 2`. Sessions are kept in Redis, or in a file."""

import os
from pathlib import Path
from typing import Annotated

import httpx2
from fastapi import Depends, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from proofkey.client.web import Api, RedisStore, Session, SignIn, SqliteStore
from proofkey.client.web.fastapi import signed_in

PAGE = Path(__file__).parent.parent / "web-page"
SESSIONS = os.environ["SESSIONS"]
NOTES_API = os.environ["NOTES_API"]

notes = FastAPI()
notes.mount("/static", StaticFiles(directory=PAGE))


@notes.get("/")
def home() -> FileResponse:
    """The page, which asks /auth/session who is there."""
    return FileResponse(PAGE / "notes.html")


@notes.get("/profile")
def profile(session: Annotated[Session, Depends(signed_in)]) -> dict[str, str]:
    """Only for those who signed in; others come back here after they did."""
    return {"name": session.claims["name"], "subject": session.subject}


@notes.get("/count")
async def count(session: Annotated[Session, Depends(signed_in)]) -> int:
    """How many notes there are: the server asks the API by itself."""
    authorization = {"authorization": f"Bearer {await session.access_token()}"}
    async with httpx2.AsyncClient() as http:
        answer = await http.get(f"{NOTES_API}/notes", headers=authorization)
    return len(answer.raise_for_status().json()["notes"])


app = SignIn(
    notes,
    issuer=os.environ["PROOFKEY_ISSUER"],
    client_id=os.environ["PROOFKEY_CLIENT_ID"],
    client_secret=os.environ["PROOFKEY_CLIENT_SECRET"],
    redirect_uri=os.environ["REDIRECT_URI"],
    scope="openid profile notes:read notes:write",
    store=RedisStore(SESSIONS) if SESSIONS.startswith("redis") else SqliteStore(SESSIONS),
    key=bytes.fromhex(os.environ["SESSION_KEY"]),
    apis={"/api": Api(url=NOTES_API, resource=os.environ["NOTES_AUDIENCE"])},
)
