"""Notes in the browser, with Django under ASGI: `uvicorn app:app --port 8000`. Sessions are kept in PostgreSQL, or in a file."""

import os
from pathlib import Path

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from proofkey.client.web import Api, PostgresStore, SignIn, SqliteStore
from proofkey.client.web.django import require_login, session_of

PAGE = Path(__file__).parent.parent / "web-page"
SESSIONS = os.environ["SESSIONS"]

# The sign-in needs none of Django's own sessions, accounts and CSRF tokens.
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY=os.environ["SESSION_KEY"])
django.setup(set_prefix=False)


def home(_request: HttpRequest) -> HttpResponse:
    """The page, which asks /auth/session who is there."""
    return HttpResponse((PAGE / "notes.html").read_bytes())


def script(_request: HttpRequest) -> HttpResponse:
    """The page's program."""
    return HttpResponse((PAGE / "notes.js").read_bytes(), content_type="text/javascript")


@require_login
def profile(request: HttpRequest) -> HttpResponse:
    """Only for those who signed in; others come back here after they did."""
    session = session_of(request)
    assert session is not None  # nobody else comes past require_login
    return JsonResponse({"name": session.claims["name"], "subject": session.subject})


urlpatterns = [path("", home), path("static/notes.js", script), path("profile", profile)]

app = SignIn(
    get_asgi_application(),
    issuer=os.environ["PROOFKEY_ISSUER"],
    client_id=os.environ["PROOFKEY_CLIENT_ID"],
    client_secret=os.environ["PROOFKEY_CLIENT_SECRET"],
    redirect_uri=os.environ["REDIRECT_URI"],
    scope="openid profile notes:read notes:write",
    store=PostgresStore(SESSIONS) if SESSIONS.startswith("postgresql") else SqliteStore(SESSIONS),
    key=bytes.fromhex(os.environ["SESSION_KEY"]),
    apis={"/api": Api(url=os.environ["NOTES_API"], resource=os.environ["NOTES_AUDIENCE"])},
)
