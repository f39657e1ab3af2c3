"""The sign-in in Django under ASGI: who signed in, and a decorator for views, sync and async."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse

from proofkey.client.web.message import Response
from proofkey.client.web.require_login import ask_for_login
from proofkey.client.web.require_login import session_of as session_of

View = Callable[..., Any]


def require_login(view: View) -> View:
    """*view*, sync or async, for those who signed in; others are redirected, or told where to go (401).

    >>> from django.http import HttpResponse
    >>> from proofkey.client.web.django import require_login, session_of
    >>> @require_login
    ... def home(request):
    ...     return HttpResponse(session_of(request).claims["name"])
    >>> from django.test import RequestFactory
    >>> from proofkey.client.web import Session
    >>> alice = Session(ISSUER, "a1", {"name": "Alice"}, NOW, NOW + 60_000, "c5rf")
    >>> home(RequestFactory().get("/", **{"proofkey.session": alice})).content
    b'Alice'
    """
    if iscoroutinefunction(view):

        @wraps(view)
        async def guarded_async(request: HttpRequest, *arguments: Any, **named: Any) -> Any:
            return _asked(request) or await view(request, *arguments, **named)

        return guarded_async

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> Any:
        return _asked(request) or view(request, *arguments, **named)

    return guarded


def _asked(request: HttpRequest) -> HttpResponse | None:
    return None if session_of(request) is not None else _as_django(ask_for_login(request))


def _as_django(response: Response) -> HttpResponse:
    answer = HttpResponse(response.body, status=response.status)
    for name, value in response.headers:
        answer[name.decode("ascii")] = value.decode("latin-1")
    return answer


__all__ = ["require_login", "session_of"]
