"""The guard in Django, sync and async: one setting names the issuer; views or whole paths say what a token must hold.

1. `PROOFKEY_GUARD` holds the arguments of `ResourceServer`: `{"issuers": "https://login.example", "audience": …}`.
2. What the guard admits needs no CSRF token: nothing that a browser sends by itself opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache, wraps
from inspect import signature
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import setting_changed
from django.http import HttpRequest, HttpResponse

from proofkey.guard import asgi, wsgi
from proofkey.guard.access import Access
from proofkey.guard.challenge import Answer
from proofkey.guard.request import ApiRequest
from proofkey.guard.requirement import Requirement
from proofkey.guard.requirement import require as requirement
from proofkey.guard.resource_server import ResourceServer
from proofkey.protocol.errors import OAuthError

__all__ = ["GuardMiddleware", "access_of", "require"]

View = TypeVar("View", bound=Callable[..., Any])


@cache
def resource_server() -> ResourceServer:
    """The API that `settings.PROOFKEY_GUARD` describes; one for each process. Raises `ImproperlyConfigured`."""
    configured = getattr(settings, "PROOFKEY_GUARD", None)
    if not isinstance(configured, Mapping):
        raise ImproperlyConfigured('PROOFKEY_GUARD must be a dict: {"issuers": …, "audience": …}')
    try:
        return ResourceServer(**configured)
    except TypeError as wrong:
        known = ", ".join(signature(ResourceServer).parameters)
        raise ImproperlyConfigured(f"PROOFKEY_GUARD: {wrong}. It takes {known}") from wrong
    except ValueError as wrong:
        raise ImproperlyConfigured(f"PROOFKEY_GUARD: {wrong}") from wrong


def require(
    scopes: Collection[str] | str = (), *, acr_values: Collection[str] | str = (), max_age: int | None = None
) -> Callable[[View], View]:
    """A decorator: the view runs for tokens with every one of *scopes*, one of *acr_values*, and a sign-in at most
    *max_age* seconds ago. Everybody else gets the challenge. Views may be sync or async.

    >>> from django.http import HttpResponse
    >>> @require("notes:read")
    ... def notes(request):
    ...     return HttpResponse(f"The notes of {access_of(request).subject}")
    >>> from django.test import RequestFactory, override_settings
    >>> request = RequestFactory().get("/notes", headers={"authorization": f"Bearer {ACCESS_TOKEN}"})
    >>> with override_settings(PROOFKEY_GUARD={"issuers": ISSUER, "audience": AUDIENCE}):  # as settings.py has it
    ...     notes(request).content.decode() == f"The notes of {SERVICE_ID}"
    True
    """
    required = requirement(scopes, acr_values=acr_values, max_age=max_age)

    def guarded(view: View) -> View:
        @wraps(view)
        def admitted(request: HttpRequest, *given: Any, **named: Any) -> Any:
            admission = _admit(request, required)
            if isinstance(admission, HttpResponse):
                return admission
            return _bring(admission, view(request, *given, **named))

        @wraps(view)
        async def admitted_later(request: HttpRequest, *given: Any, **named: Any) -> Any:
            admission = await _admit_later(request, required)
            if isinstance(admission, HttpResponse):
                return admission
            return _bring(admission, await view(request, *given, **named))

        chosen: Any = admitted_later if iscoroutinefunction(view) else admitted
        chosen.csrf_exempt = True
        return chosen  # type: ignore[no-any-return]

    return guarded


class GuardMiddleware:
    """Guards whole paths, and serves the API's metadata (RFC 9728). Name it in `MIDDLEWARE`, before CSRF's.

    `settings.PROOFKEY_GUARD_PATHS` maps the beginning of a path to the scopes it takes; the longest one counts, and `/api/`
    covers `/api` as well. A path is read as that within the application; only where that is under none of them, it is read with
    what the application is mounted at (SCRIPT_NAME) in front. So a setting that names `/` speaks of paths within the application
    alone. What is under none of them is open. Without the setting, everything is guarded and any good token will do.

    In `settings.py`:

    >>> MIDDLEWARE = ["proofkey.guard.django.GuardMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
    >>> PROOFKEY_GUARD = {"issuers": ISSUER, "audience": AUDIENCE}
    >>> PROOFKEY_GUARD_PATHS = {"/api/": "notes:read"}

    What that comes to, without a token:

    >>> from django.http import HttpResponse
    >>> from django.test import RequestFactory, override_settings
    >>> with override_settings(PROOFKEY_GUARD=PROOFKEY_GUARD, PROOFKEY_GUARD_PATHS=PROOFKEY_GUARD_PATHS):
    ...     guarded = GuardMiddleware(lambda request: HttpResponse("in"))
    ...     [guarded(RequestFactory().get(path)).status_code for path in ("/api", "/api/notes", "/about")]
    [401, 401, 200]
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        resource_server()  # what cannot work stops the start
        self._get_response = get_response
        self._paths = _read_paths(getattr(settings, "PROOFKEY_GUARD_PATHS", {"/": ""}))
        self._awaited = iscoroutinefunction(get_response)
        if self._awaited:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Admit the request or answer it."""
        if self._awaited:
            return self._call_later(request)
        required = _required(self._paths, request.path_info, request.path)
        admission: Access | HttpResponse | None = _metadata_for(request)
        if admission is None and required is not None:
            admission = _admit(request, required)
        if isinstance(admission, HttpResponse):
            return admission
        return _bring(admission, self._get_response(request))

    async def _call_later(self, request: HttpRequest) -> Any:
        required = _required(self._paths, request.path_info, request.path)
        admission: Access | HttpResponse | None = _metadata_for(request)
        if admission is None and required is not None:
            admission = await _admit_later(request, required)
        if isinstance(admission, HttpResponse):
            return admission
        return _bring(admission, await self._get_response(request))


def access_of(request: HttpRequest) -> Access:
    """Who calls, inside a guarded view.

    >>> from django.http import HttpResponse
    >>> @require()
    ... def whoami(request):
    ...     return HttpResponse(access_of(request).subject)
    >>> from django.test import RequestFactory, override_settings
    >>> request = RequestFactory().get("/", headers={"authorization": f"Bearer {ACCESS_TOKEN}"})
    >>> with override_settings(PROOFKEY_GUARD={"issuers": ISSUER, "audience": AUDIENCE}):
    ...     whoami(request).content.decode() == SERVICE_ID
    True
    """
    access = getattr(request, "proofkey_access", None)
    if not isinstance(access, Access):
        raise TypeError("this view is not behind the guard")
    return access


def _read_paths(configured: Mapping[str, Collection[str] | str]) -> list[tuple[str, Requirement]]:
    """The longest first. A path ends with a slash, so that `/api/` does not mean `/apiary`."""
    for path in configured:
        if not path.startswith("/") or not path.endswith("/"):
            raise ImproperlyConfigured("the paths of PROOFKEY_GUARD_PATHS begin and end with a slash")
    return sorted(((path, requirement(scopes)) for path, scopes in configured.items()), key=lambda each: -len(each[0]))


def _required(paths: list[tuple[str, Requirement]], *asked: str) -> Requirement | None:
    """What the first of the *asked* paths takes that is under any; None where nothing is asked for.

    A setting that names paths as clients write them must not leave an application open that is mounted below `/`.
    """
    each = ((f"{path}/", guarded, required) for path in asked for guarded, required in paths)  # /api/ covers /api, too
    return next((required for path, guarded, required in each if path.startswith(guarded)), None)


def _read_request(request: HttpRequest) -> ApiRequest:
    if isinstance(request, ASGIRequest):
        request.scope.setdefault(asgi.ADMITTED, {})
        return asgi.read_request(request.scope, resource_server())
    if isinstance(request, WSGIRequest):
        return wsgi.read_request(request.environ, resource_server())
    raise TypeError("the guard reads requests of Django's ASGI and WSGI handlers")


def _admit(request: HttpRequest, required: Requirement) -> Access | HttpResponse:
    asked = _read_request(request)
    try:
        access = resource_server().admit_blocking(asked, required)
    except OAuthError as refusal:
        return _response(resource_server().challenge(refusal, asked, required))
    return _remember(request, access)


async def _admit_later(request: HttpRequest, required: Requirement) -> Access | HttpResponse:
    asked = _read_request(request)
    try:
        access = await resource_server().admit(asked, required)
    except OAuthError as refusal:
        return _response(resource_server().challenge(refusal, asked, required))
    return _remember(request, access)


def _remember(request: HttpRequest, access: Access) -> Access:
    request.proofkey_access = access
    request._dont_enforce_csrf_checks = True
    return access


def _bring(access: Access | None, answer: HttpResponse) -> HttpResponse:
    """The answer, with what the guard has it bring beside."""
    for name, value in access.answer_headers if access is not None else ():
        answer[name] = value
    return answer


def _metadata_for(request: HttpRequest) -> HttpResponse | None:
    if request.path != resource_server().metadata_path or request.method not in {"GET", "HEAD"}:
        return None
    return _response(resource_server().metadata())


def _response(answer: Answer) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "PROOFKEY_GUARD":
        resource_server.cache_clear()


setting_changed.connect(_forget)
