"""POST …/backchannel-logout: the issuer ends sessions here (OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8).

1. A logout token is believed for its signature, issuer, audience, event and times; where it comes from says nothing.
2. A `sid` ends that session, and those of the token's `sub` whose ID token named no `sid`, for it may be theirs (§2.7).
   Without a `sid` every session of `sub` ends. A sign-in that is under way ends with them.
3. What was signed in after the token was received, or a leeway after it was issued, stays: a token that comes late or again
   ends nothing new. One that comes again is refused (§2.6), after what it ended was made sure of.
"""

from __future__ import annotations

from proofkey.client.logout_token import LogoutNotice, LogoutTokenRefused, check_logout_token, check_typ
from proofkey.client.web.message import FormRefused, Request, Response, not_allowed
from proofkey.client.web.session import session_key_of, without_sid
from proofkey.client.web.site import Site
from proofkey.protocol.records import MINUTE, SECOND

REMEMBERED_FOR = 5 * MINUTE
"""Longer than any sign-in takes whose code was sent to the issuer, and than most logout tokens live (§4)."""


async def receive_logout(site: Site, request: Request) -> Response:
    """200 once the sessions are ended, whether or not there were any. Raises `ResponseRefused`, `StoreUnavailable`."""
    if request.method != "POST":
        return not_allowed("POST")
    notice = await _read_notice(site, request)
    issuer, now = site.issuer.issuer, site.clock()
    ended = [
        await site.store.end_sessions(
            about,
            notice=session_key_of(issuer, kind, notice.jti),
            signed_in_by=min(now, notice.issued_at + SECOND + site.settings.leeway_for),
            until=now + REMEMBERED_FOR,
            now=now,
        )
        for kind, about in _about(issuer, notice).items()
    ]
    if not any(ended):
        raise LogoutTokenRefused("logout_token_replayed", "This logout token was received before")
    return Response(200, ((b"cache-control", b"no-store"),))


def _about(issuer: str, notice: LogoutNotice) -> dict[str, bytes]:
    """Whom the token is about, by the name under which its `jti` is remembered."""
    subject = notice.subject
    if not notice.sid:
        return {"jti": session_key_of(issuer, "sub", subject or "")}
    unnamed = {} if subject is None else {"jti without sid": without_sid(issuer, subject)}
    return {"jti": session_key_of(issuer, "sid", notice.sid), **unnamed}


async def _read_notice(site: Site, request: Request) -> LogoutNotice:
    try:
        token = (await request.form()).get("logout_token")
    except FormRefused:
        token = None
    if not token:
        raise LogoutTokenRefused("logout_token_missing", "logout_token must be sent once, in a form")
    check_typ(token)
    claims = await site.network.run(site.issuer.verify(token))
    return check_logout_token(
        claims,
        expected_issuer=site.issuer.issuer,
        expected_client_id=site.issuer.registration.client_id,
        now=site.clock(),
        leeway_for=site.settings.leeway_for,
    )
