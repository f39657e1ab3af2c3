"""The sign-in around a WSGI application (Flask, Django under WSGI …): the ASGI one, run by an event loop beside it (PEP 3333).

1. One thread with an event loop in each process that answers requests, started at the first; a server may fork before.
2. The application runs in the thread that called, with `environ["proofkey.session"]`; it also reads the body.
3. Where a server tells the path only decoded, a path that is ambiguous once decoded is refused, never guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeAlias

from proofkey.client.web.asgi import SignIn as AsgiSignIn
from proofkey.client.web.message import Receive, Scope, Send
from proofkey.client.web.require_login import ASK, ask_for_login
from proofkey.client.web.require_login import session_of as _session_of
from proofkey.client.web.session import SESSION, Session
from proofkey.client.web.wsgi_exchange import Exchange
from proofkey.loop_thread import LoopThread

Environ: TypeAlias = dict[str, Any]
WsgiApp: TypeAlias = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_environ: ContextVar[Environ] = ContextVar("proofkey.environ")
_LOOP = "proofkey.loop"


class SignIn:
    """*app* with sign-in; *settings* are those of `proofkey.client.web.SignIn`.

    >>> from proofkey.client.web.wsgi import SignIn
    >>> def hello(environ, start_response):
    ...     start_response("200 OK", [("content-type", "text/plain")])
    ...     return [b"somebody" if session_of(environ) else b"nobody"]
    >>> app = SignIn(
    ...     hello, issuer=ISSUER, client_id=WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET, redirect_uri=WEB_REDIRECT_URI
    ... )
    >>> from wsgiref.util import setup_testing_defaults
    >>> environ = {}
    >>> setup_testing_defaults(environ)
    >>> app(environ, lambda status, headers: print(status))
    200 OK
    [b'nobody']
    >>> app.close()
    """

    def __init__(self, app: WsgiApp, **settings: Any) -> None:
        self._app = app
        self._sign_in = AsgiSignIn(_hand_over, **settings)
        self._loop = LoopThread("proofkey-sign-in")
        self._under_way: set[asyncio.Task[Any] | None] = set()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer what is ours, and tell the application who is there."""
        exchange = Exchange(environ)
        self._loop.start(self._run(exchange)).add_done_callback(exchange.ended)
        first = exchange.next_message()
        if first["type"] == "handed.over":
            return self._call_app(environ, first["scope"], start_response)
        status = HTTPStatus(first["status"])
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in first["headers"]]
        start_response(f"{status.value} {status.phrase}", headers)
        return exchange

    def _call_app(self, environ: Environ, scope: Scope, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ.update({SESSION: scope[SESSION], ASK: scope[ASK], _LOOP: self._loop})
        with _answering(environ):
            answer = self._app(environ, start_response)
        as_it_is = (list, tuple, environ.get("wsgi.file_wrapper", list))
        return answer if isinstance(answer, as_it_is) else _Streamed(answer, environ)

    async def _run(self, exchange: Exchange) -> None:
        task = asyncio.current_task()
        self._under_way.add(task)
        try:
            await exchange.run(self._sign_in)
        finally:
            self._under_way.discard(task)

    def close(self) -> None:
        """Let go of the store, the network and the thread; the next request opens them again.

        A request that waits for the sign-in hears that it was closed.
        """
        self._loop.run(self._close())
        self._loop.stop()

    async def _close(self) -> None:
        under_way = asyncio.all_tasks() & self._under_way  # not those that a fork cut off
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._sign_in.close()


@contextmanager
def _answering(environ: Environ) -> Iterator[None]:
    token = _environ.set(environ)
    try:
        yield
    finally:
        _environ.reset(token)


class _Streamed:
    """An answer that the application makes while it is sent: piece by piece, it is still this request's."""

    def __init__(self, answer: Iterable[bytes], environ: Environ) -> None:
        self._answer = answer
        self._environ = environ

    def __iter__(self) -> Iterator[bytes]:
        with _answering(self._environ):
            pieces = iter(self._answer)
        while True:
            with _answering(self._environ):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        """Tell the application that nobody wants more."""
        with _answering(self._environ):
            getattr(self._answer, "close", lambda: None)()


def _current() -> Environ:
    """The request that this thread answers. Raises `LookupError`."""
    try:
        return _environ.get()
    except LookupError:
        raise LookupError("no request is answered here and now") from None


async def _hand_over(scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "handed.over", "scope": scope})


def session_of(request: Any = None) -> Session | None:
    """Who signed in: of *request* (an environment, or what has one), else of the request that is answered here and now.

    >>> from proofkey.client.web.wsgi import session_of
    >>> session_of({"proofkey.session": None}) is None
    True
    """
    return _session_of(_current() if request is None else request)


def access_token(resource: str | None = None) -> str:
    """`Session.access_token` for those who cannot await, in a request of somebody who signed in.

    >>> import httpx2
    >>> from proofkey.client.web.wsgi import access_token
    >>> def notes():
    ...     return httpx2.get(API_URL, headers={"Authorization": f"Bearer {access_token()}"}).json()
    >>> notes()
    Traceback (most recent call last):
    LookupError: no request is answered here and now
    """
    environ = _current()
    session = _session_of(environ)
    if session is None:
        raise LookupError("nobody signed in")
    loop: LoopThread = environ[_LOOP]
    token: str = loop.run(session.access_token(resource))
    return token


def require_login(view: Callable[..., Any]) -> Callable[..., Any]:
    """*view*, as Flask calls one, for those who signed in; others are redirected, or told where to go (401).

    >>> from proofkey.client.web.wsgi import require_login, session_of
    >>> @require_login
    ... def home():
    ...     return session_of().claims["name"]
    >>> home()
    Traceback (most recent call last):
    LookupError: no request is answered here and now
    """

    @wraps(view)
    def guarded(*arguments: Any, **named: Any) -> Any:
        if session_of() is not None:
            return view(*arguments, **named)
        response = ask_for_login(_current())
        headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in response.headers]
        return response.body.decode("utf-8"), response.status, headers

    return guarded


__all__ = ["SignIn", "access_token", "require_login", "session_of"]
