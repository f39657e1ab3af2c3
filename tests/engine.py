"""The production engine in this process: a SQLite file, a clock that tests turn, and browsers that keep cookies.

Two workspaces, `demo/main` and `rival/main`, declare the same applications and people, so that whatever one of them made can
be offered to the other. Registered in conftest.py.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from structlog.testing import capture_logs

from proofkey.demo.seed import demo_schema, mint_demo_secrets
from proofkey.server.app import App, create_app
from proofkey.server.config import Config
from proofkey.server.issuer import Issuer
from proofkey.server.master_key import MasterKey
from proofkey.server.store import open_store
from proofkey.server.store.contract import Store
from proofkey.server.tenancy.apply import apply
from proofkey.server.tenancy.declaration import declare
from proofkey.server.tenancy.declared import Declaration, DeclaredPerson
from proofkey.server.tenancy.file_schema import ApiSchema, ApplicationSchema, FileSchema, TenantSchema
from tests.attempt import ALL_SCOPES, Attempt, form_with, sent_back

NOON = 1_795_262_400_000
"""When every test begins: 2026-11-21 12:00:00 UTC, in milliseconds."""
PUBLIC_URL = "https://login.example"
ISSUER = f"{PUBLIC_URL}/demo/main"
RIVAL = f"{PUBLIC_URL}/rival/main"
APP = "https://app.example"
NOTES = "https://api.example/notes"
BILLS = "https://api.example/bills"
MASTER_KEY = bytes(range(32))
SECRETS = mint_demo_secrets(random.Random(7).randbytes)
CLIENT_SECRET = SECRETS.client_secrets["web"]
REDIRECT_URIS = {
    "spa": f"{APP}/callback",
    "native": "http://127.0.0.1:49152/callback",
    "both": f"{APP}/both",
    "plain": f"{APP}/plain",
}
_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class TurnableClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now

    def turn(self, milliseconds: int) -> None:
        """Let *milliseconds* pass."""
        self.now += milliseconds


def schema() -> FileSchema:
    """The demo's declaration at https addresses, a second API, and an application for each way to differ."""
    demo = demo_schema(SECRETS, app_url=APP, api_url=NOTES)
    workspace = demo.tenants["demo"].workspaces["main"]
    workspace.apis.append(ApiSchema(audience=BILLS, name="Bills", scopes={"bills:read": "See your bills"}))
    workspace.applications.update(_variants(list(workspace.applications["spa"].scopes)))
    rival = TenantSchema(workspaces={"main": workspace})
    return FileSchema(tenants={"demo": demo.tenants["demo"], "rival": rival})


def _variants(scopes: list[str]) -> dict[str, ApplicationSchema]:
    def web(name: str, **changed: Any) -> ApplicationSchema:
        members: dict[str, Any] = {"kind": "web", "client_secret": CLIENT_SECRET, "scopes": scopes}
        return ApplicationSchema(**{**members, "redirect_uris": [f"{APP}/{name}"], **changed})

    return {
        "old": web("old", pkce="or_nonce"),
        "rs": web("rs", id_token_signed_response_alg="RS256"),
        "trusted": web("trusted", trusted=True),
        "rotating": web("rotating", rotate_refresh_tokens=True),
        "plain": ApplicationSchema(
            kind="spa", redirect_uris=[f"{APP}/plain"], scopes=["notes:read"], grant_types=["authorization_code"]
        ),
        "both": ApplicationSchema(kind="spa", redirect_uris=[f"{APP}/both"], scopes=[*scopes, "bills:read"]),
        "stranger": ApplicationSchema(kind="service", client_secret=CLIENT_SECRET, scopes=["bills:read"]),
    }


def _config(database: Path, **changed: Any) -> Config:
    settings: dict[str, Any] = {"public_url": PUBLIC_URL, "database": f"sqlite://{database}", "master_key": MASTER_KEY}
    return Config(**{**settings, **changed})


