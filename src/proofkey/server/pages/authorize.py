"""The authorization endpoint, and the forms of the pages it shows (RFC 6749 §3.1, OpenID Connect Core §3.1.2).

1. /authorize answers with the page itself; the pending request travels in the form, never in an address.
2. One browser cookie binds all pending requests of a browser; another browser cannot finish them.
3. A cross-site POST carries no Lax cookie; it is sent to its GET form, which does.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from proofkey.protocol.authorize import KNOWN
from proofkey.protocol.errors import InvalidRequest, Unanswerable
from proofkey.protocol.interaction import AskLogin
from proofkey.protocol.parameters import MAX_QUERY, Parameters, parse
from proofkey.server.asgi import Headers, Request, Response
from proofkey.server.cookie import hash_cookie, numbered
from proofkey.server.engine import Engine
from proofkey.server.entropy import mint_secret
from proofkey.server.flows.authorize import AGAIN, Show, Visitor, begin, find_signed_in, proceed, resume
from proofkey.server.flows.consent import decide
from proofkey.server.flows.sign_in import SignInRefused, choose_account, sign_in
from proofkey.server.issuer import Issuer
from proofkey.server.pages.answer import posted_form, redirect, set_cookie, show, visitor_of

FORM = frozenset("request username password account ticket decision".split())
OTHER_ACCOUNT = "The application asks for another account. Please sign in with that one."
_log = structlog.get_logger()


async def authorize(request: Request, issuer: Issuer, engine: Engine) -> Response:
    """Answer the client, or show the person the next page."""
    visitor = visitor_of(request, issuer, engine)
    if request.method == "POST":
        raw = await posted_form(request)
        if not visitor.browsers and len(raw) <= MAX_QUERY:
            return redirect(f"{issuer.url}/oauth2/authorize?{raw.decode('ascii')}")
    else:
        raw = request.query
        if len(raw) > MAX_QUERY:
            raise Unanswerable("query_too_long", f"The query must not exceed {MAX_QUERY} bytes: send it by POST")
    browser, headers = _browser(visitor, issuer, engine)
    outcome = await begin(_parse(raw), visitor, browser, issuer, engine)
    return show(outcome, issuer, engine, headers)


def _parse(raw: bytes) -> Parameters:
    try:
        return parse(raw, KNOWN)
    except InvalidRequest as refused:
        raise Unanswerable("authorize_unreadable", refused.description) from None


def _browser(visitor: Visitor, issuer: Issuer, engine: Engine) -> tuple[bytes, Headers]:
    if visitor.browsers:
        return visitor.browsers[0], []
    value = mint_secret(engine.entropy)
    return hash_cookie(value), [set_cookie(numbered(issuer.browser_cookie, value), value, issuer)]


async def _form(request: Request) -> Parameters:
    """The form of one of our pages. Over plain http another port's page could set our cookies and post its own request."""
    if request.headers.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none"):
        raise Unanswerable("form_from_elsewhere", f"This form was sent by a page that is not ours: {AGAIN}")
    params = await request.form(FORM)
    if params.faults:
        raise Unanswerable("page_form_malformed", "The form was not sent as this page makes it: start again")
    return params


async def login(request: Request, issuer: Issuer, engine: Engine) -> Response:
    """The sign-in form, and the choice to go on with the account that is signed in."""
    params = await _form(request)
    visitor = visitor_of(request, issuer, engine)
    pending, client = await resume(params.values.get("request"), visitor, issuer, engine)
    if params.values.get("account") == "continue":
        signed_in = await find_signed_in(visitor.session, client, issuer, engine)
        await choose_account(params.values.get("ticket"), signed_in, pending.id, issuer, engine)
        return show(await proceed(pending, client, visitor.session, issuer, engine), issuer, engine)
    username = params.values.get("username", "")
    done = await sign_in(username, params.values.get("password", ""), client, visitor, issuer, engine)
    if isinstance(done, SignInRefused):
        _log.info("refused", at="login", workspace=issuer.workspace.id, reason=done.reason)
        again = Show(AskLogin(), pending, client, problem=done.problem, username=username)
        status, wait = (429, _wait(done.until, engine)) if done.until is not None else (200, [])
        return replace(show(again, issuer, engine, wait), status=status)
    maximum = issuer.workspace.lifetimes.session_absolute_for
    cookie = set_cookie(issuer.session_cookie, done.cookie, issuer, max_age_for=maximum)
    outcome = await proceed(pending, client, hash_cookie(done.cookie), issuer, engine)
    if isinstance(outcome, Show) and isinstance(outcome.step, AskLogin):
        outcome = replace(outcome, problem=OTHER_ACCOUNT)
    return show(outcome, issuer, engine, [cookie])


def _wait(until: int, engine: Engine) -> Headers:
    return [(b"retry-after", b"%d" % max(1, -(-(until - engine.clock()) // 1_000)))]


async def consent(request: Request, issuer: Issuer, engine: Engine) -> Response:
    """The person's decision."""
    params = await _form(request)
    visitor = visitor_of(request, issuer, engine)
    pending, client = await resume(params.values.get("request"), visitor, issuer, engine)
    values = params.values
    outcome = await decide(
        values.get("decision"), values.get("ticket"), pending, client, visitor.session, issuer, engine
    )
    return show(outcome, issuer, engine)


async def page_without_request(_request: Request, _issuer: Issuer, _engine: Engine) -> Response:
    """A form's address opened by hand, or reloaded: there is nothing to show without a pending request."""
    raise Unanswerable("page_opened_directly", "This page belongs to a sign-in: start again from the application")
