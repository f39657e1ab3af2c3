"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).

1. A hint selects, it never authenticates: our signature, issuer and audience must hold; its expiry is ignored.
2. Without asking, only the session the hint names is ended.
3. Only with a valid hint and a registered address is anything redirected.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from proofkey.protocol.errors import Unanswerable
from proofkey.protocol.record import record
from proofkey.protocol.records import Client, Json
from proofkey.protocol.redirect_uri import matches

KNOWN = frozenset(
    "id_token_hint logout_hint client_id post_logout_redirect_uri state ui_locales ticket decision".split()
)


@record(frozen=True, slots=True)
class LogoutHint:
    """What a verified id_token_hint says: for which client, and which session."""

    client_id: str
    subject: str
    sid: str | None


@record(frozen=True, slots=True)
class LogoutRequest:
    """A request to sign out; `return_url` is None where nothing may be redirected."""

    hint: LogoutHint | None
    return_url: str | None

    def names_session(self, sid: str) -> bool:
        """True where the hint is for this very session, so that nobody needs to be asked."""
        return self.hint is not None and self.hint.sid == sid


def read_hint(claims: Mapping[str, Json], expected_issuer: str) -> LogoutHint | None:
    """The hint in the claims of an ID token whose signature verified; None where it is not for here."""
    if claims.get("iss") != expected_issuer or not isinstance(claims.get("aud"), str):
        return None
    return LogoutHint(claims["aud"], str(claims.get("sub")), claims.get("sid"))


def parse_logout(params: Mapping[str, str], hint: LogoutHint | None, client: Client | None) -> LogoutRequest:
    """Read the request. *client* is the one the hint names."""
    named = params.get("client_id")
    if hint is not None and named is not None and named != hint.client_id:
        raise Unanswerable("logout_client_differs", "client_id differs from the one in id_token_hint")
    target = params.get("post_logout_redirect_uri")
    if target is None or hint is None:
        return LogoutRequest(hint, None)
    if client is None or not any(matches(target, uri, client.kind) for uri in client.post_logout_redirect_uris):
        raise Unanswerable(
            "post_logout_redirect_uri_mismatch", "post_logout_redirect_uri is not registered for this client"
        )
    state = params.get("state")
    if state is None:
        return LogoutRequest(hint, target)
    return LogoutRequest(hint, f"{target}{'&' if '?' in target else '?'}state={quote(state, safe='')}")
