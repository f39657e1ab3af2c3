"""A web application with sign-in for tests: registered with a `proofkey dev` that all of them share, greets who is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from proofkey.client.web import SESSION, SignIn
from tests.client.web.browser import WebBrowser
from tests.dev_server import DevServer
from tests.listening import listening

ORIGIN = "https://app.example"
REDIRECT_URI = f"{ORIGIN}/auth/callback"
CLIENT_SECRET = "the-secret-of-web-has-more-than-32-characters"
SCOPES = ["openid", "profile", "email", "offline_access", "notes:read", "notes:write"]
PASSWORD = "correct-horse-battery"


def declaration(redirect_uris: list[str], *, rotate: bool = False, lifetimes: dict[str, str] | None = None) -> str:
    """A configuration file (JSON is YAML) with the applications these tests sign in to."""
    web = {
        "kind": "web",
        "client_secret": CLIENT_SECRET,
        "redirect_uris": redirect_uris,
        "post_logout_redirect_uris": [uri.replace("/callback", "/logged-out") for uri in redirect_uris],
        "scopes": SCOPES,
        "rotate_refresh_tokens": rotate,
    }
    person = {"password": PASSWORD, "email": "alice@demo.example", "email_verified": True, "name": "Alice"}
    scopes = {"notes:read": "Read notes", "notes:write": "Write notes"}
    workspace = {
        "lifetimes": lifetimes or {},
        "apis": [{"audience": "http://127.0.0.1:1", "scopes": scopes}],
        "applications": {"web": web},
        "people": {"alice": person, "bob": {"password": PASSWORD}},
    }
    return json.dumps({"tenants": {"demo": {"workspaces": {"main": workspace, "other": workspace}}}})


async def greet(scope: Any, receive: Any, send: Any) -> None:
    """Says who is there and which path was asked for."""
    session = scope[SESSION]
    body = f"{scope['path']} {session.claims.get('name', session.subject) if session else 'nobody'}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


def sign_in_at(server: DevServer, **changed: Any) -> SignIn:
    """The application, not used yet."""
    settings: dict[str, Any] = {
        "issuer": server.issuer,
        "client_id": server.application("web")["client_id"],
        "client_secret": CLIENT_SECRET,
        "redirect_uri": REDIRECT_URI,
        "scope": "openid profile email notes:read notes:write",
        **changed,
    }
    return SignIn(settings.pop("app", greet), **settings)


def browser_of(app: Any, *, username: str = "alice", origin: str = ORIGIN) -> WebBrowser:
    """A browser that was never there."""
    return WebBrowser(app, origin, username=username, password=PASSWORD)


@contextmanager
def sign_in_listening(sign_in: SignIn, listener: Any) -> Iterator[str]:
    """It answers on *listener* inside the block, and is closed in its own event loop at the end."""

    async def until_closed(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/close":
            await sign_in(scope, receive, send)
            return
        await sign_in.close()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with listening(until_closed, listener) as url:
        try:
            yield url
        finally:
            httpx2.get(f"{url}/close", trust_env=False)
