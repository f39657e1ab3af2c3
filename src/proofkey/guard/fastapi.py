"""The guard in FastAPI: a dependency that says what the caller's token must hold, and tells OpenAPI so."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection

from fastapi import FastAPI, HTTPException, Request, Response, Security, WebSocketException
from fastapi.openapi.models import HTTPBearer, OpenIdConnect
from fastapi.openapi.models import SecurityBase as SecurityScheme
from fastapi.requests import HTTPConnection
from fastapi.security.base import SecurityBase

from proofkey.guard.access import Access
from proofkey.guard.asgi import ADMITTED, App, Receive, Scope, Send, bringing, closing_code, pass_on, read_request
from proofkey.guard.challenge import Answer
from proofkey.guard.requirement import require
from proofkey.guard.resource_server import ResourceServer
from proofkey.protocol.errors import OAuthError

__all__ = ["Guard", "Refused"]

BROUGHT = "proofkey.brought"
"""Where a request collects what its answer is to bring beside."""


class Refused(HTTPException):
    """A request that the guard refused: an `HTTPException` with the challenge's status and headers.

    >>> from fastapi import HTTPException
    >>> issubclass(Refused, HTTPException)
    True
    """

    def __init__(self, answer: Answer) -> None:
        headers = {name: value for name, value in answer.headers if name not in {"content-type", "content-length"}}
        super().__init__(answer.status, json.loads(answer.body), headers)
        self.answer = answer


class Guard:
    """Guards routes of a FastAPI application for the API *server*; *app* serves its metadata (RFC 9728), too.

    >>> from fastapi import Depends, FastAPI
    >>> from proofkey.guard import Access, ResourceServer
    >>> app = FastAPI()
    >>> guard = Guard(ResourceServer(ISSUER, audience=AUDIENCE), app)
    >>> @app.get("/notes")
    ... def notes(access: Access = Depends(guard.require("notes:read"))) -> str:
    ...     return f"The notes of {access.subject}"
    >>> app.openapi()["paths"]["/notes"]["get"]["security"]
    [{'AccessToken': ['notes:read']}]
    """

    def __init__(self, server: ResourceServer, app: FastAPI | None = None) -> None:
        self._server = server
        self._scheme = _AccessToken(server)
        if app is not None:
            self.install(app)

    def install(self, app: FastAPI) -> None:
        """Serve the API's metadata from *app*, answer refusals with OAuth's own JSON in place of FastAPI's, bring the
        next DPoP nonce with every other answer, and fetch the issuers' keys when *app* starts. Before it starts.
        """

        def metadata(_: Request) -> Response:
            return _response(self._server.metadata())

        def refused(_: Request, refusal: Exception) -> Response:
            if not isinstance(refusal, Refused):
                raise refusal
            return _response(refusal.answer)

        if self._server.metadata_path is not None:
            app.add_route(self._server.metadata_path, metadata, include_in_schema=False)
        app.add_exception_handler(Refused, refused)
        app.add_middleware(_Around, self._server)

    def require(
        self, scopes: Collection[str] | str = (), *, acr_values: Collection[str] | str = (), max_age: int | None = None
    ) -> Callable[..., Awaitable[Access]]:
        """A dependency: who calls, for tokens with every one of *scopes*, one of *acr_values*, and a sign-in at most
        *max_age* seconds ago. Everybody else gets the challenge: `Refused`, or a closed WebSocket.
        """
        required = require(scopes, acr_values=acr_values, max_age=max_age)

        async def admitted(
            connection: HTTPConnection,
            answer: Response,
            _: None = Security(self._scheme, scopes=required.scopes),
        ) -> Access:
            connection.scope.setdefault(ADMITTED, {})
            request = read_request(connection.scope, self._server)
            try:
                access = await self._server.admit(request, required)
            except OAuthError as refusal:
                challenge = self._server.challenge(refusal, request, required)
                if connection.scope["type"] == "websocket":
                    raise WebSocketException(closing_code(challenge), refusal.code) from None
                raise Refused(challenge) from None
            if BROUGHT in connection.scope:
                connection.scope[BROUGHT].extend(access.answer_headers)
            else:
                answer.headers.update(dict(access.answer_headers))
            return access

        return admitted


class _Around:
    """Around the application, because FastAPI forgets a dependency's headers where the route answers by a `Response` of
    its own, or raises.
    """

    def __init__(self, app: App, server: ResourceServer) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, and bring what was collected meanwhile with the answer."""
        if scope["type"] != "http":
            await pass_on(self._app, self._server, scope, receive, send)
        elif BROUGHT in scope:
            await self._app(scope, receive, send)
        else:
            brought: list[tuple[str, str]] = []
            await self._app({**scope, BROUGHT: brought}, receive, bringing(send, brought))


class _AccessToken(SecurityBase):
    """What OpenAPI says of the token; judging it is the dependency's."""

    scheme_name = "AccessToken"

    def __init__(self, server: ResourceServer) -> None:
        self.model: SecurityScheme = HTTPBearer(bearerFormat="JWT")
        if len(server.issuers) == 1:
            address = f"{server.issuers[0].rstrip('/')}/.well-known/openid-configuration"
            self.model = OpenIdConnect(openIdConnectUrl=address)

    async def __call__(self) -> None:
        """Nothing: it stands for its description."""


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))
