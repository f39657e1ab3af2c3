"""Turning what a flow decided into what the browser gets: a redirect, a form that posts itself, or a page."""

from __future__ import annotations

import re
from typing import assert_never

import structlog

from proofkey.protocol.authorization_response import redirect_target
from proofkey.protocol.authorize import AuthorizeRequest
from proofkey.protocol.claims_request import ClaimsRequest
from proofkey.protocol.errors import Unanswerable
from proofkey.protocol.interaction import AskAccount, AskConsent, AskLogin, remembers_consent
from proofkey.protocol.records import SignedIn
from proofkey.protocol.redirect_uri import origin_of
from proofkey.server.asgi import Headers, Request, Response
from proofkey.server.cookie import hash_cookie
from proofkey.server.engine import Engine
from proofkey.server.flows.authorize import Answer, Show, Visitor
from proofkey.server.flows.consent import consent_ticket
from proofkey.server.flows.sign_in import account_ticket
from proofkey.server.issuer import Issuer
from proofkey.server.pages.render import (
    ConsentItem,
    ConsentPage,
    FormPostPage,
    LoginPage,
    page_headers,
    render_consent,
    render_form_post,
    render_login,
)
from proofkey.server.sealed import seal_request

_REDIRECT: Headers = [
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-length", b"0"),
]
_log = structlog.get_logger()
_ADDRESSABLE = re.compile(rb"[!\"$-~]*")
PERSON_WORDS = {
    "openid": "Know who you are here",
    "profile": "See your name and profile",
    "email": "See your email address",
    "address": "See your postal address",
    "phone": "See your phone number",
    "offline_access": "Keep this access while you are away, until you take it back",
}


def visitor_of(request: Request, issuer: Issuer, engine: Engine) -> Visitor:
    """The browser behind *request*, by the hashes of its cookies."""
    session = request.cookie(issuer.session_cookie)
    return Visitor(
        browsers=tuple(hash_cookie(value) for value in request.numbered_cookies(issuer.browser_cookie)),
        session=hash_cookie(session) if session else None,
        address=request.address(engine.config.trusted_proxies),
    )


async def posted_form(request: Request) -> bytes:
    """A form as it was sent, which may also stand in an address: visible ASCII without a fragment mark."""
    raw = await request.form_body()
    if not _ADDRESSABLE.fullmatch(raw):
        raise Unanswerable("form_not_encoded", "The form must be percent-encoded ASCII")
    return raw


def set_cookie(name: str, value: str, issuer: Issuer, *, max_age_for: int | None = None) -> tuple[bytes, bytes]:
    """A host-only cookie that scripts cannot read and other sites cannot send with a POST."""
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if issuer.secure:
        parts.append("Secure")
    if max_age_for is not None:
        parts.append(f"Max-Age={max_age_for // 1_000}")
    return (b"set-cookie", "; ".join(parts).encode())


def html(
    text: str, status: int = 200, *, form_action: str = "", script: bool = False, headers: Headers | None = None
) -> Response:
    """A page with the policy all pages share; *script* is for the one that posts itself."""
    raw = text.encode()
    length = (b"content-length", b"%d" % len(raw))
    return Response(status, [*page_headers(form_action=form_action, script=script), length, *(headers or ())], raw)


def redirect(target: str, headers: Headers | None = None) -> Response:
    """303: whatever was sent here is not sent on (RFC 9700 §4.12)."""
    return Response(303, [(b"location", target.encode("ascii")), *_REDIRECT, *(headers or ())])


def show(outcome: Answer | Show, issuer: Issuer, engine: Engine, headers: Headers | None = None) -> Response:
    """The response for whatever a flow decided."""
    if isinstance(outcome, Answer):
        return _answer(outcome, issuer, headers)
    text = _page(outcome, issuer, engine)
    return html(text, form_action=origin_of(outcome.request.reply.address.redirect_uri), headers=headers)


def _answer(answer: Answer, issuer: Issuer, headers: Headers | None) -> Response:
    refused = answer.refusal
    if refused is not None:
        where = {"at": "authorize", "workspace": issuer.workspace.id}
        _log.info("refused", **where, error=refused.code, reason=refused.reason, detail=refused.detail)
    address = answer.reply.address.redirect_uri
    if answer.reply.response_mode == "form_post":
        page = render_form_post(FormPostPage(address, answer.fields, issuer.workspace.name))
        return html(page, form_action=origin_of(address), script=True, headers=headers)
    return redirect(redirect_target(answer.reply, answer.fields), headers)


def _page(shown: Show, issuer: Issuer, engine: Engine) -> str:
    sealed = seal_request(issuer.request_seal, shown.request, issuer.workspace.id, engine.entropy)
    match shown.step:
        case AskLogin():
            return render_login(_login_page(shown, sealed, issuer))
        case AskAccount(signed_in):
            ticket = account_ticket(signed_in, shown.request.id, issuer, engine)
            return render_login(_login_page(shown, sealed, issuer, chosen=display_name(signed_in), ticket=ticket))
        case AskConsent(signed_in):
            ticket = consent_ticket(signed_in, shown.request, issuer, engine)
            return render_consent(_consent_page(shown, signed_in, sealed, ticket, issuer))
        case never:
            assert_never(never)


def _login_page(shown: Show, sealed: str, issuer: Issuer, *, chosen: str = "", ticket: str = "") -> LoginPage:
    return LoginPage(
        action=f"{issuer.path}/login",
        request=sealed,
        workspace=issuer.workspace.name,
        client=shown.client.name,
        client_host=_destination(shown.request),
        username=shown.username or shown.request.login_hint or "",
        problem=shown.problem,
        chosen=chosen,
        ticket=ticket,
    )


def _consent_page(shown: Show, signed_in: SignedIn, sealed: str, ticket: str, issuer: Issuer) -> ConsentPage:
    return ConsentPage(
        action=f"{issuer.path}/consent",
        request=sealed,
        ticket=ticket,
        workspace=issuer.workspace.name,
        client=shown.client.name,
        client_host=_destination(shown.request),
        person=display_name(signed_in),
        items=_items(shown.request, issuer),
        asks_every_time=not remembers_consent(shown.request, shown.client),
    )


def _items(request: AuthorizeRequest, issuer: Issuer) -> tuple[ConsentItem, ...]:
    items = [ConsentItem(name, PERSON_WORDS[name], "") for name in request.scope if name in PERSON_WORDS]
    items += [_claim_item(name) for name in _named(request.claims)]
    for api in issuer.workspace.apis:
        if api.audience in request.resources:
            items += [ConsentItem(name, api.scopes[name], api.name) for name in request.scope if name in api.scopes]
    return tuple(items)


def _named(claims: ClaimsRequest) -> tuple[str, ...]:
    return tuple(dict.fromkeys(claims.userinfo + claims.id_token))


def _claim_item(name: str) -> ConsentItem:
    return ConsentItem(name, f"See your {name.replace('_', ' ')}", "")


def _destination(request: AuthorizeRequest) -> str:
    origin = origin_of(request.reply.address.redirect_uri)
    return origin.partition("://")[2] or origin


def display_name(signed_in: SignedIn) -> str:
    """What a person calls themselves here."""
    name = signed_in.user.claims.get("name")
    return name if isinstance(name, str) and name else signed_in.user.username
