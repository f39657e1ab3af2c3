"""The frozen facts that rules are asked about.

Moments (`…_at`, `…_until`) are integer milliseconds since 1970-01-01 UTC, durations (`…_for`) integer milliseconds;
only `seconds()` converts, where a number goes onto the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, TypeAlias

from proofkey.protocol.base64url import encode_base64url
from proofkey.protocol.record import record

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

ApplicationKind: TypeAlias = Literal["spa", "native", "web", "service"]
PkceMode: TypeAlias = Literal["required", "or_nonce", "certification"]
Json: TypeAlias = Any
"""A value as JSON can say it."""


def seconds(milliseconds: int) -> int:
    """The whole seconds that JWTs and `expires_in` count in (RFC 7519 §2, NumericDate)."""
    return milliseconds // SECOND


def wire_id(row_id: bytes) -> str:
    """A row's id as it may stand in a token: base64url without padding."""
    return encode_base64url(row_id)


@record(frozen=True, slots=True)
class Lifetimes:
    """How long things live, in milliseconds. The defaults are DESIGN's."""

    request_for: int = 30 * MINUTE
    code_for: int = 60 * SECOND
    access_token_for: int = 5 * MINUTE
    id_token_for: int = 5 * MINUTE
    refresh_idle_for: int = 30 * DAY
    refresh_absolute_for: int = 180 * DAY
    refresh_absolute_for_spa: int = 90 * DAY
    refresh_leeway_for: int = 10 * SECOND
    session_idle_for: int = 12 * HOUR
    session_absolute_for: int = 30 * DAY


@record(frozen=True, slots=True)
class Api:
    """A protected resource of a workspace: an audience and its scopes, each in words a person understands."""

    audience: str
    name: str
    scopes: Mapping[str, str]


@record(frozen=True, slots=True)
class Client:
    """An application, as registered (RFC 7591 §2 names the members)."""

    id: str
    name: str
    kind: ApplicationKind
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ("authorization_code",)
    scopes: tuple[str, ...] = ()
    default_scope: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()  # audiences its tokens may have; none: only the issuer
    introspects: tuple[str, ...] = ()
    secret_hash: bytes | None = None
    pkce: PkceMode = "required"
    trusted: bool = False
    rotate_refresh_tokens: bool = False
    remember_loopback_consent: bool = False
    id_token_signed_response_alg: Literal["ES256", "RS256"] = "ES256"

    @property
    def is_public(self) -> bool:
        """True where the client has no secret to prove itself with (RFC 6749 §2.1)."""
        return self.secret_hash is None

    @property
    def rotates(self) -> bool:
        """Bearer refresh tokens of public clients rotate (law 5); others only where set."""
        return self.is_public or self.rotate_refresh_tokens


@record(frozen=True, slots=True)
class Workspace:
    """One authorization server: an issuer with its own applications, scopes, people and look."""

    id: str
    tenant: str
    slug: str
    name: str
    apis: tuple[Api, ...] = ()
    lifetimes: Lifetimes = field(default_factory=Lifetimes)

    @property
    def default_api(self) -> Api | None:
        """The API an access token is for when nobody says otherwise."""
        return self.apis[0] if self.apis else None


@record(frozen=True, slots=True)
class User:
    """A person. `epoch` grows when everything given before must end (password changed, recovered)."""

    workspace_id: str
    id: str
    username: str
    claims: Mapping[str, Json]
    epoch: int = 0
    password_hash: str | None = None
    disabled_at: int | None = None


@record(frozen=True, slots=True)
class Session:
    """One browser's sign-in. `id` names the row and may stand in tokens; the cookie's value is only kept hashed."""

    workspace_id: str
    id: bytes
    cookie_hash: bytes
    user_id: str
    user_epoch: int
    authenticated_at: int
    acr: str
    amr: tuple[str, ...]
    idle_until: int
    expires_at: int
    chosen_for: bytes | None = None

    @property
    def sid(self) -> str:
        """The public session id of ID tokens (OpenID Connect Front-Channel Logout §3)."""
        return wire_id(self.id)


@record(frozen=True, slots=True)
class Consent:
    """What a person allowed a client. Withdrawing removes the row; giving again makes a new `id`.

    `access` holds OpenID scopes as they are and API scopes with their API (`notes:read https://api.example`).
    """

    workspace_id: str
    user_id: str
    client_id: str
    id: bytes
    resources: tuple[str, ...]
    access: tuple[str, ...]
    claims: tuple[str, ...]
    request_id: bytes
    given_at: int


@record(frozen=True, slots=True)
class CodeChallenge:
    """A PKCE challenge, always S256: the 32 raw bytes of the digest (RFC 7636 §4.2)."""

    digest: bytes


@record(frozen=True, slots=True)
class AuthorizationCode:
    """What a code says once opened. Its `id` becomes the grant's primary key: that is the single use."""

    workspace_id: str
    id: bytes
    client_id: str
    user_id: str
    user_epoch: int
    session_id: bytes
    consent_id: bytes | None
    redirect_uri: str
    redirect_uri_sent: bool
    challenge: CodeChallenge | None
    nonce: str | None
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    claims: str
    auth_time: int
    acr: str
    amr: tuple[str, ...]
    expires_at: int


@record(frozen=True, slots=True)
class Grant:
    """One authorization: the unit of revocation, and the one row a sign-in leaves behind.

    `user_id`, `session_id` and `consent_id` are None where no person, session or consent stands behind it.
    `refresh_hash` is the SHA-256 of the secret every refresh token of the grant repeats; None: no refresh token.
    `expires_at` is the absolute end; `idle_until` moves at each refresh. `revoked_at` is a tombstone.
    """

    workspace_id: str
    id: bytes
    attempt: bytes
    client_id: str
    user_id: str | None
    user_epoch: int
    session_id: bytes | None
    consent_id: bytes | None
    offline: bool
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    claims: str
    auth_time: int
    acr: str
    amr: tuple[str, ...]
    created_at: int
    idle_until: int
    expires_at: int
    refresh_hash: bytes | None = None
    refresh_key: int = 0
    counter: int = 0
    rotated_at: int = 0
    access_valid_after: int = 0
    revoked_at: int | None = None
    revoked_for: str | None = None


@record(frozen=True, slots=True)
class LiveGrant:
    """A grant found alive: not revoked, and its client, person, session and consent stand as they are now (law 10)."""

    grant: Grant
    user: User | None


@record(frozen=True, slots=True)
class SignedIn:
    """Who sits at a browser: a live session, its person, and the consent they gave the client in question."""

    session: Session
    user: User
    consent: Consent | None
