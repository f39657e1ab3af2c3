"""Redeeming an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9700 §4.5).

1. Every fact is checked before anything is written, so a thief without the verifier cannot burn a code.
2. Expiry is judged last: what fails by expiry alone was otherwise a proven presentation, and may reveal a replay.
3. Only `check_redemption` makes a `ProvenCode`; only the store spends one.
"""

from __future__ import annotations

from collections.abc import Mapping

from proofkey.protocol import pkce
from proofkey.protocol.errors import CodeRefused, InvalidGrant, InvalidRequest
from proofkey.protocol.record import record
from proofkey.protocol.records import AuthorizationCode, Client


@record(frozen=True, slots=True)
class Redemption:
    """A token request with grant_type=authorization_code, as it was sent."""

    code: str
    redirect_uri: str | None
    code_verifier: str | None
    resource: str | None


@record(frozen=True, slots=True)
class ProvenCode:
    """A code that its own client presented with its own verifier, redirect_uri and in time."""

    code: AuthorizationCode


class CodeExpired(CodeRefused):
    """Everything held but time. The grant of that code, if there is one, was replayed and must end."""


def parse_redemption(params: Mapping[str, str], resource: str | None) -> Redemption:
    """Read the parameters of RFC 6749 §4.1.3; whether redirect_uri is needed, only the code can tell."""
    code = params.get("code")
    if code is None:
        raise InvalidRequest("code_missing", "code is required")
    return Redemption(code, params.get("redirect_uri"), params.get("code_verifier"), resource)


def check_redemption(sent: Redemption, client: Client, code: AuthorizationCode, now: int) -> ProvenCode:
    """Everything that must hold before the code may be spent, in the order a thief learns least from."""
    if code.client_id != client.id:
        raise CodeRefused("code_of_another_client")
    if sent.redirect_uri is None and code.redirect_uri_sent:
        raise InvalidRequest(
            "redirect_uri_missing", "redirect_uri is required: repeat it as in the authorization request"
        )
    if sent.redirect_uri is not None and sent.redirect_uri != code.redirect_uri:
        raise InvalidGrant("redirect_uri_differs", "redirect_uri differs from the one in the authorization request")
    pkce.check_verifier(sent.code_verifier, code.challenge)
    if now >= code.expires_at:
        raise CodeExpired("code_expired")
    return ProvenCode(code)
