"""Notes in the browser, with Flask: `gunicorn --workers 2 --threads 4 app:app`. Sessions are kept in a SQLite file."""

import os
from pathlib import Path

import httpx2
from flask import Flask, Response, jsonify, send_file

from proofkey.client.web import Api, SqliteStore
from proofkey.client.web.wsgi import SignIn, access_token, require_login, session_of

PAGE = Path(__file__).resolve().parent.parent / "web-page"
NOTES_API = os.environ["NOTES_API"]

app = Flask("notes", static_folder=PAGE, static_url_path="/static")


@app.get("/")
def home() -> Response:
    """The page, which asks /auth/session who is there."""
    return send_file(PAGE / "notes.html")


@app.get("/profile")
@require_login
def profile() -> Response:
    """Only for those who signed in; others come back here after they did."""
    session = session_of()
    assert session is not None  # nobody else comes past require_login
    return jsonify(name=session.claims["name"], subject=session.subject)


@app.get("/count")
@require_login
def count() -> Response:
    """How many notes there are: the server asks the API by itself."""
    answer = httpx2.get(f"{NOTES_API}/notes", headers={"authorization": f"Bearer {access_token()}"})
    return jsonify(len(answer.raise_for_status().json()["notes"]))


app.wsgi_app = SignIn(  # type: ignore[method-assign]
    app.wsgi_app,
    issuer=os.environ["PROOFKEY_ISSUER"],
    client_id=os.environ["PROOFKEY_CLIENT_ID"],
    client_secret=os.environ["PROOFKEY_CLIENT_SECRET"],
    redirect_uri=os.environ["REDIRECT_URI"],
    scope="openid profile notes:read notes:write",
    store=SqliteStore(os.environ["SESSIONS"]),
    key=bytes.fromhex(os.environ["SESSION_KEY"]),
    apis={"/api": Api(url=NOTES_API, resource=os.environ["NOTES_AUDIENCE"])},
)