def _cheaply(declaration: Declaration) -> Declaration:
    """With hashes that no declaration may have: they are checked in no time."""
    hashes = {username: _CHEAP.hash(password) for username, password in SECRETS.passwords.items()}

    def cheap(person: DeclaredPerson) -> DeclaredPerson:
        return replace(person, password=None, password_hash=hashes[person.username])

    return Declaration(
        tuple(replace(declared, people=tuple(map(cheap, declared.people))) for declared in declaration.workspaces)
    )


async def _declare(database: Path) -> None:
    app = create_app(_config(database), clock=TurnableClock())
    await app.engine.store.open()
    declaration = _cheaply(declare(schema(), resolve=str))
    await apply(declaration, app.engine.store, master_key=MasterKey(MASTER_KEY), now=NOON - 60_000, entropy=os.urandom)
    for tenant in ("demo", "rival"):
        assert await app.engine.directory.find(tenant, "main", NOON - 60_000)
    await app.engine.store.close()


@pytest.fixture(scope="session")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a database in which everything is declared and every key is made, once per run."""
    directory = tmp_path_factory.mktemp("declared")
    thread = threading.Thread(target=lambda: asyncio.run(_declare(directory / "proofkey.db")))
    thread.start()
    thread.join()
    return directory


@dataclass
class Deployment:
    """One running engine: its clock, its store, and whoever talks to it."""

    app: App
    store: Store
    clock: TurnableClock
    opened: list[httpx2.AsyncClient] = field(default_factory=list)

    def client(self, address: str = "192.0.2.7", issuer: str = ISSUER) -> httpx2.AsyncClient:
        """Something that speaks HTTP and follows no redirect by itself."""
        transport = httpx2.ASGITransport(app=self.app, client=(address, 40_000))
        opened = httpx2.AsyncClient(transport=transport, base_url=f"{issuer}/")
        self.opened.append(opened)
        return opened

    def browser(self, issuer: str = ISSUER, address: str = "192.0.2.7") -> Browser:
        """A browser that was never here."""
        return Browser(self, issuer, self.client(address, issuer))

    async def issuer(self) -> Issuer:
        """The first workspace as it is now."""
        found = await self.app.engine.directory.find("demo", "main", self.clock())
        assert found is not None
        return found

    async def post(
        self, path: str, form: Mapping[str, Any] | bytes, issuer: str = ISSUER, **headers: str
    ) -> httpx2.Response:
        """A form, sent by a program without cookies. Header names are written with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(form, bytes):
            named = {"content-type": "application/x-www-form-urlencoded", **named}
            return await self.client(issuer=issuer).post(path, content=form, headers=named)
        return await self.client(issuer=issuer).post(path, data=form, headers=named)

    async def token(self, form: Mapping[str, Any] | bytes, issuer: str = ISSUER, **headers: str) -> httpx2.Response:
        """A token request."""
        return await self.post("oauth2/token", form, issuer, **headers)

    async def redeem(self, attempt: Attempt, code: str) -> httpx2.Response:
        """The token request of an attempt's own client."""
        return await self.token({**attempt.redemption(code), **credentials(attempt.client_id)})

    async def refresh(self, refresh_token: str, client_id: str = "spa", **more: str) -> httpx2.Response:
        """A refresh."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **credentials(client_id)}
        return await self.token({**form, **more})

    async def userinfo(self, access_token: str) -> httpx2.Response:
        """Whom the token speaks of."""
        return await self.client().get("oauth2/userinfo", headers={"authorization": f"Bearer {access_token}"})

    async def introspect(self, token: str, client_id: str = "service") -> dict[str, Any]:
        """What the API learns of a token."""
        answer = await self.post("oauth2/introspect", {"token": token, **credentials(client_id)})
        assert 200 == answer.status_code, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def sign_in(self, client_id: str = "spa", **params: str) -> dict[str, Any]:
        """Tokens for alice, in a new browser."""
        return await self.browser().tokens(client_id, **params)


def credentials(client_id: str) -> dict[str, str]:
    """How a client proves itself in a form: confidential ones by their secret."""
    if client_id in ("spa", "native", "both", "plain"):
        return {"client_id": client_id}
    return {"client_id": client_id, "client_secret": SECRETS.client_secrets.get(client_id, CLIENT_SECRET)}


def attempt_of(client_id: str = "spa", scope: str = ALL_SCOPES) -> Attempt:
    """A sign-in at that application, not begun yet."""
    default = f"{APP}/web/callback" if client_id == "web" else f"{APP}/{client_id}"
    return Attempt(client_id, REDIRECT_URIS.get(client_id, default), scope)


class Browser:
    """Somebody at a browser without JavaScript: keeps cookies, fills in forms, is sent back to the client."""

    def __init__(self, deployment: Deployment, issuer: str, http: httpx2.AsyncClient) -> None:
        self.deployment = deployment
        self.issuer = issuer
        self.http = http

    async def ask(self, query: Mapping[str, str] | str) -> httpx2.Response:
        """The answer to an authorization request."""
        return await self.http.get("oauth2/authorize", params=query)  # type: ignore[arg-type]

    async def submit(self, page: httpx2.Response, field: str, **filled: str) -> httpx2.Response:
        """Send the form of *page* that has *field*."""
        form = form_with(page, field)
        assert form is not None, page.text
        return await self.http.post(urljoin(str(page.url), form.action), data={**form.fields, **filled})

    async def sign_in(self, page: httpx2.Response, username: str = "alice", password: str = "") -> httpx2.Response:
        """Fill in the sign-in page."""
        known = password or SECRETS.passwords[username]
        return await self.submit(page, "password", username=username, password=known)

    async def decide(self, page: httpx2.Response, decision: str = "allow") -> httpx2.Response:
        """Press a button of the consent page."""
        return await self.submit(page, "decision", decision=decision)

    async def go_through(
        self, query: Mapping[str, str] | str, username: str = "alice", decision: str = "allow"
    ) -> httpx2.Response:
        """Ask, sign in and decide as far as that is asked for."""
        page = await self.ask(query)
        if page.status_code == 200 and form_with(page, "password"):
            page = await self.sign_in(page, username)
        if page.status_code == 200 and form_with(page, "decision"):
            page = await self.decide(page, decision)
        return page

    async def code(self, attempt: Attempt, username: str = "alice", **params: str) -> str:
        """A fresh code."""
        return sent_back(await self.go_through({**attempt.query, **params}, username))["code"]

    async def tokens(
        self, client_id: str = "spa", username: str = "alice", scope: str = ALL_SCOPES, **params: str
    ) -> dict[str, Any]:
        """The token response for a fresh code."""
        attempt = attempt_of(client_id, scope)
        code = await self.code(attempt, username, **params)
        form = {**attempt.redemption(code), **credentials(client_id)}
        answer = await self.deployment.token(form, self.issuer)
        assert 200 == answer.status_code, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest_asyncio.fixture
async def deployment(declared: Path, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Deployment]:
    """A fresh engine on a copy of what was declared; an indirect parameter changes its settings."""
    directory = tmp_path / "data"
    shutil.copytree(declared, directory)
    config = _config(directory / "proofkey.db", **getattr(request, "param", {}))
    clock = TurnableClock()
    store = open_store(config.database)
    await store.open()
    running = Deployment(create_app(config, store=store, clock=clock), store, clock)
    yield running
    for opened in running.opened:
        await opened.aclose()
    await store.close()


@pytest.fixture
def log() -> Iterator[list[Any]]:
    """Every line that is logged during the test."""
    with capture_logs() as lines:
        yield lines


def reasons(log: list[Any]) -> list[str]:
    """Why requests were refused, in order."""
    return [line["reason"] for line in log if line["event"] == "refused"]
