"""POST …/logout: sign out here, give the refresh token back, then at the issuer (OpenID Connect RP-Initiated Logout 1.0 §2).

1. The session here ends first: whatever the issuer answers, or whether it answers, nobody stays signed in. What it makes of the
   refresh token does not keep the person from its sign-out either.
2. Only this application's own pages can sign a person out: a form field or a header proves it.
3. Who comes back from the issuer is held against the `state` that was sent along.
"""

from __future__ import annotations

import asyncio
import hmac
import logging

from proofkey.client.messages import ResponseRefused, ServerRefused
from proofkey.client.protocol import logout_url
from proofkey.client.web.callback import LoginRefused
from proofkey.client.web.cookie import Cookie
from proofkey.client.web.csrf import FIELD, HEADER, CsrfRefused, check_token, is_from_elsewhere
from proofkey.client.web.message import FormRefused, Request, Response, answer_json, not_allowed, redirect
from proofkey.client.web.recognise import Recognised, recognise
from proofkey.client.web.revoke import revoke
from proofkey.client.web.site import Site
from proofkey.protocol.base64url import encode_base64url
from proofkey.protocol.errors import InvalidRequest
from proofkey.protocol.records import MINUTE

STATE_FOR = 15 * MINUTE
FOUND_WITHIN = 3.0
"""Seconds."""

_log = logging.getLogger("proofkey.client.web")


class NotPosted(InvalidRequest):
    """A link to the sign-out: 405. Anybody's page could have it followed."""


async def sign_out(site: Site, request: Request) -> Response:
    """Go to the issuer's sign-out, where it has one. A script gets `{"location": …}` to go to, a form a redirect."""
    if request.method != "POST":
        raise NotPosted(
            "logout_not_posted", "Sign out by POST, with csrf of the session endpoint in a field or a header"
        )
    if is_from_elsewhere(request, site.addresses.origin):
        raise CsrfRefused("logout_from_elsewhere", "Another origin's page sent this request")
    recognised = await recognise(site, request)
    token = request.header(HEADER)
    location, headers = site.settings.after_logout, [site.session_cookie.drop()]
    if recognised is not None:
        check_token(site, recognised, token or await _read_field(request))
        await site.store.end_session(recognised.stored.key)
        state = encode_base64url(site.entropy(32))
        headers.append(_state_cookie(site).set(state, max_age=STATE_FOR // 1_000))
        issuers, _ = await asyncio.gather(
            _find_issuers_sign_out(site, recognised, state), revoke(site, recognised.contents.refresh_token)
        )
        location = issuers or location
    response = redirect(location) if token is None else answer_json(200, {"location": location})
    return response.adding(*headers)


async def _read_field(request: Request) -> str | None:
    try:
        return (await request.form()).get(FIELD)
    except FormRefused:
        return None


async def _find_issuers_sign_out(site: Site, recognised: Recognised, state: str) -> str | None:
    """Where the person signs out at the issuer; None where it has no such place, or does not say so in time."""
    try:
        async with asyncio.timeout(FOUND_WITHIN):
            metadata = await site.network.run(site.issuer.discover())
    except (ResponseRefused, ServerRefused, TimeoutError) as failure:
        _log.warning("sign-out did not reach the issuer: %s", getattr(failure, "reason", "timeout"))
        return None
    hint = recognised.contents.id_token
    if metadata.end_session_endpoint is None or hint is None:
        return None
    return logout_url(
        metadata.end_session_endpoint,
        id_token_hint=hint,
        post_logout_redirect_uri=site.post_logout_redirect_uri,
        state=state,
    )


async def come_back(site: Site, request: Request) -> Response:
    """GET …/logged-out: on to the application, once `state` is what this browser was sent away with."""
    if request.method != "GET":
        return not_allowed("GET")
    cookie = _state_cookie(site)
    sent, kept = request.parameters.get("state", ""), request.cookies.get(cookie.name, "")
    if not kept or not hmac.compare_digest(sent.encode(), kept.encode()):
        raise LoginRefused("logout_state_differs", "This is not the answer to a sign-out of this browser")
    return redirect(site.settings.after_logout).adding(cookie.drop())


def _state_cookie(site: Site) -> Cookie:
    return Cookie.named(f"proofkey_logout_{site.addresses.mark}", secure=site.addresses.is_secure)
