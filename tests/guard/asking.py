"""Requests to a `ResourceServer` without a framework, and issuers that answer for as long as a test runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from proofkey.guard.request import ApiRequest
from tests.guard.sample_issuer import SampleIssuer
from tests.listening import bind, listening, url_of

AUDIENCE = "https://api.example"


def asking(token: str | None = None, scheme: str = "Bearer", **headers: str) -> ApiRequest:
    """GET /notes with *token* and further *headers*."""
    sent = [] if token is None else [(b"authorization", f"{scheme} {token}".encode("latin-1"))]
    further = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return ApiRequest("GET", f"{AUDIENCE}/notes", [*sent, *further])


@contextmanager
def issuers(count: int = 1) -> Iterator[list[SampleIssuer]]:
    """That many issuers, listening."""
    with ExitStack() as stack:
        started = []
        for _ in range(count):
            listener = bind()
            started.append(SampleIssuer(f"{url_of(listener)}/acme/main"))
            stack.enter_context(listening(started[-1], listener))
        yield started
