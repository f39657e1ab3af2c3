"""The guard in front of a WSGI application (PEP 3333): a good token goes through, everything else gets a challenge.

1. A request waits in its own thread where an issuer or Redis must be asked; workers may be forked at any time.
2. The protected resource's metadata are open to everybody (RFC 9728 §3).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Collection, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from proofkey.guard.access import Access
from proofkey.guard.challenge import Answer
from proofkey.guard.request import UNESCAPED, ApiRequest
from proofkey.guard.requirement import NOTHING, Requirement, require
from proofkey.guard.resource_server import ResourceServer
from proofkey.guard.trust import Issuers
from proofkey.protocol.errors import OAuthError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Route: TypeAlias = "Requirement | Callable[[WSGIEnvironment], Requirement]"

__all__ = ["Guard", "access_of", "protect"]

ACCESS = "proofkey.access"
ADMITTED = "proofkey.admitted"
_TARGET = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)?(?P<path>/[^?]*)")


class Guard:
    """A WSGI application that lets requests with a fitting access token through to *app*.

    *required* says what a token must hold, for all requests or for each by its environ. Inside, `access_of(environ)`
    says who calls.

    >>> from proofkey.guard import ResourceServer, require
    >>> def hello(environ, start_response):
    ...     start_response("200 OK", [("content-type", "text/plain")])
    ...     return [access_of(environ).subject.encode()]
    >>> guarded = Guard(hello, ResourceServer(ISSUER, audience=AUDIENCE), require("notes:read"))
    >>> from wsgiref.util import setup_testing_defaults
    >>> environ = {"HTTP_AUTHORIZATION": f"Bearer {ACCESS_TOKEN}"}
    >>> setup_testing_defaults(environ)
    >>> guarded(environ, lambda status, headers: print(status)) == [SERVICE_ID.encode()]
    200 OK
    True
    """

    def __init__(self, app: WSGIApplication, server: ResourceServer, required: Route = NOTHING) -> None:
        self._app = app
        self._server = server
        self._required = required

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Admit the request or answer it."""
        if asks_metadata(environ, self._server):
            return _send(self._server.metadata(), environ, start_response)
        request = read_request(environ, self._server)
        required = self._required if isinstance(self._required, Requirement) else self._required(environ)
        try:
            access = self._server.admit_blocking(request, required)
        except OAuthError as refusal:
            return _send(self._server.challenge(refusal, request, required), environ, start_response)
        environ[ACCESS] = access

        def start(status: str, headers: list[tuple[str, str]], *failure: Any) -> Any:
            return start_response(status, [*headers, *access.answer_headers], *failure)

        return self._app(environ, start if access.answer_headers else start_response)


def protect(app: WSGIApplication, *, issuer: Issuers, audience: str, scopes: Collection[str] | str = ()) -> Guard:
    """*app* behind a guard that takes access tokens of *issuer* for *audience* that hold every one of *scopes*.

    >>> def app(environ, start_response):
    ...     start_response("204 No Content", [])
    ...     return []
    >>> app = protect(app, issuer=ISSUER, audience=AUDIENCE, scopes=["notes:read"])
    >>> from wsgiref.util import setup_testing_defaults
    >>> environ = {}
    >>> setup_testing_defaults(environ)
    >>> answer = app(environ, lambda status, headers: print(status, dict(headers)["www-authenticate"]))
    401 Unauthorized Bearer realm="...", scope="notes:read", resource_metadata="..."
    """
    required = require(scopes)
    server = ResourceServer(issuer, audience=audience, scopes_supported=required.scopes)
    return Guard(app, server, required)


def access_of(environ: WSGIEnvironment) -> Access:
    """Who calls, inside a guarded application.

    >>> access_of({})
    Traceback (most recent call last):
    TypeError: this application is not behind a Guard
    """
    access = environ.get(ACCESS)
    if not isinstance(access, Access):
        raise TypeError("this application is not behind a Guard")
    return access


def read_request(environ: WSGIEnvironment, server: ResourceServer) -> ApiRequest:
    """The guard's view of a WSGI request to *server*. Headers that were repeated are joined: such a token is malformed."""
    headers = [
        (name[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    shown = str(environ.get("SSL_CLIENT_CERT", "")).strip()
    certificate = ssl.PEM_cert_to_DER_cert(shown) if shown.startswith(ssl.PEM_HEADER) else None
    admitted = environ.setdefault(ADMITTED, {})
    return ApiRequest(environ["REQUEST_METHOD"], server.url_of(_path(environ)), headers, certificate, admitted)


def asks_metadata(environ: WSGIEnvironment, server: ResourceServer) -> bool:
    """Whether a request is for the protected resource's metadata."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path == server.metadata_path and environ["REQUEST_METHOD"] in {"GET", "HEAD"}


def _path(environ: WSGIEnvironment) -> str:
    """The path as it was sent, where the server tells (gunicorn, uWSGI, werkzeug, mod_wsgi do), else encoded anew."""
    sent = _TARGET.fullmatch(str(environ.get("REQUEST_URI") or environ.get("RAW_URI") or "").partition("?")[0])
    if sent is not None:
        return sent["path"]
    decoded = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return quote(decoded.encode("latin-1", "replace"), safe=UNESCAPED)


def _send(answer: Answer, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", list(answer.headers))
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]
