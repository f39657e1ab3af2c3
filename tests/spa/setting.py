"""Where the browser tests of @proofkey/spa take place: an issuer behind a lossy wire, an app's origin, an API's origin.

Three origins, two sites: the issuer is `localhost`, app and API are `127.0.0.1`, so that whatever needs a third-party cookie
fails. The app's pages are nearly empty: they load the built library, and tests speak to it in the page.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from proofkey.guard.asgi import App, Receive, Scope, Send
from tests.dev_server import DevServer
from tests.listening import bind, listening, url_of
from tests.spa.double_api import DoubleApi
from tests.spa.lossy_wire import LossyWire, lossy_wire

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "spa" / "dist"
"""The library as it is shipped."""
PAGES = Path(__file__).parent / "pages"
PASSWORD = "correct-horse-battery"
SCOPE = "openid profile email notes:read"
_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript",
    "json": "application/json",
    "map": "application/json",
}


@dataclass(slots=True)
class Setting:
    """What a test has in its hands. Addresses have no slash at their end."""

    issuer: str
    brief_issuer: str
    app: str
    api: DoubleApi
    api_url: str
    wire: LossyWire
    server: DevServer
    site: Site

    @property
    def config(self) -> dict[str, Any]:
        """What the app would write into its call of createClient."""
        return {
            "issuer": self.issuer,
            "clientId": "app",
            "redirectUri": f"{self.app}/callback",
            "scope": SCOPE,
            "resource": self.api_url,
        }

    @property
    def brief(self) -> dict[str, Any]:
        """The same at the workspace where everything is short: access tokens live 3 s, the leeway is 1 s."""
        return {**self.config, "issuer": self.brief_issuer}


class Site:
    """The app's web server: pages of this folder, the built library under /spa/, and files that tests put there."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.headers: list[tuple[bytes, bytes]] = []
        self.visits: list[str] = []

    def _find(self, path: str) -> tuple[str, bytes] | None:
        if path in self.files:
            return path, self.files[path]
        if path == "/config.json":
            return path, json.dumps(self.config).encode()
        place = BUILT / path.removeprefix("/spa/") if path.startswith("/spa/") else PAGES / path.lstrip("/")
        if "." not in place.name:
            return "/page.html", (PAGES / "page.html").read_bytes()
        return (path, place.read_bytes()) if place.is_file() else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.visits.append(scope["path"])
        found = self._find(scope["path"])
        name, body = found or ("/nothing.html", b"nothing here")
        kind = name.rpartition(".")[2] if "." in name else "html"
        headers = [
            (b"content-type", _TYPES.get(kind, "application/octet-stream").encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def declaration(app: str, api: str, other_origins: dict[str, list[str]] | None = None) -> str:
    """The configuration file, as JSON, which YAML contains."""
    spa: dict[str, Any] = {
        "kind": "spa",
        "redirect_uris": [f"{app}/callback", f"{app}/popup"],
        "post_logout_redirect_uris": [f"{app}/"],
        "scopes": ["openid", "profile", "email", "notes:read", "notes:write", "bills:read"],
    }
    person = {"email": "alice@demo.example", "email_verified": True, "name": "Alice Adler", "password": PASSWORD}
    apis = [
        {"audience": api, "scopes": {"notes:read": "Read your notes", "notes:write": "Change your notes"}},
        {"audience": "https://bills.example", "scopes": {"bills:read": "See your bills"}},
    ]
    main = {
        "apis": apis,
        "applications": {"app": {**spa, "trusted": True}, "asks": spa, "example": {**spa, "trusted": True}},
        "people": {"alice": person, "bob": {**person, "email": "bob@demo.example", "name": "Bob Brandt"}},
    }
    for name, addresses in (other_origins or {}).items():
        main["applications"] |= {name: {**spa, "trusted": True, "redirect_uris": addresses}}
    brief = {**main, "lifetimes": {"access_token": "3s", "refresh_leeway": "1s"}}
    throttle = {"per_name": {"allowed": 10_000, "window": "1m"}, "per_address": {"allowed": 10_000, "window": "1m"}}
    tenants = {"demo": {"workspaces": {"main": main, "brief": brief}}}
    return json.dumps({"server": {"throttle": throttle}, "tenants": tenants})


@contextmanager
def app_and_api() -> Iterator[tuple[Site, str, DoubleApi, str]]:
    """The app's server and the API's double, listening."""
    sockets: list[socket.socket] = [bind(), bind()]
    site, api = Site(), DoubleApi()
    applications: list[App] = [site, api]
    with ExitStack() as running:
        for application, listener in zip(applications, sockets, strict=True):
            running.enter_context(listening(application, listener))
        yield site, url_of(sockets[0]), api, url_of(sockets[1])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole_setting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setting]:
    """Everything, started once for all tests."""
    assert (BUILT / "index.js").is_file(), "build the library first: python -m checks.spa_build"
    folder = tmp_path_factory.mktemp("spa")
    with app_and_api() as (site, app, api, api_url):
        async with lossy_wire() as (port, wire):
            (folder / "proofkey.yaml").write_text(declaration(app, api_url), encoding="utf-8")
            options = ("-c", str(folder / "proofkey.yaml"), "--public-url", f"http://localhost:{port}")
            server = DevServer(folder / "data", options, folder / "dev.log")
            wire.to_port = server.port
            issuer = server.issuer
            yield Setting(issuer, issuer.replace("/main", "/brief"), app, api, api_url, wire, server, site)
            server.stop()


@pytest.fixture
def setting(whole_setting: Setting) -> Setting:
    """The place as a test finds it: nothing lost, nothing refused, nothing seen."""
    wire, api, site = whole_setting.wire, whole_setting.api, whole_setting.site
    wire.exchanges.clear()
    wire.loses, wire.delay, wire.page_headers = (lambda _exchange: False), 0.0, b""
    api.forget()
    site.files.clear()
    site.headers.clear()
    site.visits.clear()
    site.config = whole_setting.config
    return whole_setting
