"""What a logout token must say before sessions are ended for it (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6)."""

from __future__ import annotations

from dataclasses import dataclass

from proofkey import jose
from proofkey.client.leeway import LEEWAY_FOR
from proofkey.client.messages import Claims, ResponseRefused
from proofkey.protocol.audience import read_audiences
from proofkey.protocol.numeric_date import read_numeric_date

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYP = "logout+jwt"


class LogoutTokenRefused(ResponseRefused):
    """The logout token ends no session."""

    code = "invalid_request"


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """Who was signed out by `issued_at`: one session (*sid*), else all of *subject*. A `jti` counts once."""

    sid: str | None
    subject: str | None
    jti: str
    issued_at: int


def check_typ(token: str) -> None:
    """Where the header names a type it is that of logout tokens, or plain JWT. Raises `LogoutTokenRefused`.

    A missing one is what issuers before the final specification send; `events` still tells the kinds apart.
    """
    try:
        typ = jose.parse_jwt(token).header.typ
    except jose.TokenInvalid:
        raise LogoutTokenRefused("logout_token_malformed", "The logout token is no JWT") from None
    if typ not in {TYP, "jwt", None}:
        raise LogoutTokenRefused("logout_token_typ_differs", "typ of the logout token is another kind of token")


def check_logout_token(
    claims: Claims, *, expected_issuer: str, expected_client_id: str, now: int, leeway_for: int = LEEWAY_FOR
) -> LogoutNotice:
    """Hold the claims of a verified logout token against this client, at *now*. Raises `LogoutTokenRefused`."""
    if claims.get("iss") != expected_issuer:
        raise LogoutTokenRefused("logout_token_issuer_differs", "iss of the logout token is another issuer")
    if expected_client_id not in read_audiences(claims.get("aud")):
        raise LogoutTokenRefused("logout_token_audience_differs", "aud of the logout token is not this client")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise LogoutTokenRefused("logout_token_event_missing", "events of the logout token is not a logout")
    if "nonce" in claims:
        raise LogoutTokenRefused("logout_token_with_nonce", "nonce must not be in a logout token: it is an ID token")
    return _read_notice(claims, _check_times(claims, now, leeway_for))


def _check_times(claims: Claims, now: int, leeway_for: int) -> int:
    issued_at, expires_at = read_numeric_date(claims.get("iat")), read_numeric_date(claims.get("exp"))
    if issued_at is None or expires_at is None:
        raise LogoutTokenRefused("logout_token_times_malformed", "iat or exp of the logout token is missing")
    if now >= expires_at + leeway_for or now < issued_at - leeway_for:
        raise LogoutTokenRefused("logout_token_expired", "The logout token is not of this time: compare the clocks")
    return issued_at


def _read_notice(claims: Claims, issued_at: int) -> LogoutNotice:
    sid, subject, jti = claims.get("sid"), claims.get("sub"), claims.get("jti")
    texts = all(isinstance(text, str | None) for text in (sid, subject))
    if not texts or not (sid or subject) or not isinstance(jti, str) or not jti:
        raise LogoutTokenRefused("logout_token_about_nobody", "sid and sub, or jti, of the logout token are missing")
    return LogoutNotice(sid, subject, jti, issued_at)
