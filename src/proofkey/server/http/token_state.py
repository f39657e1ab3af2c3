"""Introspection, revocation and userinfo: what a token is worth, ending it, and whom it speaks of."""

from __future__ import annotations

from proofkey.protocol.errors import InvalidBearer
from proofkey.protocol.introspection import check_introspector
from proofkey.protocol.revocation import parse_revocation
from proofkey.server.asgi import Request, Response
from proofkey.server.engine import Engine
from proofkey.server.flows.introspection import introspect as introspect_token
from proofkey.server.flows.revocation import revoke as revoke_token
from proofkey.server.flows.userinfo import read_userinfo
from proofkey.server.http.client_auth import authenticate
from proofkey.server.http.responses import bearer_missing, json_bytes, json_response
from proofkey.server.issuer import Issuer

KNOWN = frozenset("token token_type_hint client_id client_secret".split())
_ACCESS_TOKEN = frozenset(["access_token"])


async def introspect(request: Request, issuer: Issuer, engine: Engine) -> Response:
    """RFC 7662 §2."""
    params = await request.form(KNOWN)
    params.check()
    client = await authenticate(request, params, issuer, engine)
    check_introspector(client)
    sent = parse_revocation(params.values)
    return json_response(
        await introspect_token(sent, client, issuer, store=engine.store, known=engine.known, now=engine.clock())
    )


async def revoke(request: Request, issuer: Issuer, engine: Engine) -> Response:
    """RFC 7009 §2; always JSON, because two common clients fail on anything else."""
    params = await request.form(KNOWN)
    params.check()
    client = await authenticate(request, params, issuer, engine)
    sent = parse_revocation(params.values)
    await revoke_token(sent, client, issuer, store=engine.store, known=engine.known, now=engine.clock())
    return json_bytes(b"{}")


async def userinfo(request: Request, issuer: Issuer, engine: Engine) -> Response:
    """OpenID Connect Core §5.3."""
    sent = await _bearer(request)
    if sent is None:
        return bearer_missing(issuer.url)
    return json_response(await read_userinfo(sent, issuer, store=engine.store, known=engine.known, now=engine.clock()))


async def _bearer(request: Request) -> str | None:
    """The token in the header, or in a form body (RFC 6750 §2.1, §2.2); never in the address."""
    if b"authorization" in request.repeated:
        raise InvalidBearer("bearer_repeated", "The Authorization header was sent more than once")
    header = request.headers.get(b"authorization", b"")
    in_header = header[7:].strip().decode("latin-1") if header[:7].lower() == b"bearer " else None
    in_body = None
    if request.method == "POST" and request.has_form:
        params = await request.form(_ACCESS_TOKEN)
        params.check()
        in_body = params.values.get("access_token")
    if in_header and in_body:
        raise InvalidBearer("bearer_twice", "Send the access token in one place only")
    return in_header or in_body
