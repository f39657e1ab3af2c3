"""The guard in Flask: a decorator on a view says what its caller's token must hold."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, Response, after_this_request, current_app, g, request

from proofkey.guard.access import Access
from proofkey.guard.challenge import Answer
from proofkey.guard.requirement import require
from proofkey.guard.resource_server import ResourceServer
from proofkey.guard.wsgi import read_request
from proofkey.protocol.errors import OAuthError

__all__ = ["Guard", "current_access"]

View = TypeVar("View", bound=Callable[..., Any])


class Guard:
    """Guards views of a Flask application for the API *server*; *app* serves its metadata (RFC 9728), too.

    >>> from flask import Flask
    >>> from proofkey.guard import ResourceServer
    >>> app = Flask("notes")
    >>> guard = Guard(ResourceServer(ISSUER, audience=AUDIENCE), app)
    >>> @app.get("/notes")
    ... @guard.require("notes:read")
    ... def notes():
    ...     return f"The notes of {current_access().subject}"
    >>> app.test_client().get("/notes", headers={"authorization": f"Bearer {ACCESS_TOKEN}"}).text
    'The notes of ...'
    """

    def __init__(self, server: ResourceServer, app: Flask | None = None) -> None:
        self._server = server
        self._apps: list[Flask] = []
        self._guarded: set[Callable[..., Any]] = set()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Serve the API's metadata from *app*, where its identifier is a URL. Raises `TypeError` where a guarded view of
        *app* is routed past its guard.
        """
        self._apps.append(app)
        self._check_routes(app)
        app.before_request(lambda: self._check_routed(app.view_functions.get(request.endpoint or "")))
        if self._server.metadata_path is not None:
            app.add_url_rule(
                self._server.metadata_path, "proofkey_metadata", lambda: _response(self._server.metadata())
            )

    def require(
        self, scopes: Collection[str] | str = (), *, acr_values: Collection[str] | str = (), max_age: int | None = None
    ) -> Callable[[View], View]:
        """A decorator, under the route's: the view runs for tokens with every one of *scopes*, one of *acr_values*, and
        a sign-in at most *max_age* seconds ago. Everybody else gets the challenge. Raises `TypeError` above the route's.
        """
        required = require(scopes, acr_values=acr_values, max_age=max_age)

        def guarded(view: View) -> View:
            self._guarded.add(view)
            for app in self._apps:
                self._check_routes(app)

            @wraps(view)
            def admitted(*given: Any, **named: Any) -> Any:
                asked = read_request(request.environ, self._server)
                try:
                    access = g.proofkey_access = self._server.admit_blocking(asked, required)
                except OAuthError as refusal:
                    return _response(self._server.challenge(refusal, asked, required))
                if access.answer_headers:
                    after_this_request(lambda answer: _bring(answer, access))
                return current_app.ensure_sync(view)(*given, **named)

            return admitted  # type: ignore[return-value]

        return guarded

    def _check_routes(self, app: Flask) -> None:
        for view in app.view_functions.values():
            self._check_routed(view)

    def _check_routed(self, view: Callable[..., Any] | None) -> None:
        """Refuse a view that a route calls without the guard that was put around it: a stranger would be let in."""
        if view in self._guarded:
            raise TypeError(f"{view} is open: put @guard.require(…) below the route's decorator")


def current_access() -> Access:
    """Who calls, inside a guarded view.

    >>> from flask import Flask
    >>> with Flask("notes").test_request_context():
    ...     current_access()
    Traceback (most recent call last):
    TypeError: this view is not behind a Guard
    """
    access = g.get("proofkey_access")
    if not isinstance(access, Access):
        raise TypeError("this view is not behind a Guard")
    return access


def _bring(answer: Response, access: Access) -> Response:
    answer.headers.extend(access.answer_headers)
    return answer


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, list(answer.headers))
