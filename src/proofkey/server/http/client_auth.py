"""Who calls a protocol endpoint: header and body to an authenticated client (RFC 6749 §2.3)."""

from __future__ import annotations

from proofkey.protocol.client_auth import check_client, parse_credentials
from proofkey.protocol.errors import InvalidRequest
from proofkey.protocol.parameters import Parameters
from proofkey.protocol.records import Client
from proofkey.server.asgi import Request
from proofkey.server.engine import Engine
from proofkey.server.issuer import Issuer
from proofkey.server.master_key import hash_client_secret


async def authenticate(request: Request, params: Parameters, issuer: Issuer, engine: Engine) -> Client:
    """The client that made this request. Raises `InvalidClient` or `InvalidRequest`."""
    if b"authorization" in request.repeated:
        raise InvalidRequest("credentials_repeated", "The Authorization header was sent more than once")
    sent = parse_credentials(request.headers.get(b"authorization"), params.values)
    client = await engine.directory.find_client(issuer, sent.client_id)
    sent_hash = None
    if sent.client_secret is not None:
        sent_hash = hash_client_secret(engine.master_key, issuer.workspace.id, sent.client_id, sent.client_secret)
    return check_client(client, sent, sent_hash)
