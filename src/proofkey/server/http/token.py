"""The token endpoint (RFC 6749 §3.2): one form, one client, one grant."""

from __future__ import annotations

from proofkey.protocol.authorization_code import parse_redemption
from proofkey.protocol.errors import InvalidRequest, UnauthorizedClient, UnsupportedGrantType
from proofkey.protocol.parameters import Parameters
from proofkey.protocol.records import Client, Json
from proofkey.protocol.refresh_token import parse_refresh
from proofkey.protocol.resource import merge_audience, single_resource
from proofkey.server.asgi import Request, Response
from proofkey.server.engine import Engine
from proofkey.server.flows.authorization_code import redeem_code
from proofkey.server.flows.client_credentials import grant_to_client
from proofkey.server.flows.refresh_token import refresh
from proofkey.server.flows.token_response import Mint
from proofkey.server.http.client_auth import authenticate
from proofkey.server.http.responses import json_response
from proofkey.server.issuer import Issuer

KNOWN = frozenset(
    "grant_type code redirect_uri client_id client_secret code_verifier refresh_token scope resource audience".split()
)
_NEEDED = ("grant_type", "code", "client_id", "redirect_uri", "code_verifier")
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")


async def token(request: Request, issuer: Issuer, engine: Engine) -> Response:
    """Answer one token request."""
    params = await request.form(KNOWN)
    params.check()
    grant_type = _grant_type(params, has_header=b"authorization" in request.headers)
    client = await authenticate(request, params, issuer, engine)
    if grant_type not in client.grant_types:
        raise UnauthorizedClient("grant_type_not_allowed", "grant_type is not allowed for this client")
    response = await _grant(grant_type, params, client, Mint(issuer, engine.entropy, engine.clock()), engine)
    engine.known.add(issuer, response["access_token"])
    return json_response(response)


async def _grant(grant_type: str, params: Parameters, client: Client, mint: Mint, engine: Engine) -> dict[str, Json]:
    resource = single_resource(merge_audience(params.resources, params.values.get("audience")))
    if grant_type == "authorization_code":
        return await redeem_code(parse_redemption(params.values, resource), client, mint=mint, store=engine.store)
    if grant_type == "refresh_token":
        return await refresh(parse_refresh(params.values, resource), client, mint=mint, store=engine.store)
    return await grant_to_client(params.values, resource, client, mint=mint, store=engine.store)


def _grant_type(params: Parameters, *, has_header: bool) -> str:
    grant_type = params.values.get("grant_type")
    if grant_type is None:
        needed = ("grant_type",) if "refresh_token" in params.values else _NEEDED
        missing = [name for name in needed if name not in params.values and not (name == "client_id" and has_header)]
        raise InvalidRequest("token_parameters_missing", "Required but missing", parameters=missing)
    if grant_type not in GRANT_TYPES:
        raise UnsupportedGrantType("grant_type_unknown", f"grant_type must be one of: {', '.join(GRANT_TYPES)}")
    return grant_type
