"""The playground's files: a page of the sample app's origin that runs the Authorization Code flow with PKCE with its reader.

1. It is a client of its own, the application `playground`: a public client that returns to `/playground/callback`.
2. This server hands out files and one small configuration; every message of the flow is sent by the page itself.
3. The Content-Security-Policy is the sample app's: no inline script or style, nothing foreign.
"""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.resources.abc import Traversable

from proofkey.demo.app import page_headers, serve_files
from proofkey.guard.asgi import App, Receive, Scope, Send
from proofkey.protocol.records import Lifetimes

PATH = "/playground"
_PAGES = {
    PATH: f"{PATH}/index.html",
    f"{PATH}/": f"{PATH}/index.html",
    f"{PATH}/callback": f"{PATH}/index.html",
    f"{PATH}/thief": f"{PATH}/thief.html",
}


def create_playground(
    *,
    issuer: str,
    api_url: str,
    client_id: str,
    app_url: str,
    scope: str,
    lifetimes: Lifetimes,
    otherwise: App | None = None,
) -> App:
    """The playground below `/playground` of *app_url*, as a client of *issuer* that calls *api_url*.

    What it says of *lifetimes* is what the issuer holds to. Requests for other paths go to *otherwise*, or find nothing.
    """
    app_url = app_url.rstrip("/")
    config = {
        "issuer": issuer,
        "client_id": client_id,
        "home": f"{app_url}{PATH}",
        "redirect_uri": f"{app_url}{PATH}/callback",
        "api": f"{api_url}/notes",
        "scope": scope,
        "lives": {
            "code": lifetimes.code_for,
            "access_token": lifetimes.access_token_for,
            "refresh_leeway": lifetimes.refresh_leeway_for,
        },
        "has_app": otherwise is not None,
    }
    found = {f"{PATH}/{file.name}": file.read_bytes() for file in _static_files()}
    found[f"{PATH}/config.json"] = json.dumps(config).encode()
    site = serve_files(found, _PAGES, page_headers(issuer, api_url))

    async def playground(scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and (scope["path"] == PATH or scope["path"].startswith(f"{PATH}/"))
        await (site if is_ours or otherwise is None else otherwise)(scope, receive, send)

    return playground


def _static_files() -> list[Traversable]:
    folder = files("proofkey.demo").joinpath("static", "playground")
    return [file for file in folder.iterdir() if file.is_file()]
