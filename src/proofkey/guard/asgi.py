"""The guard in front of an ASGI application: a good token goes through, everything else gets a challenge (RFC 6750).

1. A token is read from the Authorization header alone, never from the query or a form (RFC 9700 §2.5, OAuth 2.1 §5.1).
2. A request without a token gets a challenge without an error code (RFC 6750 §3.1).
3. Nothing of the token is logged.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, TypeAlias

from proofkey.guard.access import LEEWAY_FOR, Access, ScopeMissing, TokenRejected, check_access_token
from proofkey.guard.keys import IssuerKeys, IssuerUnavailable, wall_clock
from proofkey.protocol.errors import InvalidRequest, OAuthError
from proofkey.protocol.records import SECOND

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

ACCESS = "proofkey.access"
_STATUS = {"invalid_request": 400, "insufficient_scope": 403, "temporarily_unavailable": 503}
_B64TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_QUOTABLE = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")
_log = logging.getLogger("proofkey.guard")


class TokenMissing(TokenRejected):
    """No token was sent: the challenge says how to get in, and no error."""


class Guard:
    """An ASGI application that lets requests with a fitting access token through to *app*.

    Inside, `access_of(scope)` says who calls. Lifespan passes through. CORS belongs in front: a preflight has no token.
    *leeway_for* (milliseconds) is what clocks may differ by: a token opens that much longer than it lives.
    """

    def __init__(
        self,
        app: App,
        *,
        keys: IssuerKeys,
        audience: str,
        scopes: Collection[str] = (),
        realm: str | None = None,
        leeway_for: int = LEEWAY_FOR,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        self._app = app
        self._keys = keys
        self._audience = audience
        self._scopes = tuple(scopes)
        self._realm = realm or audience
        self._leeway_for = leeway_for
        self._clock = clock
        if not all(_QUOTABLE.fullmatch(text) for text in (self._realm, *self._scopes)):
            raise ValueError("realm and scopes must be ASCII without quotes and backslashes")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit the request or answer it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        try:
            access = await self._admit(scope)
        except OAuthError as refusal:
            _log.info("refused: %s %s", refusal.reason, refusal.detail)
            await self._refuse(scope, send, refusal)
            return
        await self._app({**scope, ACCESS: access}, receive, send)

    async def _admit(self, scope: Scope) -> Access:
        claims = await self._keys.verify(read_bearer_token(scope))
        return check_access_token(
            claims,
            expected_issuer=self._keys.issuer,
            expected_audience=self._audience,
            required_scopes=self._scopes,
            now=self._clock(),
            leeway_for=self._leeway_for,
        )

    async def _refuse(self, scope: Scope, send: Send, refusal: OAuthError) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
            return
        body = json.dumps({"error": refusal.code, "error_description": refusal.error_description}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            self._reply_header(refusal),
        ]
        await send({"type": "http.response.start", "status": _STATUS.get(refusal.code, 401), "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _reply_header(self, refusal: OAuthError) -> tuple[bytes, bytes]:
        if isinstance(refusal, IssuerUnavailable):
            return b"retry-after", b"%d" % -(-refusal.retry_for // SECOND)
        return b"www-authenticate", self._challenge(refusal).encode("ascii")

    def _challenge(self, refusal: OAuthError) -> str:
        """RFC 6750 §3; the scope stands where it helps: nobody came yet, or came with too little."""
        parts = [("realm", self._realm)]
        if not isinstance(refusal, TokenMissing):
            parts += [("error", refusal.code), ("error_description", refusal.error_description)]
        if self._scopes and isinstance(refusal, TokenMissing | ScopeMissing):
            parts.append(("scope", " ".join(self._scopes)))
        return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parts)


def protect(app: App, *, issuer: str, audience: str, scopes: Collection[str] = ()) -> Guard:
    """*app* behind a guard that takes access tokens of *issuer* for *audience* that hold every one of *scopes*.

    Several guards of one issuer share its keys by `Guard(app, keys=…)`.
    """
    return Guard(app, keys=IssuerKeys(issuer), audience=audience, scopes=scopes)


def access_of(scope: Scope) -> Access:
    """Who calls, inside a guarded application."""
    access = scope[ACCESS]
    if not isinstance(access, Access):
        raise TypeError("this application is not behind a Guard")
    return access


def read_bearer_token(scope: Scope) -> str:
    """The one bearer token of a request (RFC 6750 §2.1). Raises `TokenMissing` or `InvalidRequest`."""
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(sent) > 1:
        raise InvalidRequest("authorization_repeated", "Authorization must be sent once")
    scheme, _, token = sent[0].strip().partition(b" ") if sent else (b"", b"", b"")
    if scheme.lower() != b"bearer":
        raise TokenMissing("access_token_missing", "An access token is required: send Authorization: Bearer")
    token = token.strip()
    if not _B64TOKEN.fullmatch(token):
        raise InvalidRequest("authorization_malformed", "Authorization must be Bearer and one access token")
    return token.decode("ascii")
