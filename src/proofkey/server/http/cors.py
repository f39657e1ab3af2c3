"""Cross-origin reading (Fetch standard, CORS protocol).

1. Metadata and keys are for everybody; the protocol endpoints echo only origins of the workspace's public clients.
2. Errors and preflights carry the same headers; requested headers are echoed, because libraries add their own.
3. Credentials are allowed at /token alone, which ignores cookies.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from proofkey.server.asgi import Headers, Request
from proofkey.server.issuer import Issuer

Sharing: TypeAlias = Literal["nobody", "everybody", "origins", "origins_with_credentials"]


def cors_headers(request: Request, issuer: Issuer, sharing: Sharing) -> Headers:
    """What lets the page that asked read the answer; nothing for other pages."""
    origin = request.headers.get(b"origin")
    if origin is None or sharing == "nobody":
        return []
    if sharing == "everybody":
        return [(b"access-control-allow-origin", b"*")]
    if origin.decode("latin-1") not in issuer.origins:
        return [(b"vary", b"Origin")]
    headers = [
        (b"access-control-allow-origin", origin),
        (b"vary", b"Origin"),
        (b"access-control-expose-headers", b"WWW-Authenticate"),
    ]
    if sharing == "origins_with_credentials":
        headers.append((b"access-control-allow-credentials", b"true"))
    return headers


def preflight_headers(request: Request, methods: str) -> Headers:
    """What the real request may be (Fetch standard §3.2.3)."""
    headers = [(b"access-control-allow-methods", methods.encode()), (b"access-control-max-age", b"600")]
    asked = request.headers.get(b"access-control-request-headers")
    if asked is not None:
        headers.append((b"access-control-allow-headers", asked))
    return headers
