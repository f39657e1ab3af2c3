"""create_app(config, store): where everything meets; the whole route table.

1. Endpoints are raw ASGI callables, dispatched before any framework; nothing runs between the route and its handler.
2. Every failure has one place that turns it into an answer: `_guarded`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from traceback import format_exception
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import structlog

from proofkey.clock import Clock, wall_clock
from proofkey.protocol.errors import InvalidRequest, OAuthError, ServerError, TemporarilyUnavailable, Unanswerable
from proofkey.server.asgi import Headers, Receive, Request, Response, Scope, Send, TransportRefused, respond
from proofkey.server.config import Config
from proofkey.server.deployment_key import MasterKeyWrong, check_master_key
from proofkey.server.engine import Engine
from proofkey.server.entropy import Entropy, Pool
from proofkey.server.http import discovery, token_state
from proofkey.server.http.cors import Sharing, cors_headers, preflight_headers
from proofkey.server.http.responses import json_bytes, json_response, refusal, status_of
from proofkey.server.http.token import token
from proofkey.server.issuer import Directory, Issuer
from proofkey.server.master_key import MasterKey
from proofkey.server.pages import authorize, logout
from proofkey.server.pages.error import error_page, nothing_here
from proofkey.server.pages.static_files import STATIC
from proofkey.server.store import open_store
from proofkey.server.store.contract import Store, StoreUnavailable
from proofkey.server.upkeep import keep_up

Endpoint: TypeAlias = Callable[[Request, Issuer, Engine], Awaitable[Response]]
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Route:
    """One address under an issuer: what answers each method, who may read it across origins, and for whom it speaks."""

    methods: dict[str, Endpoint]
    sharing: Sharing = "nobody"
    audience: Literal["person", "client"] = "client"

    @property
    def allow(self) -> str:
        """The Allow header (RFC 9110 §10.2.1)."""
        return ", ".join([*self.methods, *(("HEAD",) if "GET" in self.methods else ()), "OPTIONS"])


_AUTHORIZE = Route({"GET": authorize.authorize, "POST": authorize.authorize}, audience="person")
_TOKEN = Route({"POST": token}, "origins_with_credentials")
_METADATA = Route({"GET": discovery.metadata}, "everybody")
ROUTES: dict[str, Route] = {
    "oauth2/authorize": _AUTHORIZE,
    "authorize": _AUTHORIZE,
    "oauth2/token": _TOKEN,
    "oauth/token": _TOKEN,
    "oauth2/introspect": Route({"POST": token_state.introspect}),
    "oauth2/revoke": Route({"POST": token_state.revoke}, "origins"),
    "oauth2/userinfo": Route({"GET": token_state.userinfo, "POST": token_state.userinfo}, "origins"),
    "oauth2/logout": Route({"GET": logout.logout, "POST": logout.logout}, audience="person"),
    "login": Route({"POST": authorize.login, "GET": authorize.page_without_request}, audience="person"),
    "consent": Route({"POST": authorize.consent, "GET": authorize.page_without_request}, audience="person"),
    ".well-known/openid-configuration": _METADATA,
    ".well-known/oauth-authorization-server": _METADATA,
    ".well-known/jwks.json": Route({"GET": discovery.jwks}, "everybody"),
}
ALARMS = frozenset({"code_replayed", "code_replayed_elsewhere", "refresh_replayed", "refresh_counter_ahead"})
"""Refusals that somebody should look at: a token was used by two, or comes from the future of its row."""
_TO_EVERYBODY: Headers = [(b"access-control-allow-origin", b"*")]
"""As with metadata that are there: a page that asks at a wrong address reads that, and its browser does not speak of CORS."""
_INSERTED = ("/.well-known/openid-configuration/", "/.well-known/oauth-authorization-server/")


class App:
    """The authorization server as an ASGI application. Opens its store at lifespan startup."""

    def __init__(self, engine: Engine, *, owns_store: bool) -> None:
        self.engine = engine
        self._owns_store = owns_store
        self._prefix = urlsplit(engine.config.public_url.replace("{", "").replace("}", "")).path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            if self._owns_store:
                await self.engine.store.open()
        except Exception as failure:
            await send({"type": "lifespan.startup.failed", "message": str(failure)})
            return
        upkeep = asyncio.create_task(keep_up(self.engine))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        upkeep.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await upkeep
        if self._owns_store:
            await self.engine.store.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request.from_scope(scope, receive)
        await respond(send, await self._route(request))

    async def _route(self, request: Request) -> Response:
        path = request.path
        if self._prefix and path.startswith(self._prefix + "/"):
            path = path[len(self._prefix) :]
        tenant, slug, rest = _split(path, self._prefix)
        route = ROUTES.get(rest)
        if route is None:
            return await self._outside(path) or await self._nothing(request, path)
        try:
            issuer = await self.engine.directory.find(tenant, slug, self.engine.clock())
        except Exception as failure:
            return _outside_failure(failure)
        if issuer is None:
            return await self._nothing(request, path)
        return await _guarded(request, route, issuer, self.engine)

    async def _nothing(self, request: Request, path: str) -> Response:
        """A page where a browser asks for one (RFC 9110 §12.5.1), else JSON."""
        if b"text/html" not in request.headers.get(b"accept", b"").lower():
            shared = _TO_EVERYBODY if "/.well-known/" in path else None
            told = "There is nothing here [not_found]"
            return json_response({"error": "not_found", "error_description": told}, 404, shared)
        try:
            return await nothing_here(path, self.engine)
        except Exception as failure:
            return _outside_failure(failure)

    async def _outside(self, path: str) -> Response | None:
        """What lies outside any issuer: static files and health."""
        if path in STATIC:
            headers, body = STATIC[path]
            return Response(200, headers, body)
        if path == "/healthz":
            return json_bytes(b'{"status":"ok"}')
        if path == "/readyz":
            try:
                await check_master_key(self.engine.store, self.engine.master_key)
            except (StoreUnavailable, MasterKeyWrong) as failure:
                return _outside_failure(failure)
            return json_bytes(b'{"status":"ready"}')
        return None


def _split(path: str, prefix: str) -> tuple[str, str, str]:
    """Tenant, workspace and the rest, in the usual form or with the well-known part first (RFC 8414 §3.1)."""
    for inserted in _INSERTED:
        if path.startswith(inserted):
            behind = path[len(inserted) - 1 :].rstrip("/").removeprefix(prefix)
            tenant, _, slug = behind.lstrip("/").partition("/")
            return tenant, slug, inserted.strip("/")
    parts = path.split("/", 3)
    return (parts[1], parts[2], parts[3]) if len(parts) == 4 else ("", "", "")


async def _guarded(request: Request, route: Route, issuer: Issuer, engine: Engine) -> Response:
    """Call the endpoint; whatever it raises becomes an answer here and nowhere else."""
    shared = cors_headers(request, issuer, route.sharing)
    try:
        response = await _call(request, route, issuer, engine)
    except TransportRefused as refused:
        _note(refused.refusal, request, issuer)
        response = _refuse(refused.refusal, route, issuer, engine, refused.status, refused.headers)
    except (OAuthError, Unanswerable) as refused:
        _note(refused, request, issuer)
        response = _refuse(refused, route, issuer, engine)
    except Exception as failure:
        ours, headers = _failure(failure)
        response = _refuse(ours, route, issuer, engine, headers=headers)
    if shared:
        return replace(response, headers=[*response.headers, *shared])
    return response


async def _call(request: Request, route: Route, issuer: Issuer, engine: Engine) -> Response:
    method = "GET" if request.method == "HEAD" else request.method
    endpoint = route.methods.get(method)
    if endpoint is not None:
        return await endpoint(request, issuer, engine)
    if method == "OPTIONS":
        allow: Headers = [(b"allow", route.allow.encode())]
        preflight = preflight_headers(request, route.allow) if route.sharing != "nobody" else []
        return Response(204, [*allow, *preflight])
    refused = InvalidRequest("method_not_allowed", "This address does not answer that method")
    raise TransportRefused(405, refused, [(b"allow", route.allow.encode())])


def _refuse(
    refused: OAuthError | Unanswerable,
    route: Route,
    issuer: Issuer,
    engine: Engine,
    status: int | None = None,
    headers: Headers | None = None,
) -> Response:
    """A page for a person, JSON for a client."""
    if route.audience == "client" and isinstance(refused, OAuthError):
        return refusal(refused, issuer.url, status, headers)
    development, number = engine.config.development, status or status_of(refused)
    return error_page(refused, issuer.workspace.name, development=development, status=number, headers=headers)


def _failure(failure: Exception) -> tuple[OAuthError, Headers]:
    """What the caller hears of a failure of ours. The log gets the traceback as text: no renderer may add local variables."""
    if isinstance(failure, StoreUnavailable):
        _log.error("store_unavailable", detail=str(failure))
        busy = TemporarilyUnavailable("store_unavailable", "The server cannot reach its database: try again")
        return busy, [(b"retry-after", b"1")]
    _log.error("failed", exception="".join(format_exception(failure)))
    return ServerError("server_failed", "Something went wrong on this server"), []


def _outside_failure(failure: Exception) -> Response:
    refused, headers = _failure(failure)
    return refusal(refused, "/", headers=headers)


def _note(refused: OAuthError | Unanswerable, request: Request, issuer: Issuer) -> None:
    say = _log.warning if refused.reason in ALARMS else _log.info
    say(
        "refused",
        at=request.path.rpartition("/")[2],
        workspace=issuer.workspace.id,
        error=getattr(refused, "code", "unanswerable"),
        reason=refused.reason,
        detail=refused.detail,
    )


def create_app(
    config: Config, *, store: Store | None = None, clock: Clock = wall_clock, entropy: Entropy | None = None
) -> App:
    """The production engine. With *store* given, the caller opens and closes it."""
    entropy = entropy or Pool()
    kept = store if store is not None else open_store(config.database, entropy)
    master_key = MasterKey(config.master_key)
    directory = Directory(config, kept, master_key, entropy)
    return App(Engine(config, kept, directory, master_key, clock, entropy), owns_store=store is None)
