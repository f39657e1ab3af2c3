"""Metadata and keys (RFC 8414 §3, OpenID Connect Discovery §4, RFC 7517 §5)."""

from __future__ import annotations

from proofkey.server.asgi import Request, Response
from proofkey.server.engine import Engine
from proofkey.server.http.responses import public_document
from proofkey.server.issuer import Issuer


async def metadata(_request: Request, issuer: Issuer, _engine: Engine) -> Response:
    """One document for both addresses and both standards."""
    return public_document(issuer.metadata_json)


async def jwks(_request: Request, issuer: Issuer, _engine: Engine) -> Response:
    """The public keys: announced, active and retired."""
    return public_document(issuer.jwks_json)
