"""The guard in front of an ASGI application: a good token goes through, everything else gets a challenge.

1. http and websocket are guarded, lifespan passes, and of anything else the application hears nothing. CORS belongs in
   front: a preflight has no token.
2. The protected resource's metadata are open to everybody (RFC 9728 §3).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

from proofkey.guard.access import Access
from proofkey.guard.challenge import Answer
from proofkey.guard.request import UNESCAPED, ApiRequest
from proofkey.guard.requirement import NOTHING, Requirement, require
from proofkey.guard.resource_server import ResourceServer
from proofkey.guard.trust import Issuers
from proofkey.protocol.errors import OAuthError

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Route: TypeAlias = Requirement | Callable[[Scope], Requirement]

ACCESS = "proofkey.access"
ADMITTED = "proofkey.admitted"


class Guard:
    """An ASGI application that lets requests with a fitting access token through to *app*.

    *required* says what a token must hold, for all requests or for each by its ASGI scope. Inside, `access_of(scope)`
    says who calls.

    >>> async def notes(scope, receive, send):
    ...     await send({"type": "http.response.start", "status": 200, "headers": []})
    ...     await send({"type": "http.response.body", "body": access_of(scope).client_id.encode()})
    >>> guarded = Guard(notes, ResourceServer(ISSUER, audience=AUDIENCE), require("notes:read"))
    >>> from starlette.testclient import TestClient
    >>> answer = TestClient(guarded).get("/notes", headers={"authorization": f"Bearer {ACCESS_TOKEN}"})
    >>> answer.text == SERVICE_ID
    True
    """

    def __init__(self, app: App, server: ResourceServer, required: Route = NOTHING) -> None:
        self._app = app
        self._server = server
        self._required = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit the request or answer it."""
        if scope["type"] == "lifespan":
            await pass_on(self._app, self._server, scope, receive, send)
            return
        if scope["type"] not in {"http", "websocket"}:
            raise ValueError("the guard knows http, websocket and lifespan")
        if asks_metadata(scope, self._server):
            await send_metadata(scope, send, self._server)
            return
        request = read_request(scope, self._server)
        required = self._required if isinstance(self._required, Requirement) else self._required(scope)
        try:
            access = await self._server.admit(request, required)
        except OAuthError as refusal:
            await _refuse(scope, send, refusal, self._server.challenge(refusal, request, required))
            return
        answering = send if not access.answer_headers else bringing(send, access.answer_headers)
        await self._app({**scope, ACCESS: access, ADMITTED: request.admitted}, receive, answering)


def protect(app: App, *, issuer: Issuers, audience: str, scopes: Collection[str] | str = ()) -> Guard:
    """*app* behind a guard that takes access tokens of *issuer* (one or several) for *audience* that hold every one of *scopes*.

    Several guards of one API share a `ResourceServer` by `Guard(app, server, require(…))`.

    >>> from starlette.applications import Starlette
    >>> app = protect(Starlette(), issuer=ISSUER, audience=AUDIENCE, scopes=["notes:read"])
    >>> from starlette.testclient import TestClient
    >>> TestClient(app).get("/notes").headers["www-authenticate"]
    'Bearer realm="...", scope="notes:read", resource_metadata="...'
    """
    required = require(scopes)
    server = ResourceServer(issuer, audience=audience, scopes_supported=required.scopes)
    return Guard(app, server, required)


def access_of(scope: Scope) -> Access:
    """Who calls, inside a guarded application. Starlette and FastAPI have the scope at `request.scope`.

    >>> from starlette.responses import PlainTextResponse
    >>> async def notes(scope, receive, send):
    ...     await PlainTextResponse(" ".join(access_of(scope).scope))(scope, receive, send)
    >>> app = protect(notes, issuer=ISSUER, audience=AUDIENCE)
    >>> from starlette.testclient import TestClient
    >>> TestClient(app).get("/notes", headers={"authorization": f"Bearer {ACCESS_TOKEN}"}).text
    'notes:read'
    """
    access = scope[ACCESS]
    if not isinstance(access, Access):
        raise TypeError("this application is not behind a Guard")
    return access


def asks_metadata(scope: Scope, server: ResourceServer) -> bool:
    """Whether an http request is for the metadata of *server*."""
    return scope["path"] == server.metadata_path and scope.get("method") in {"GET", "HEAD"}


async def send_metadata(scope: Scope, send: Send, server: ResourceServer) -> None:
    """Answer with the metadata of *server*."""
    await send_answer(send, server.metadata(), without_body=scope["method"] == "HEAD")


def read_request(scope: Scope, server: ResourceServer) -> ApiRequest:
    """The guard's view of an ASGI request to *server*."""
    raw_path = scope.get("raw_path")
    path = raw_path.decode("latin-1") if raw_path else quote(scope["path"], safe=UNESCAPED)
    return ApiRequest(
        scope.get("method", "GET"),
        server.url_of(path),
        scope["headers"],
        _certificate(scope),
        scope.get(ADMITTED, {}),
    )


def _certificate(scope: Scope) -> bytes | None:
    """The client's certificate where the server tells of it (ASGI's TLS extension)."""
    tls = (scope.get("extensions") or {}).get("tls")
    chain = tls.get("client_cert_chain") if tls else None
    return ssl.PEM_cert_to_DER_cert(chain[0]) if chain else None


async def pass_on(app: App, server: ResourceServer, scope: Scope, receive: Receive, send: Send) -> None:
    """Let *app* start and end; meanwhile, fetch what its first request would wait for."""
    fetching = asyncio.create_task(server.prefetch()) if scope["type"] == "lifespan" else None
    try:
        await app(scope, receive, send)
    finally:
        if fetching is not None:
            fetching.cancel()


def bringing(send: Send, headers: Sequence[tuple[str, str]]) -> Send:
    """*send*, with what *headers* hold by the time of the answer beside the application's own."""

    async def bring(message: Message) -> None:
        if message["type"] == "http.response.start":
            further = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
            message = {**message, "headers": [*message.get("headers", ()), *further]}
        await send(message)

    return bring


async def _refuse(scope: Scope, send: Send, refusal: OAuthError, answer: Answer) -> None:
    if scope["type"] == "http":
        await send_answer(send, answer)
    elif "websocket.http.response" in (scope.get("extensions") or {}):
        await send_answer(send, answer, kind="websocket.http.response")
    else:
        await send({"type": "websocket.close", "code": closing_code(answer), "reason": refusal.code})


def closing_code(answer: Answer) -> int:
    """How a WebSocket is closed that is answered so: policy violation, or try again later (RFC 6455 §7.4)."""
    return 1013 if answer.status == 503 else 1008


async def send_answer(send: Send, answer: Answer, *, kind: str = "http.response", without_body: bool = False) -> None:
    """Send a whole *answer* over ASGI."""
    headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in answer.headers]
    await send({"type": f"{kind}.start", "status": answer.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": b"" if without_body else answer.body})
