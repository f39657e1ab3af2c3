"""What an access token must say before an API lets it in (RFC 9068 §4, RFC 6750 §3.1).

1. The signature and the `typ` were verified before; here the claims are held against what this API expects.
2. Whoever holds an `Access` has passed; only `check_access_token` makes one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from proofkey.guard.requirement import Requirement
from proofkey.protocol.audience import read_audiences
from proofkey.protocol.errors import InsufficientScope, InvalidToken
from proofkey.protocol.numeric_date import read_numeric_date
from proofkey.protocol.records import SECOND

Claims: TypeAlias = Mapping[str, Any]
Headers: TypeAlias = tuple[tuple[str, str], ...]
LEEWAY_FOR = 30 * SECOND
"""How far clocks may differ. A token opens for its own lifetime plus this: 5 min 30 s by default, revoked or not."""
_ACCESS_TYPES = ("Bearer", "DPoP")
_ACCESS_USES = ("access", "access_token")


class TokenRejected(InvalidToken):
    """The token opens nothing here: 401 with `error="invalid_token"`.

    >>> check_access_token({"iss": ISSUER}, expected_issuer="https://login.example", expected_audience=AUDIENCE, now=NOW)
    Traceback (most recent call last):
    proofkey.guard.access.TokenRejected: access_token_issuer_differs
    """

    public = None  # type: ignore[assignment]  # whoever holds a token may know why it fails
    headers: Headers = ()
    """What the answer has beside the challenge."""


class TokenUnfitting(TokenRejected):
    """A `TokenRejected` that may be a good token, for another setting of this API: the fault may be on either side."""


class ScopeMissing(InsufficientScope):
    """A good token that does not reach this far: 403 with the scopes it would take.

    >>> server = ResourceServer(ISSUER, audience=AUDIENCE)
    >>> request = ApiRequest("DELETE", f"{API_URL}/1", [(b"authorization", f"Bearer {ACCESS_TOKEN}".encode())])
    >>> try:
    ...     server.admit_blocking(request, require("notes:delete"))
    ... except ScopeMissing as refusal:
    ...     refusal.required_scopes
    ('notes:delete',)
    """

    def __init__(
        self, reason: str, description: str, *, required_scopes: Collection[str], missing: Collection[str]
    ) -> None:
        super().__init__(reason, description, parameters=missing)
        self.required_scopes = tuple(required_scopes)


class AuthenticationInsufficient(TokenRejected):
    """A good token of a person who should sign in again, or otherwise: 401 that says how (RFC 9470 §3).

    >>> server = ResourceServer(ISSUER, audience=AUDIENCE)
    >>> request = ApiRequest("POST", API_URL, [(b"authorization", f"Bearer {ACCESS_TOKEN}".encode())])
    >>> try:
    ...     server.admit_blocking(request, require(max_age=300))
    ... except AuthenticationInsufficient as refusal:
    ...     refusal.error_description
    'A more recent sign-in is required: see max_age [authentication_too_old]'
    """

    code = "insufficient_user_authentication"


@dataclass(frozen=True, slots=True)
class Access:
    """Who calls, through which client, and what for. A person is *issuer* and *subject* together.

    `expires_at` is in milliseconds.

    >>> claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "scope": "notes:read", "exp": NOW // 1000 + 300}
    >>> access = check_access_token(claims, expected_issuer=ISSUER, expected_audience=AUDIENCE, now=NOW)
    >>> access.subject, sorted(access.scope)
    ('alice', ['notes:read'])
    """

    issuer: str
    subject: str
    client_id: str | None
    scope: frozenset[str]
    expires_at: int
    claims: Claims
    answer_headers: Headers = field(default=(), repr=False)
    """What the answer to this request is to bring beside: a fresh nonce (RFC 9449 §8.2)."""


def check_access_token(
    claims: Claims,
    *,
    expected_issuer: str,
    expected_audience: str,
    required_scopes: Collection[str] = (),
    now: int,
    leeway_for: int = LEEWAY_FOR,
) -> Access:
    """Hold the claims of a verified access token against this API's expectations, at *now* (milliseconds).

    *leeway_for* (milliseconds) widens `exp`, `nbf` and `iat` alike, for clocks that differ.
    Raises `TokenRejected` for a token that is not for here and now, `ScopeMissing` for one that reaches less far.

    >>> claims = {"iss": ISSUER, "aud": "https://other.example", "sub": "alice", "exp": NOW // 1000 + 300}
    >>> check_access_token(claims, expected_issuer=ISSUER, expected_audience=AUDIENCE, now=NOW)
    Traceback (most recent call last):
    proofkey.guard.access.TokenUnfitting: access_token_audience_differs
    """
    if claims.get("iss") != expected_issuer:
        raise TokenRejected(
            "access_token_issuer_differs",
            "The access token is of another issuer",
            detail=differing("iss", claims.get("iss"), expected_issuer),
        )
    if expected_audience not in read_audiences(claims.get("aud")):
        raise TokenUnfitting(
            "access_token_audience_differs",
            "The access token is for another audience",
            detail=differing("aud", claims.get("aud"), expected_audience),
        )
    expires_at = _check_times(claims, now, leeway_for)
    access = _read_access(claims, expires_at)
    check_scopes(access, required_scopes)
    return access


def check_scopes(access: Access, required_scopes: Collection[str]) -> None:
    """Refuse unless every scope is there. Raises `ScopeMissing`."""
    if not access.scope.issuperset(required_scopes):
        raise ScopeMissing(
            "scope_missing",
            "The access token lacks a scope",
            required_scopes=required_scopes,
            missing=[scope for scope in required_scopes if scope not in access.scope],
        )


def check_authentication(access: Access, required: Requirement, *, now: int, leeway_for: int = LEEWAY_FOR) -> None:
    """Refuse unless the person signed in as *required* says, and lately enough (RFC 9470 §5).

    A token that does not say how or when (`acr`, `auth_time`) does not meet a requirement on it.
    """
    if required.acr_values and access.claims.get("acr") not in required.acr_values:
        raise AuthenticationInsufficient(
            "authentication_class_insufficient", "Another way to sign in is required: see acr_values"
        )
    if required.max_age_for is None:
        return
    signed_in_at = read_numeric_date(access.claims.get("auth_time"))
    if signed_in_at is None or now - signed_in_at > required.max_age_for + leeway_for:
        raise AuthenticationInsufficient("authentication_too_old", "A more recent sign-in is required: see max_age")


def check_token_use(claims: Claims) -> None:
    """Refuse what the issuer itself calls something else: Keycloak by a claim `typ`, Cognito and Hydra by `token_use`."""
    kind, use = claims.get("typ", "Bearer"), claims.get("token_use", "access")
    if kind not in _ACCESS_TYPES or use not in _ACCESS_USES:
        raise TokenRejected("access_token_has_another_use", "The issuer says that this is no access token")


def differing(name: str, came: Any, expected: object) -> str:
    """Both sides, for the log: whoever mistyped an address has to see which one. Of what came, texts alone."""
    told = f"[{', '.join(map(_told, came))}]" if isinstance(came, list) else _told(came)
    return f"{name}={told[:300]} expected={expected!a}"


def _told(came: Any) -> str:
    return ascii(came) if isinstance(came, str) else type(came).__name__


def _check_times(claims: Claims, now: int, leeway_for: int) -> int:
    expires_at = read_numeric_date(claims.get("exp"))
    not_before = read_numeric_date(claims.get("nbf", 0))
    issued_at = read_numeric_date(claims.get("iat", 0))
    if expires_at is None or not_before is None or issued_at is None:
        raise TokenRejected(
            "access_token_times_malformed", "exp, nbf or iat of the access token is missing or malformed"
        )
    if now >= expires_at + leeway_for:
        raise TokenRejected("access_token_expired", "The access token has expired: refresh it")
    if now < not_before - leeway_for:
        raise TokenUnfitting(
            "access_token_not_yet_valid", "The access token is not valid yet", detail=_ahead("nbf", not_before, now)
        )
    if now < issued_at - leeway_for:
        raise TokenUnfitting(
            "access_token_from_the_future",
            "The access token was issued in the future: compare the clocks",
            detail=_ahead("iat", issued_at, now),
        )
    return expires_at


def _ahead(name: str, moment: int, now: int) -> str:
    """Both clocks, in the token's seconds, for the log: it may be this one that is slow."""
    return f"{name}={moment // SECOND} now={now // SECOND}"


def _read_access(claims: Claims, expires_at: int) -> Access:
    subject, client_id, scope = claims.get("sub"), claims.get("client_id", claims.get("azp")), _read_scope(claims)
    if not isinstance(subject, str) or not subject or scope is None:
        raise TokenRejected("access_token_claims_malformed", "The access token's sub or scope is missing or malformed")
    return Access(
        issuer=claims["iss"],
        subject=subject,
        client_id=client_id if isinstance(client_id, str) else None,
        scope=scope,
        expires_at=expires_at,
        claims=claims,
    )


def _read_scope(claims: Claims) -> frozenset[str] | None:
    """Words in one string (RFC 9068 §2.2.3); elsewhere also in a list, or under `scp`. None for anything else."""
    scope = claims.get("scope", claims.get("scp", ""))
    if isinstance(scope, str):
        return frozenset(filter(None, scope.split(" ")))
    return frozenset(scope) if isinstance(scope, list) and all(isinstance(word, str) for word in scope) else None
