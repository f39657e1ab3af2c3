"""A notes API in Django, for access tokens of one issuer: `uvicorn notes:asgi` or `gunicorn notes:wsgi`.

Beside `proofkey dev`, whose tokens it then takes:

    export PROOFKEY_ISSUER=http://localhost:8400/demo/main PROOFKEY_AUDIENCE=http://127.0.0.1:8402
    export PROOFKEY_PUBLIC_URL=http://127.0.0.1:8000
    export REDIS_URL=redis://localhost:6379/0
    uvicorn notes:asgi
"""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from proofkey.guard import Dpop, RedisReplay
from proofkey.guard.django import access_of, require

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["proofkey.guard.django.GuardMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    PROOFKEY_GUARD={
        "issuers": os.environ["PROOFKEY_ISSUER"].split(),  # one, or several
        "audience": os.environ["PROOFKEY_AUDIENCE"],
        "public_url": os.environ["PROOFKEY_PUBLIC_URL"],  # what goes before a path as clients send it
        "scopes_supported": ["notes:read", "notes:write"],
        "bindings": [Dpop(RedisReplay(os.environ["REDIS_URL"]))],  # proofs are remembered for all workers
    },
    PROOFKEY_GUARD_PATHS={"/private/": "notes:write"},  # whatever is under it, by the middleware
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "for this example alone"),
)


@require("notes:read")
def read_notes(request: HttpRequest) -> JsonResponse:
    """The caller's notes."""
    return JsonResponse({"of": access_of(request).subject, "notes": ["Water the plants"]})


@require("notes:write")
async def add_note(request: HttpRequest) -> JsonResponse:
    """One more note."""
    return JsonResponse({"of": access_of(request).subject}, status=201)


def private(request: HttpRequest) -> JsonResponse:
    """What only the middleware guards."""
    return JsonResponse({"of": access_of(request).subject})


urlpatterns = [
    path("notes", read_notes),
    path("notes/add", add_note),
    path("private/note", private),
    path("private/both", read_notes),
]
asgi = get_asgi_application()
wsgi = get_wsgi_application()
