"""The sign-in around an ASGI application: it owns a few addresses and tells the application who is there.

1. Sessions are looked up once a request; what the application gets is `scope["proofkey.session"]`, a `Session` or None.
2. Connections are made in the process and event loop that use them, at the first request: a server may fork before.
3. A refusal is a page for a person and JSON for a script; its text is constant and its slug is in the log.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, Unpack

from proofkey.client.dpop import DpopKey
from proofkey.client.issuer import Issuer
from proofkey.client.messages import Registration
from proofkey.client.web import proxy
from proofkey.client.web.addresses import Addresses
from proofkey.client.web.api import Api
from proofkey.client.web.csrf import has_session
from proofkey.client.web.endpoints import endpoints_at
from proofkey.client.web.message import App, Message, Receive, Request, Response, Scope, Send
from proofkey.client.web.opening import Opened, Opening
from proofkey.client.web.recognise import recognise, slide, told
from proofkey.client.web.refused import refused, store_unavailable
from proofkey.client.web.require_login import ASK
from proofkey.client.web.sealing import Sealing
from proofkey.client.web.session import SESSION, Session
from proofkey.client.web.site import Options, Settings, Site
from proofkey.client.web.store.contract import SessionStore, StoreUnavailable
from proofkey.client.web.store.memory import MemoryStore
from proofkey.client.web.words import log_line
from proofkey.clock import wall_clock
from proofkey.protocol.errors import Refusal
from proofkey.protocol.issuer import is_issuer

_log = logging.getLogger("proofkey.client.web")


class SignIn:
    """*app* with sign-in at *issuer*, beside *redirect_uri*: `…/login`, `…/logout`, `…/session`, `…/backchannel-logout`.

    *store* keeps sessions (without one: this process alone), sealed under *key* (32 random bytes; several to change them,
    the newest first). *apis* are forwarded to with the person's access token: `{"/api": Api(…)}`. Further choices:
    `Options`. Raises `ValueError` for what cannot be.

    >>> from proofkey.client.web import SignIn
    >>> async def hello(scope, receive, send): ...
    >>> app = SignIn(
    ...     hello, issuer=ISSUER, client_id=WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET, redirect_uri=WEB_REDIRECT_URI
    ... )
    >>> from starlette.testclient import TestClient
    >>> TestClient(app).get(WEB_REDIRECT_URI.replace("callback", "session")).json()
    {'signed_in': False}
    """

    _is_told_of_root = False

    def __init__(
        self,
        app: App,
        *,
        issuer: str,
        client_id: str,
        client_secret: str | None,
        redirect_uri: str,
        store: SessionStore | None = None,
        key: bytes | Sequence[bytes] | None = None,
        apis: Mapping[str, Api] | None = None,
        authentication: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic",
        id_token_signed_response_alg: str | None = None,
        dpop_key: DpopKey | None = None,
        s256_announced: bool = True,
        ca_file: Path | None = None,
        clock: Callable[[], int] = wall_clock,
        entropy: Callable[[int], bytes] = os.urandom,
        **options: Unpack[Options],
    ) -> None:
        _check_registration(issuer, client_id, client_secret)
        self._app, self._apis = app, check_apis(apis or {})
        settings = _settings(options, self._apis)
        kept = _memory_store() if store is None else store
        registration = Registration(
            client_id, redirect_uri, client_secret, authentication, id_token_signed_response_alg
        )
        known = partial(Issuer, clock=clock, entropy=entropy, leeway_for=settings.leeway_for)
        self._opening = Opening(
            settings=settings,
            addresses=Addresses.beside(redirect_uri),
            issuer=known(issuer, registration, dpop_key=dpop_key, s256_announced=s256_announced),
            store=kept,
            sealing=Sealing(_keys(key, kept, entropy), f"{issuer} {client_id} {redirect_uri}", entropy),
            ca_file=ca_file,
            clock=clock,
            entropy=entropy,
            apis=self._apis,
        )
        self._endpoints = endpoints_at(self._opening.addresses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is ours, and tell the application who is there."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._closing(send))
            return
        request = Request(scope, receive)
        try:
            answer = await self._answer(request, send)
        except (Refusal, StoreUnavailable) as failure:
            answer = self._refused(failure, request)
        if isinstance(answer, Response) and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013})
        elif isinstance(answer, Response):
            await answer(scope, receive, send)
        elif answer is not None:
            await self._app(answer, receive, send)

    async def _answer(self, request: Request, send: Send) -> Response | Scope | None:
        """The response; or the scope for the application, whose own failures are its own; None once it is answered."""
        endpoint = self._endpoints.get(request.path) if request.scope["type"] == "http" else None
        if endpoint is None:
            self._tell_of_root(request)
        prefix = proxy.find_prefix(self._apis, request.path)
        if prefix is not None and request.scope["type"] == "websocket":
            await proxy.refuse_websocket(request.scope, request.receive, send)
            return None
        opened = await self._opening.open()
        if endpoint is not None:
            return await endpoint(opened.site, request)
        if prefix is not None:
            return await proxy.forward(opened.site, opened.upstreams[prefix], prefix, request, send)
        session = await self._find_session(opened.site, request)
        ask = partial(proxy.ask_for_login, opened.site, request)
        return {**request.scope, SESSION: session, ASK: ask}

    def _tell_of_root(self, request: Request) -> None:
        """The application would answer 404, and nothing would say why."""
        root = str(request.scope.get("root_path") or "")
        if root and not self._is_told_of_root and request.path.removeprefix(root) in self._endpoints:
            self._is_told_of_root = True
            _log.warning("the application stands below %s, but redirect_uri does not: add it there", root)

    async def _find_session(self, site: Site, request: Request) -> Session | None:
        recognised = await recognise(site, request) if has_session(request, site.addresses.origin) else None
        if recognised is None:
            return None
        await slide(site, recognised.stored)
        return told(site, recognised)

    def _refused(self, failure: Refusal | StoreUnavailable, request: Request) -> Response:
        if isinstance(failure, StoreUnavailable):
            _log.error("the session store does not answer: %s", failure)
            return store_unavailable(request)
        _log.warning("refused: %s", log_line(failure))
        return refused(failure, request, self._opening.addresses)

    async def opened(self) -> Opened:
        """What requests work with, for adapters."""
        return await self._opening.open()

    async def close(self) -> None:
        """Let go of the store and the network; the next request opens them again."""
        await self._opening.close()

    def _closing(self, send: Send) -> Send:
        async def closing(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self.close()
            await send(message)

        return closing


def _check_registration(issuer: str, client_id: str, client_secret: str | None) -> None:
    """Raise `ValueError` for what nobody can sign in with, such as what an environment variable left empty."""
    if not is_issuer(issuer):
        raise ValueError("issuer must be https, or http on this machine, without query and fragment")
    if not client_id or client_secret == "":
        raise ValueError("client_id and client_secret must not be empty")


def _settings(options: Options, apis: Mapping[str, Api]) -> Settings:
    """The sign-in's own access token is for the first API that says whom it is for.

    Another server would get a token that it could use there: an `Api` elsewhere must say whom it is for itself.
    """
    if unknown := options.keys() - Options.__annotations__.keys():
        raise TypeError(f"SignIn has no option {', '.join(sorted(unknown))}")
    options.setdefault("resource", next((api.resource for api in apis.values() if api.resource is not None), None))
    settings = Settings(**options)
    for prefix, api in apis.items():
        if api.resource is None and settings.resource is not None and not api.is_at_origin_of(settings.resource):
            raise ValueError(f"the API at {prefix} would get the token for {settings.resource}: give it a resource")
    return settings


def _memory_store() -> MemoryStore:
    _log.warning("no store is given: sessions are kept in this process alone, and further processes do not know them")
    return MemoryStore()


def check_apis(apis: Mapping[str, Api]) -> Mapping[str, Api]:
    """Prefixes are paths without a slash at their end. Raises `ValueError`."""
    for prefix in apis:
        if not prefix.startswith("/") or prefix.endswith("/") or not prefix.isascii() or "%" in prefix:
            raise ValueError("the path of an API must begin with a slash and not end with one")
    return dict(apis)


def _keys(key: bytes | Sequence[bytes] | None, store: SessionStore, entropy: Callable[[int], bytes]) -> list[bytes]:
    if key is None and not isinstance(store, MemoryStore):
        raise ValueError("key is required: 32 random bytes that every process of the application has")
    return [entropy(32)] if key is None else [key] if isinstance(key, bytes) else list(key)
