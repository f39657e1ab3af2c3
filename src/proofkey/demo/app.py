"""The sample single-page app's server: static files and one small configuration, nothing that knows a secret.

1. The page itself is the client (RFC 9700, OAuth 2.0 for Browser-Based Applications §6.3); this server never sees a token.
2. The Content-Security-Policy lets it talk to the issuer and to the API, and to nobody else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files

from proofkey.guard.asgi import App, Receive, Scope, Send
from proofkey.protocol.issuer import origin_of

DEMO_SCOPE = "openid profile email notes:read notes:write"
_TYPES = {
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "svg": b"image/svg+xml",
    "json": b"application/json",
}
_PAGES = {"/": "/index.html", "/callback": "/index.html"}
_FILES = ("index.html", "app.js", "steps.js", "spa/proofkey-spa.js", "spa/worker.js", "style.css", "icon.svg")


def create_demo_app(
    *,
    issuer: str,
    api_url: str,
    client_id: str,
    app_url: str,
    scope: str = DEMO_SCOPE,
    has_playground: bool = False,
) -> App:
    """The sample app at *app_url* (an origin, without a slash at its end) as a client of *issuer* that calls *api_url*.

    *has_playground* lets it link to the playground, which lives at `/playground` of the same origin.
    """
    app_url = app_url.rstrip("/")
    config = {
        "issuer": issuer,
        "client_id": client_id,
        "redirect_uri": f"{app_url}/callback",
        "post_logout_redirect_uri": f"{app_url}/",
        "api": api_url,
        "scope": scope,
        "playground": "/playground" if has_playground else None,
    }
    static = files("proofkey.demo").joinpath("static")
    found = {f"/{name}": static.joinpath(name).read_bytes() for name in _FILES}
    found["/config.json"] = json.dumps(config).encode()
    return serve_files(found, _PAGES, page_headers(issuer, api_url))


def serve_files(found: Mapping[str, bytes], pages: Mapping[str, str], headers: list[tuple[bytes, bytes]]) -> App:
    """An application that answers with the files in *found*, by path, and at the paths in *pages* with that file."""

    async def site(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, path = _find(scope, found, pages)
        body = found[path] if status == 200 else b"Nothing here.\n"
        media_type = _TYPES[path.rpartition(".")[2]] if status == 200 else b"text/plain; charset=utf-8"
        length = (b"content-length", b"%d" % len(body))
        allow = [(b"allow", b"GET, HEAD")] if status == 405 else []
        start = [(b"content-type", media_type), length, *allow, *headers]
        await send({"type": "http.response.start", "status": status, "headers": start})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return site


def _find(scope: Scope, found: Mapping[str, bytes], pages: Mapping[str, str]) -> tuple[int, str]:
    if scope["method"] not in {"GET", "HEAD"}:
        return 405, ""
    path = pages.get(scope["path"], scope["path"])
    return (200, path) if path in found else (404, "")


def page_headers(issuer: str, api_url: str) -> list[tuple[bytes, bytes]]:
    """What every answer carries: nothing foreign is loaded, and the page may ask *issuer* and *api_url* alone."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' {origin_of(issuer)} {origin_of(api_url)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return [
        (b"content-security-policy", policy.encode("ascii")),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-opener-policy", b"same-origin"),
    ]
