"""Every way to say no: one class per OAuth error code (RFC 6749 §4.1.2.1, §5.2; OpenID Connect Core §3.1.2.6).

1. A refusal carries a `reason`: a slug of ours, literal at its one raise site, logged, counted and documented.
2. Its `description` is public, constant, and says which parameter to mend and how.
3. `public` replaces the reason towards the caller where the exact reason would help only an attacker.
4. `detail` is for the log and for `proofkey dev` alone; it never holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class Refusal(Exception):
    """A request was understood and is refused. `str()` is safe to log."""

    public: str | None = None
    description: str = "The request was refused"

    def __init__(
        self,
        reason: str,
        description: str | None = None,
        *,
        parameters: Iterable[str] = (),
        detail: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        named = ", ".join(parameters)
        text = description or self.description
        self.description = f"{text}: {named}" if named else text

    @property
    def error_description(self) -> str:
        """What the caller reads: the constant text, ending with the slug in brackets."""
        return f"{self.description} [{self.public or self.reason}]"


class Unanswerable(Refusal):
    """An authorization request that has no proven return address: shown to the person, never redirected."""


class OAuthError(Refusal):
    """A refusal that the client reads, as JSON or in a redirect."""

    code: ClassVar[str]


class InvalidRequest(OAuthError):
    """A parameter is missing, malformed, repeated or contradictory."""

    code = "invalid_request"


class InvalidBearer(InvalidRequest):
    """An access token was sent in a way that RFC 6750 §2 does not know."""


class InvalidClient(OAuthError):
    """The client is unknown or did not authenticate. The caller never learns which (RFC 6749 §5.2)."""

    code = "invalid_client"
    public = "client_authentication_failed"
    description = "Client authentication failed"


class InvalidGrant(OAuthError):
    """What was presented does not stand for an authorization, or not for this client's."""

    code = "invalid_grant"


class CodeRefused(InvalidGrant):
    """Something is wrong with the code itself; all its reasons look alike to the caller."""

    public = "code_invalid"
    description = "code is unknown, expired, already used or another client's: start a new authorization request"


class RefreshRefused(InvalidGrant):
    """Something is wrong with the refresh token itself; all its reasons look alike to the caller."""

    public = "refresh_invalid"
    description = "refresh_token is unknown, expired, revoked or another client's: start a new authorization request"


class UnauthorizedClient(OAuthError):
    """The client is not registered for this grant or response type."""

    code = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """No such grant_type here."""

    code = "unsupported_grant_type"


class UnsupportedResponseType(OAuthError):
    """Only response_type=code exists here (OAuth 2.1)."""

    code = "unsupported_response_type"


class InvalidScope(OAuthError):
    """A scope is malformed, unknown, or more than the client may have."""

    code = "invalid_scope"


class InvalidTarget(OAuthError):
    """The resource is unknown or not the client's (RFC 8707 §2)."""

    code = "invalid_target"


class AccessDenied(OAuthError):
    """The person said no."""

    code = "access_denied"


class LoginRequired(OAuthError):
    """prompt=none, and the person would have to sign in."""

    code = "login_required"


class ConsentRequired(OAuthError):
    """prompt=none, and the person would have to consent."""

    code = "consent_required"


class UnmetAuthentication(OAuthError):
    """The authentication asked for as essential cannot be had here."""

    code = "unmet_authentication_requirements"


class RequestNotSupported(OAuthError):
    """The request parameter (RFC 9101) is not supported."""

    code = "request_not_supported"


class RequestUriNotSupported(OAuthError):
    """The request_uri parameter is not supported."""

    code = "request_uri_not_supported"


class RegistrationNotSupported(OAuthError):
    """The registration parameter is not supported."""

    code = "registration_not_supported"


class InvalidToken(OAuthError):
    """A bearer token that is malformed, expired, revoked or not for here (RFC 6750 §3.1)."""

    code = "invalid_token"
    public = "access_token_invalid"
    description = "The access token is missing, malformed, expired, revoked or for another audience"


class InsufficientScope(OAuthError):
    """A good token that does not reach this far (RFC 6750 §3.1)."""

    code = "insufficient_scope"


class InvalidDpopProof(OAuthError):
    """A DPoP proof that proves nothing, or not this request's (RFC 9449 §5, §7.1)."""

    code = "invalid_dpop_proof"


class DpopUrlDiffers(InvalidDpopProof):
    """A DPoP proof for another address: a thief's, or the server does not know how clients write its own."""


class ServerError(OAuthError):
    """A bug of ours; the traceback is in our log."""

    code = "server_error"


class TemporarilyUnavailable(OAuthError):
    """Try again later."""

    code = "temporarily_unavailable"
