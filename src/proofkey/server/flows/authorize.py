"""An authorization request, from its parameters to an answer or a page (RFC 6749 §4.1.1).

1. Asking writes nothing: the pending request travels sealed in the page's form.
2. `proceed` is the one way on: sign-in, choice and consent each end in it.
"""

from __future__ import annotations

from dataclasses import replace

from proofkey import jose
from proofkey.protocol.authorization_response import code_fields, error_fields
from proofkey.protocol.authorize import (
    Asking,
    AuthorizeRequest,
    Reply,
    check_registered,
    find_client_id,
    find_return_address,
    parse_authorize,
    parse_reply,
)
from proofkey.protocol.errors import InvalidRequest, OAuthError, Unanswerable
from proofkey.protocol.id_token import TYP
from proofkey.protocol.interaction import AskAccount, AskConsent, AskLogin, Issue, NextStep, new_code, next_step
from proofkey.protocol.logout import read_hint
from proofkey.protocol.parameters import MAX_CODE, Parameters
from proofkey.protocol.record import record
from proofkey.protocol.records import Client, SignedIn
from proofkey.protocol.redirect_uri import find_redirect_uri
from proofkey.seal import SealBroken
from proofkey.server.engine import Engine
from proofkey.server.entropy import mint_id
from proofkey.server.issuer import Issuer
from proofkey.server.sealed import open_request, seal_code

AGAIN = "start again from the application"


@record(frozen=True, slots=True)
class Visitor:
    """The browser that asks: hashes of its cookies, and where it connects from. Tabs opened at once made several."""

    browsers: tuple[bytes, ...]
    session: bytes | None
    address: str


@record(frozen=True, slots=True)
class Answer:
    """An answer for the client. `refusal` is None for a code."""

    reply: Reply
    fields: tuple[tuple[str, str], ...]
    refusal: OAuthError | None = None


@record(frozen=True, slots=True)
class Show:
    """A page for the person, and the request it is about."""

    step: AskLogin | AskAccount | AskConsent
    request: AuthorizeRequest
    client: Client
    problem: str = ""
    username: str = ""


async def begin(params: Parameters, visitor: Visitor, browser: bytes, issuer: Issuer, engine: Engine) -> Answer | Show:
    """What follows an authorization request. Raises `Unanswerable` where there is no proven address."""
    client = check_registered(await engine.directory.find_client(issuer, find_client_id(params)))
    reply = parse_reply(params, find_return_address(params, client))
    now = engine.clock()
    hinted = _hinted_subject(params.values.get("id_token_hint"), client, issuer)
    try:
        request = parse_authorize(
            params, reply, client, issuer.workspace, Asking(mint_id(now, engine.entropy), browser, hinted, now)
        )
    except OAuthError as refusal:
        return refuse(reply, refusal, issuer)
    return await proceed(request, client, visitor.session, issuer, engine)


async def proceed(
    request: AuthorizeRequest, client: Client, session_hash: bytes | None, issuer: Issuer, engine: Engine
) -> Answer | Show:
    """Look at who is signed in now, and answer the request or say what the person sees next."""
    signed_in = await find_signed_in(session_hash, client, issuer, engine)
    return conclude(request, client, signed_in, issuer, engine)


async def find_signed_in(session_hash: bytes | None, client: Client, issuer: Issuer, engine: Engine) -> SignedIn | None:
    """Who sits at the browser with this cookie."""
    if session_hash is None:
        return None
    return await engine.store.find_signed_in(issuer.workspace.id, session_hash, client.id, engine.clock())


def conclude(
    request: AuthorizeRequest, client: Client, signed_in: SignedIn | None, issuer: Issuer, engine: Engine
) -> Answer | Show:
    """Answer the request, or say what the person sees next."""
    try:
        step: NextStep = next_step(request, client, signed_in, engine.clock())
    except OAuthError as refusal:
        return refuse(request.reply, refusal, issuer)
    if isinstance(step, Issue):
        return _issue(request, client, step.signed_in, issuer, engine)
    return Show(step, request, client)


def _issue(request: AuthorizeRequest, client: Client, signed_in: SignedIn, issuer: Issuer, engine: Engine) -> Answer:
    now = engine.clock()
    said = new_code(
        request,
        signed_in,
        workspace_id=issuer.workspace.id,
        grant_id=mint_id(now, engine.entropy),
        expires_at=now + issuer.workspace.lifetimes.code_for,
        trusted=client.trusted,
    )
    code = seal_code(issuer.code_seal, said, engine.entropy)
    if len(code) > MAX_CODE:  # it could not be redeemed
        too_long = InvalidRequest("code_too_long", "nonce, claims, scope and redirect_uri are too long together")
        return refuse(request.reply, too_long, issuer)
    return Answer(request.reply, code_fields(request.reply, code, issuer.url))


def refuse(reply: Reply, refusal: OAuthError, issuer: Issuer) -> Answer:
    """The refusal, at the proven address."""
    return Answer(reply, error_fields(reply, refusal, issuer.url), refusal)


async def resume(
    sealed: str | None, visitor: Visitor, issuer: Issuer, engine: Engine
) -> tuple[AuthorizeRequest, Client]:
    """The pending request a page's form carries, if this browser opened it and it is still fresh.

    Raises `Unanswerable`: a request of another browser must not be finished here (login handed to a victim).
    """
    if sealed is None:
        raise Unanswerable("request_missing", f"The page was sent without its sign-in: {AGAIN}")
    try:
        request = open_request(issuer.request_seal, sealed, issuer.workspace.id)
    except SealBroken:
        raise Unanswerable("request_not_ours", f"The sign-in this page belongs to is unknown: {AGAIN}") from None
    if request.browser not in visitor.browsers:
        raise Unanswerable("request_of_another_browser", f"This sign-in was begun in another browser: {AGAIN}")
    if engine.clock() >= request.asked_at + issuer.workspace.lifetimes.request_for:
        raise Unanswerable("request_expired", f"This sign-in took too long: {AGAIN}")
    client = await engine.directory.find_client(issuer, request.client_id)
    if client is None:
        raise Unanswerable("request_client_gone", "The application is no longer registered here")
    return prove_again(request, client), client


def prove_again(request: AuthorizeRequest, client: Client) -> AuthorizeRequest:
    """The request with its address proven by what is registered now: a seal says what was asked, never what was proven."""
    before = request.reply.address
    address = find_redirect_uri(
        before.redirect_uri if before.was_sent else None, client, is_openid="openid" in request.scope
    )
    return replace(request, reply=replace(request.reply, address=address))


def _hinted_subject(hint: str | None, client: Client, issuer: Issuer) -> str | None:
    """Whom this client's valid id_token_hint names. One that does not verify (its key may be long gone) names nobody."""
    if hint is None:
        return None
    try:
        claims = jose.verify_jwt(hint, issuer.verifying, expected_typ=TYP.lower())
    except jose.TokenInvalid:
        return None
    found = read_hint(claims, issuer.url)
    return found.subject if found and found.client_id == client.id else None
