"""The sign-in around an ASGI application: it owns a few addresses and tells the application who is there.

1. Sessions are looked up once a request; what the application gets is `scope["proofkey.session"]`, a `Session` or None.
2. Connections are made in the process that uses them, at the first request: a server may fork before.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Unpack

from proofkey.client.http import AsyncNetwork
from proofkey.client.issuer import Issuer, wall_clock
from proofkey.client.messages import Registration, ServerRefused
from proofkey.client.web.addresses import Addresses
from proofkey.client.web.callback import LoginRefused, finish_login
from proofkey.client.web.login import begin_login
from proofkey.client.web.message import App, Message, Receive, Request, Response, Scope, Send, page
from proofkey.client.web.sealing import Sealing
from proofkey.client.web.session import SESSION, Contents, Session
from proofkey.client.web.session_endpoint import tell_session
from proofkey.client.web.site import Options, Settings, Site
from proofkey.client.web.store.contract import SessionStore, StoredSession
from proofkey.client.web.store.memory import MemoryStore
from proofkey.protocol.errors import Refusal

_log = logging.getLogger("proofkey.client.web")


class SignIn:
    """*app* with sign-in."""

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
        authentication: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic",
        s256_announced: bool = True,
        ca_file: Path | None = None,
        clock: Callable[[], int] = wall_clock,
        entropy: Callable[[int], bytes] = os.urandom,
        **options: Unpack[Options],
    ) -> None:
        registration = Registration(client_id, redirect_uri, client_secret, authentication)
        self._app = app
        self._issuer = Issuer(issuer, registration, clock=clock, entropy=entropy, s256_announced=s256_announced)
        self._addresses = Addresses.beside(redirect_uri)
        self._ca_file = ca_file
        self._store: SessionStore = store or MemoryStore()
        self._settings = Settings(**options)
        self._sealing = Sealing(_keys(key, self._store, entropy), f"{issuer} {client_id} {redirect_uri}", entropy)
        self._clock = clock
        self._entropy = entropy
        self._site: Site | None = None
        self._opened_in: tuple[int, int] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is ours, and tell the application who is there."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._closing(send))
            return
        site = await self._open()
        request = Request(scope, receive)
        response = await self._answer(site, request)
        if response is not None:
            await response(scope, receive, send)
            return
        session = await self.find_session(site, request)
        await self._app({**scope, SESSION: session}, receive, send)

    async def _answer(self, site: Site, request: Request) -> Response | None:
        path = site.addresses.path
        try:
            if request.path == path("login"):
                return await begin_login(site, request)
            if request.path == site.addresses.callback:
                return await finish_login(site, request)
            if request.path == path("session"):
                return await tell_session(await self.find_session(site, request), request)
        except Refusal as refusal:
            _log.warning("refused: %s %s", refusal.reason, refusal.detail)
            return _refused(refusal, site)
        return None

    async def find_session(self, site: Site, request: Request) -> Session | None:
        """Who signed in, in the request's browser."""
        stored = await site.find_session(request)
        if stored is None:
            return None
        contents = site.sealing.open_session(stored.key, stored.sealed, Contents)
        return None if contents is None else _seen(site, stored, contents)

    async def _open(self) -> Site:
        here = os.getpid(), id(asyncio.get_running_loop())
        if self._site is None or self._opened_in != here:
            await self._store.open()
            self._site = Site(
                settings=self._settings,
                addresses=self._addresses,
                issuer=self._issuer,
                store=self._store,
                sealing=self._sealing,
                network=AsyncNetwork(self._issuer.issuer, ca_file=self._ca_file),
                clock=self._clock,
                entropy=self._entropy,
            )
            self._opened_in = here
        return self._site

    async def close(self) -> None:
        """Let go of the store and the network; the next request opens them again."""
        site, self._site = self._site, None
        if site is not None:
            await site.network.close()
            await site.store.close()

    def _closing(self, send: Send) -> Send:
        async def closing(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self.close()
            await send(message)

        return closing


def _keys(key: bytes | Sequence[bytes] | None, store: SessionStore, entropy: Callable[[int], bytes]) -> list[bytes]:
    if key is None and not isinstance(store, MemoryStore):
        raise ValueError("key is required: 32 random bytes that every process of the application has")
    return [entropy(32)] if key is None else [key] if isinstance(key, bytes) else list(key)


def _seen(site: Site, stored: StoredSession, contents: Contents) -> Session:
    return Session(
        issuer=site.issuer.issuer,
        subject=contents.subject,
        claims=contents.claims,
        created_at=contents.created_at,
        expires_at=min(stored.idle_until, stored.until),
        csrf=site.sealing.csrf_token(stored.key),
    )


def _refused(refusal: Refusal, site: Site) -> Response:
    again = (site.addresses.path("login"), "Sign in again")
    status = 403 if isinstance(refusal, ServerRefused) else 400 if isinstance(refusal, LoginRefused) else 502
    return page(status, "You are not signed in", refusal.error_description, again)
