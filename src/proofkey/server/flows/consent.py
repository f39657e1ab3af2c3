"""What a person allows a client (OpenID Connect Core §3.1.2.4), bound to their session and to this very request."""

from __future__ import annotations

from dataclasses import replace

from proofkey.protocol.authorize import AuthorizeRequest
from proofkey.protocol.errors import AccessDenied, Unanswerable
from proofkey.protocol.interaction import AskLogin, access_of
from proofkey.protocol.records import Client, Consent, SignedIn
from proofkey.server.engine import Engine
from proofkey.server.entropy import mint_id
from proofkey.server.flows.authorize import Answer, Show, conclude, find_signed_in, refuse
from proofkey.server.issuer import Issuer
from proofkey.server.sealed import Ticket, opens, seal_ticket

PURPOSE = "consent"


def consent_ticket(signed_in: SignedIn, request: AuthorizeRequest, issuer: Issuer, engine: Engine) -> str:
    """The hidden field that binds the decision to this session and request."""
    ticket = Ticket(PURPOSE, signed_in.session.id, request.id)
    return seal_ticket(issuer.ticket_seal, ticket, issuer.workspace.id, engine.entropy)


async def decide(
    decision: str | None,
    ticket: str | None,
    request: AuthorizeRequest,
    client: Client,
    session_hash: bytes | None,
    issuer: Issuer,
    engine: Engine,
) -> Answer | Show:
    """Carry out the person's decision; `switch` writes nothing and lets somebody else sign in for the same request.

    A decision of another session shows the page again. Raises `Unanswerable`.
    """
    signed_in = await find_signed_in(session_hash, client, issuer, engine)
    if signed_in is None or not _is_bound(ticket, signed_in, request, issuer):
        return conclude(request, client, signed_in, issuer, engine)
    if decision == "deny":
        return refuse(request.reply, AccessDenied("consent_denied", "The person did not allow this"), issuer)
    if decision == "switch":
        return Show(AskLogin(), request, client)
    if decision != "allow":
        raise Unanswerable("consent_undecided", "decision must be allow, deny or switch")
    consent = await engine.store.give_consent(_new_consent(request, signed_in, engine), engine.clock())
    return conclude(request, client, replace(signed_in, consent=consent), issuer, engine)


def _is_bound(ticket: str | None, signed_in: SignedIn, request: AuthorizeRequest, issuer: Issuer) -> bool:
    expected = Ticket(PURPOSE, signed_in.session.id, request.id)
    return opens(issuer.ticket_seal, ticket, expected, issuer.workspace.id)


def _new_consent(request: AuthorizeRequest, signed_in: SignedIn, engine: Engine) -> Consent:
    now = engine.clock()
    return Consent(
        workspace_id=signed_in.session.workspace_id,
        user_id=signed_in.user.id,
        client_id=request.client_id,
        id=mint_id(now, engine.entropy),
        resources=request.resources,
        access=access_of(request),
        claims=tuple(dict.fromkeys(request.claims.userinfo + request.claims.id_token)),
        request_id=request.id,
        given_at=now,
    )
