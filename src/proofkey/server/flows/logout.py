"""Signing out, at the wish of an application or of the person (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from proofkey import jose
from proofkey.protocol.id_token import TYP
from proofkey.protocol.logout import LogoutHint, parse_logout, read_hint
from proofkey.protocol.parameters import Parameters
from proofkey.protocol.record import record
from proofkey.protocol.records import Client, SignedIn
from proofkey.server.engine import Engine
from proofkey.server.flows.authorize import Visitor
from proofkey.server.issuer import Issuer
from proofkey.server.sealed import Ticket, opens, seal_ticket

PURPOSE = "sign_out"


@record(frozen=True, slots=True)
class SignedOut:
    """The session is over, or there was none. `return_url` is where the person may be sent, if anywhere."""

    client: Client | None
    return_url: str | None


@record(frozen=True, slots=True)
class AskSignOut:
    """Nobody proved that this is the person's wish: ask."""

    signed_in: SignedIn
    client: Client | None
    return_url: str | None


async def sign_out(params: Parameters, visitor: Visitor, issuer: Issuer, engine: Engine) -> SignedOut | AskSignOut:
    """End the session a valid hint names or the person's own form confirms; otherwise ask. Raises `Unanswerable`."""
    params.check()
    hint = _verified_hint(params.values.get("id_token_hint"), issuer)
    client = await engine.directory.find_client(issuer, hint.client_id) if hint else None
    request = parse_logout(params.values, hint, client)
    signed_in = await _signed_in(visitor, issuer, engine)
    if signed_in is None:
        return SignedOut(client, request.return_url)
    if not request.names_session(signed_in.session.sid) and not _confirms(params, signed_in, issuer):
        return AskSignOut(signed_in, client, request.return_url)
    await engine.store.end_session(issuer.workspace.id, signed_in.session.id, engine.clock())
    return SignedOut(client, request.return_url)


async def _signed_in(visitor: Visitor, issuer: Issuer, engine: Engine) -> SignedIn | None:
    if visitor.session is None:
        return None
    return await engine.store.find_signed_in(issuer.workspace.id, visitor.session, "", engine.clock())


def sign_out_ticket(signed_in: SignedIn, issuer: Issuer, engine: Engine) -> str:
    """The hidden field that makes the form this session's own."""
    ticket = Ticket(PURPOSE, signed_in.session.id, b"")
    return seal_ticket(issuer.ticket_seal, ticket, issuer.workspace.id, engine.entropy)


def _confirms(params: Parameters, signed_in: SignedIn, issuer: Issuer) -> bool:
    if params.values.get("decision") != "sign_out":
        return False
    expected = Ticket(PURPOSE, signed_in.session.id, b"")
    return opens(issuer.ticket_seal, params.values.get("ticket"), expected, issuer.workspace.id)


def _verified_hint(text: str | None, issuer: Issuer) -> LogoutHint | None:
    if text is None:
        return None
    try:
        return read_hint(jose.verify_jwt(text, issuer.verifying, expected_typ=TYP.lower()), issuer.url)
    except jose.TokenInvalid:
        return None
