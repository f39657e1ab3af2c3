"""Signing out (OpenID Connect RP-Initiated Logout 1.0 §2, §3)."""

from __future__ import annotations

from proofkey.protocol.errors import InvalidRequest, Unanswerable
from proofkey.protocol.logout import KNOWN
from proofkey.protocol.parameters import MAX_QUERY, Parameters, parse
from proofkey.protocol.redirect_uri import origin_of
from proofkey.server.asgi import Request, Response
from proofkey.server.engine import Engine
from proofkey.server.flows.logout import AskSignOut, sign_out, sign_out_ticket
from proofkey.server.issuer import Issuer
from proofkey.server.pages.answer import display_name, html, posted_form, redirect, set_cookie, visitor_of
from proofkey.server.pages.render import (
    SignedOutPage,
    SignOutPage,
    StillSignedInPage,
    render_sign_out,
    render_signed_out,
    render_still_signed_in,
)


async def logout(request: Request, issuer: Issuer, engine: Engine) -> Response:
    """End the session and say so, send the person back where that is proven, or ask first.

    A cross-site POST carries no Lax cookie: it is sent to its GET form, which does.
    """
    visitor = visitor_of(request, issuer, engine)
    raw = await posted_form(request) if request.method == "POST" else request.query
    if request.method == "POST" and visitor.session is None and len(raw) <= MAX_QUERY:
        return redirect(f"{issuer.url}/oauth2/logout?{raw.decode('ascii')}")
    if request.method != "POST" and len(raw) > MAX_QUERY:
        raise Unanswerable("logout_query_too_long", f"The query must not exceed {MAX_QUERY} bytes: send it by POST")
    try:
        params = parse(raw, KNOWN)
        outcome = await sign_out(params, visitor, issuer, engine)
    except InvalidRequest as refused:
        raise Unanswerable("logout_unreadable", refused.description) from None
    workspace = issuer.workspace.name
    if isinstance(outcome, AskSignOut):
        return _ask(outcome, params, issuer, engine)
    forget = [set_cookie(issuer.session_cookie, "", issuer, max_age_for=0)] if visitor.session else []
    if outcome.return_url is not None:
        return redirect(outcome.return_url, forget)
    return html(
        render_signed_out(SignedOutPage(workspace, outcome.client.name if outcome.client else "")), headers=forget
    )


def _ask(asked: AskSignOut, params: Parameters, issuer: Issuer, engine: Engine) -> Response:
    """The question, or the calm answer to who decided to stay, for which nothing has to be proven."""
    workspace, person = issuer.workspace.name, display_name(asked.signed_in)
    if params.values.get("decision") == "stay":
        return html(render_still_signed_in(StillSignedInPage(workspace, person)))
    page = SignOutPage(
        action=f"{issuer.path}/oauth2/logout",
        ticket=sign_out_ticket(asked.signed_in, issuer, engine),
        workspace=workspace,
        person=person,
        client=asked.client.name if asked.client else "",
        asked=tuple((name, value) for name, value in params.values.items() if name not in ("ticket", "decision")),
    )
    return html(render_sign_out(page), form_action=origin_of(asked.return_url) if asked.return_url else "")
