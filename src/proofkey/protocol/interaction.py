"""What the person sees next: the one place that decides it (OpenID Connect Core §3.1.2.3, §3.1.2.4; RFC 8252 §8.6).

1. Login, consent and choice know nothing of each other; each returns here.
2. What was asked is compared with what the session and consent rows say: a request proves nothing about itself.
3. Consent is remembered only for clients whose identity is assured: those that authenticate, or receive at https.
"""

from __future__ import annotations

from typing import TypeAlias

from proofkey.protocol.authorize import AuthorizeRequest
from proofkey.protocol.errors import (
    ConsentRequired,
    LoginRequired,
    UnmetAuthentication,
)
from proofkey.protocol.record import record
from proofkey.protocol.records import AuthorizationCode, Client, Consent, Session, SignedIn
from proofkey.protocol.scope import OPENID_SCOPES

ACR_PASSWORD = "urn:proofkey:acr:password"
ACRS = (ACR_PASSWORD,)


@record(frozen=True, slots=True)
class AskLogin:
    """Nobody suitable is signed in."""


@record(frozen=True, slots=True)
class AskAccount:
    """Somebody is signed in, and the client wants the person to choose who they are here."""

    signed_in: SignedIn


@record(frozen=True, slots=True)
class AskConsent:
    """The person has not yet allowed all of this."""

    signed_in: SignedIn


@record(frozen=True, slots=True)
class Issue:
    """Nothing is left to ask: a code may be made for this person."""

    signed_in: SignedIn


NextStep: TypeAlias = AskLogin | AskAccount | AskConsent | Issue


def next_step(request: AuthorizeRequest, client: Client, signed_in: SignedIn | None, now: int) -> NextStep:
    """What must happen before *request* may be answered; with prompt=none, a refusal in place of a page."""
    silent = "none" in request.prompt
    if request.claims.acrs and not set(ACRS) & set(request.claims.acrs):
        raise UnmetAuthentication("acr_not_available", "claims demands an acr that is not available here")
    if signed_in is None or not is_fresh(request, signed_in.session, now) or not is_wanted(request, signed_in):
        if silent:
            raise LoginRequired("login_required", "prompt=none, but the person must sign in")
        return AskLogin()
    if "select_account" in request.prompt and not _is_chosen(request, signed_in.session):
        return AskAccount(signed_in)
    if not has_consent(request, client, signed_in.consent):
        if silent:
            raise ConsentRequired("consent_required", "prompt=none, but the person must consent")
        return AskConsent(signed_in)
    return Issue(signed_in)


def is_fresh(request: AuthorizeRequest, session: Session, now: int) -> bool:
    """True where the sign-in is as recent as prompt=login and max_age demand: made for this request, or young enough now."""
    if session.authenticated_at >= request.asked_at:
        return True
    if "login" in request.prompt:
        return False
    return request.max_age_for is None or now - session.authenticated_at <= request.max_age_for


def is_wanted(request: AuthorizeRequest, signed_in: SignedIn) -> bool:
    """True unless id_token_hint or the sub claim asks for somebody else: a hint selects, it never authenticates."""
    return all(wanted in (None, signed_in.user.id) for wanted in (request.hinted_subject, request.claims.subject))


def _is_chosen(request: AuthorizeRequest, session: Session) -> bool:
    return session.chosen_for == request.id or session.authenticated_at >= request.asked_at


def has_consent(request: AuthorizeRequest, client: Client, consent: Consent | None) -> bool:
    """True where the person already allowed all of this, and may be taken to allow it still."""
    may_remember = "consent" not in request.prompt and remembers_consent(request, client)
    if client.trusted and may_remember:
        return True
    if consent is None or not (may_remember or consent.request_id == request.id):
        return False
    return (
        set(access_of(request)) <= set(consent.access)
        and set(request.resources) <= set(consent.resources)
        and set(request.claims.userinfo + request.claims.id_token) <= set(consent.claims)
    )


def access_of(request: AuthorizeRequest) -> tuple[str, ...]:
    """What a consent must cover: OpenID scopes, and each API scope together with each API it is asked for."""
    return tuple(
        word
        for name in request.scope
        for word in ([name] if name in OPENID_SCOPES else [f"{name} {audience}" for audience in request.resources])
    )


def remembers_consent(request: AuthorizeRequest, client: Client) -> bool:
    """True for clients whose identity is assured, so that yesterday's yes may answer for today (RFC 8252 §8.6)."""
    redirect_uri = request.reply.address.redirect_uri
    return not client.is_public or redirect_uri.startswith("https://") or client.remember_loopback_consent


def new_code(
    request: AuthorizeRequest,
    signed_in: SignedIn,
    *,
    workspace_id: str,
    grant_id: bytes,
    expires_at: int,
    trusted: bool,
) -> AuthorizationCode:
    """The code that says what was asked and who agreed."""
    session, consent = signed_in.session, signed_in.consent
    return AuthorizationCode(
        workspace_id=workspace_id,
        id=grant_id,
        client_id=request.client_id,
        user_id=signed_in.user.id,
        user_epoch=signed_in.user.epoch,
        session_id=session.id,
        consent_id=None if trusted or consent is None else consent.id,
        redirect_uri=request.reply.address.redirect_uri,
        redirect_uri_sent=request.reply.address.was_sent,
        challenge=request.challenge,
        nonce=request.nonce,
        scope=request.scope,
        resources=request.resources,
        claims=request.claims.text,
        auth_time=session.authenticated_at,
        acr=session.acr,
        amr=session.amr,
        expires_at=expires_at,
    )
