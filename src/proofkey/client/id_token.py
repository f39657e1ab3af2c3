"""What an ID token must say before a client believes who is there (OpenID Connect Core §3.1.3.7, §12.2)."""

from __future__ import annotations

from proofkey import jose
from proofkey.client.leeway import LEEWAY_FOR as LEEWAY_FOR
from proofkey.client.messages import Claims, ResponseRefused
from proofkey.protocol.audience import read_audiences
from proofkey.protocol.numeric_date import read_numeric_date
from proofkey.protocol.records import SECOND


class IdTokenRefused(ResponseRefused):
    """The ID token is not about this login.

    >>> tokens = read_tokens(200, b'{"access_token": "secret", "token_type": "Bearer"}')
    >>> issuer = Issuer(ISSUER, Registration(CLIENT_ID, REDIRECT_URI))
    >>> try:
    ...     next(issuer.read_person(tokens, scope="openid", nonce=None))
    ... except IdTokenRefused as refused:
    ...     refused.reason
    'id_token_not_given'
    """


def check_id_token(
    claims: Claims,
    *,
    expected_issuer: str,
    expected_client_id: str,
    expected_nonce: str | None,
    now: int,
    access_token: str | None = None,
    alg: str = "ES256",
    leeway_for: int = LEEWAY_FOR,
) -> str:
    """Hold the claims of a verified ID token against the login it should answer, at *now* (milliseconds); returns `sub`.

    Without *expected_nonce* none was sent (RFC 8628 has no place for it). `at_hash` is compared where it is there and
    *access_token* is given; *alg* is what the ID token is signed under. Raises `IdTokenRefused`.
    """
    subject = _check_about(claims, expected_issuer, expected_client_id)
    if expected_nonce is not None and claims.get("nonce") != expected_nonce:
        raise IdTokenRefused("id_token_nonce_differs", "nonce of the ID token is not the one of this login")
    _check_times(claims, now, leeway_for)
    _check_at_hash(claims, access_token, alg)
    return subject


def check_refreshed_id_token(
    claims: Claims,
    *,
    expected_issuer: str,
    expected_client_id: str,
    expected_subject: str,
    expected_nonce: str | None = None,
    now: int,
    access_token: str | None = None,
    alg: str = "ES256",
    leeway_for: int = LEEWAY_FOR,
) -> None:
    """An ID token that came with a refresh is about the same person (OpenID Connect Core §12.2).

    It need not hold a nonce; one that is there is *expected_nonce*, of the sign-in, where that is known.
    """
    nonce = claims.get("nonce")
    if nonce is not None and expected_nonce is not None and nonce != expected_nonce:
        raise IdTokenRefused("id_token_nonce_of_another", "nonce of the refreshed ID token is of another sign-in")
    _check_at_hash(claims, access_token, alg)
    if _check_about(claims, expected_issuer, expected_client_id) != expected_subject:
        raise IdTokenRefused("id_token_subject_differs", "sub of the refreshed ID token is another person")
    _check_times(claims, now, leeway_for)


def check_auth_time(claims: Claims, *, max_age: int, now: int, leeway_for: int = LEEWAY_FOR) -> None:
    """Where the person was to sign in within *max_age* seconds, they must have (OpenID Connect Core §3.1.3.7, 13).

    Raises `IdTokenRefused`.
    """
    signed_in_at = read_numeric_date(claims.get("auth_time"))
    if signed_in_at is None:
        raise IdTokenRefused("id_token_auth_time_missing", "max_age was asked for, but the ID token has no auth_time")
    if now > signed_in_at + max_age * SECOND + leeway_for:
        raise IdTokenRefused(
            "id_token_auth_time_too_old", "auth_time of the ID token is longer ago than max_age allows"
        )


def _check_about(claims: Claims, expected_issuer: str, expected_client_id: str) -> str:
    if claims.get("iss") != expected_issuer:
        raise IdTokenRefused("id_token_issuer_differs", "iss of the ID token is another issuer")
    audiences = read_audiences(claims.get("aud"))
    if expected_client_id not in audiences:
        raise IdTokenRefused("id_token_audience_differs", "aud of the ID token is not this client")
    alone = expected_client_id if len(audiences) == 1 else None  # of several, azp says whose sign-in it is
    if claims.get("azp", alone) != expected_client_id:
        raise IdTokenRefused("id_token_azp_differs", "azp of the ID token is not this client")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise IdTokenRefused("id_token_subject_missing", "sub of the ID token is missing")
    return subject


def _check_times(claims: Claims, now: int, leeway_for: int) -> None:
    expires_at, issued_at = read_numeric_date(claims.get("exp")), read_numeric_date(claims.get("iat"))
    if expires_at is None or issued_at is None:
        raise IdTokenRefused("id_token_times_malformed", "exp or iat of the ID token is missing or no number")
    if now >= expires_at + leeway_for:
        raise IdTokenRefused("id_token_expired", "The ID token has expired: compare the clocks")
    if now < issued_at - leeway_for:
        raise IdTokenRefused("id_token_from_the_future", "The ID token was issued in the future: compare the clocks")


def _check_at_hash(claims: Claims, access_token: str | None, alg: str) -> None:
    """OpenID Connect Core §3.1.3.8."""
    at_hash = claims.get("at_hash")
    if at_hash is not None and access_token is not None and at_hash != jose.left_half_hash(access_token, alg):
        raise IdTokenRefused("id_token_at_hash_differs", "at_hash of the ID token is of another access token")
