"""The shape of proofkey.yaml: every key, its type and its default, as strict structures.

What a single value may be is said here; what values may stand together is said in `declaration.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct, field

from proofkey.protocol.records import DAY, HOUR, MINUTE, SECOND, ApplicationKind, PkceMode

_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}

Duration: TypeAlias = Annotated[str, Meta(pattern=r"\A(?:0|[1-9][0-9]{0,8})(?:ms|s|m|h|d)\Z")]
"""A length of time as text: a whole number and one of ms, s, m, h, d."""
GrantType: TypeAlias = Literal["authorization_code", "refresh_token", "client_credentials"]


def milliseconds(duration: str) -> int:
    """How long a `Duration` is."""
    number = duration.rstrip("mshd")
    return int(number) * _UNITS[duration[len(number) :]]


class Reference(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret lies: in an environment variable, or in a file (relative to the one that names it)."""

    env: str | None = None
    file: str | None = None


Secret: TypeAlias = str | Reference


class LimitSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """So many attempts in so long."""

    allowed: Annotated[int, Meta(ge=1, le=1_000_000)]
    window: Duration


class ThrottleSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of sign-in attempts."""

    per_name: LimitSchema | None = None
    per_address: LimitSchema | None = None


class ListenSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """Where `proofkey serve` listens, and the certificate it shows there."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 8400
    certificate_file: str | None = None
    key_file: str | None = None


class ServerSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """The part `server:`, which `serve` reads at start. What it cannot do without, `dev` does not need."""

    public_url: str | None = None
    database: Secret | None = None
    master_key_file: str | None = None
    region: str = ""
    listen: ListenSchema = field(default_factory=ListenSchema)
    trusted_proxies: list[str] = []
    throttle: ThrottleSchema = field(default_factory=ThrottleSchema)
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class ApiSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """A protected resource: its audience, and its scopes in words."""

    audience: str
    scopes: dict[str, str]
    name: str = ""


class ApplicationSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """An application. Keys are called as in RFC 7591 §2 where it has them."""

    kind: ApplicationKind
    name: str = ""
    client_id: str | None = None
    client_secret: Secret | None = None
    redirect_uris: list[str] = []
    post_logout_redirect_uris: list[str] = []
    origins: list[str] | None = None
    grant_types: list[GrantType] | None = None
    scopes: list[str] = []
    default_scope: list[str] = []
    apis: list[str] | None = None
    introspects: list[str] = []
    pkce: PkceMode = "required"
    trusted: bool = False
    rotate_refresh_tokens: bool = False
    id_token_signed_response_alg: Literal["ES256", "RS256"] = "ES256"
    disabled: bool = False


class PersonSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """A person, who signs in with the name they are listed under, or with their verified email."""

    id: str | None = None
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    claims: dict[str, Any] = {}
    password: Secret | None = None
    password_hash: Secret | None = None
    disabled: bool = False


class LifetimesSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """How long things live; what is left out keeps its default."""

    request: Duration | None = None
    code: Duration | None = None
    access_token: Duration | None = None
    id_token: Duration | None = None
    refresh_idle: Duration | None = None
    refresh_absolute: Duration | None = None
    refresh_absolute_spa: Duration | None = None
    refresh_leeway: Duration | None = None
    session_idle: Duration | None = None
    session_absolute: Duration | None = None


class WorkspaceSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """One authorization server."""

    name: str = ""
    apis: list[ApiSchema] = []
    applications: dict[str, ApplicationSchema] = {}
    people: dict[str, PersonSchema] = {}
    lifetimes: LifetimesSchema = field(default_factory=LifetimesSchema)


class TenantSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """A customer and their workspaces."""

    workspaces: dict[str, WorkspaceSchema]


class FileSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    server: ServerSchema | None = None
    tenants: dict[str, TenantSchema] = {}


KEYED: dict[str, type] = {
    "tenants": TenantSchema,
    "workspaces": WorkspaceSchema,
    "applications": ApplicationSchema,
    "people": PersonSchema,
    "scopes": str,
}
"""What stands under each key of a mapping whose keys are names."""
