"""Declared applications: which kinds may have which secrets, addresses, grants and scopes.

1. `spa` and `native` are public: no secret (RFC 6749 §2.1). `web` and `service` have one of 128 bits or more.
2. Public clients always use PKCE (law 1), never client_credentials or introspection.
3. What an application may ask for exists in its workspace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from proofkey.protocol.errors import Refusal
from proofkey.protocol.records import Api, Client
from proofkey.protocol.redirect_uri import check_registration, origin_of
from proofkey.protocol.scope import OPENID_SCOPES
from proofkey.server.tenancy.contradiction import Path, contradict
from proofkey.server.tenancy.declared import DeclaredApplication, Resolve
from proofkey.server.tenancy.file_schema import ApplicationSchema, Secret

MIN_SECRET = 22
"""Characters: 128 bits in base64url."""
PUBLIC = frozenset({"spa", "native"})
_CLIENT_ID = re.compile(r"[\x20-\x7e]{1,255}")
_SECRET = re.compile(r"[\x20-\x7e]{1,512}")
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")


def declare_applications(
    schemas: Mapping[str, ApplicationSchema], apis: Sequence[Api], here: Path, resolve: Resolve, development: bool
) -> tuple[DeclaredApplication, ...]:
    """The workspace's applications, in order. Raises `Contradiction`."""
    found: dict[str, DeclaredApplication] = {}
    for name, schema in schemas.items():
        at: Path = (*here, name)
        client = _declare_client(name, schema, apis, at, development)
        if client.id in found:
            contradict((*at, "client_id"), f"the client_id {client.id} is already that of {found[client.id].name}")
        secret = _resolve_secret(schema.client_secret, (*at, "client_secret"), resolve)
        found[client.id] = DeclaredApplication(name, client, secret, schema.disabled)
    return tuple(found.values())


def _declare_client(name: str, schema: ApplicationSchema, apis: Sequence[Api], at: Path, development: bool) -> Client:
    client_id = name if schema.client_id is None else schema.client_id
    if not _CLIENT_ID.fullmatch(client_id):
        contradict((*at, "client_id"), "a client_id is 1 to 255 printable ASCII characters (RFC 6749 appendix A.1)")
    grant_types = _grant_types(schema)
    _check_confidentiality(schema, grant_types, at)
    _check_addresses(schema, grant_types, at)
    _check_scopes(schema, grant_types, apis, at)
    _check_audiences(schema, apis, at)
    return Client(
        id=client_id,
        name=schema.name or name,
        kind=schema.kind,
        redirect_uris=tuple(schema.redirect_uris),
        post_logout_redirect_uris=tuple(schema.post_logout_redirect_uris),
        origins=_origins(schema, at),
        grant_types=grant_types,
        scopes=tuple(schema.scopes),
        default_scope=tuple(schema.default_scope),
        resources=_resources(schema, apis),
        introspects=tuple(schema.introspects),
        pkce=schema.pkce,
        trusted=schema.trusted,
        rotate_refresh_tokens=schema.rotate_refresh_tokens,
        remember_loopback_consent=development and schema.kind in ("spa", "web"),
        id_token_signed_response_alg=schema.id_token_signed_response_alg,
    )


def _grant_types(schema: ApplicationSchema) -> tuple[str, ...]:
    if schema.grant_types is not None:
        return tuple(schema.grant_types)
    return ("client_credentials",) if schema.kind == "service" else ("authorization_code", "refresh_token")


def _check_confidentiality(schema: ApplicationSchema, grant_types: tuple[str, ...], at: Path) -> None:
    if schema.kind not in PUBLIC:
        if schema.client_secret is None:
            contradict(at, f"a {schema.kind} application needs a client_secret")
        return
    if schema.client_secret is not None:
        contradict((*at, "client_secret"), f"a {schema.kind} application cannot keep a secret: leave it out")
    if schema.pkce != "required":
        contradict((*at, "pkce"), "public clients always use PKCE: only `required` is possible")
    if "client_credentials" in grant_types:
        contradict((*at, "grant_types"), "client_credentials needs a client_secret: kind web or service")
    if schema.introspects:
        contradict((*at, "introspects"), "introspection needs a client_secret: kind web or service")
    if schema.trusted and schema.kind == "native":
        contradict(
            (*at, "trusted"), "a native application can be impersonated: consent is always asked (RFC 8252 §8.6)"
        )


def _check_addresses(schema: ApplicationSchema, grant_types: tuple[str, ...], at: Path) -> None:
    with_code = "authorization_code" in grant_types
    if with_code and not schema.redirect_uris:
        contradict(at, "the grant type authorization_code needs at least one of redirect_uris")
    if schema.redirect_uris and not with_code:
        contradict((*at, "redirect_uris"), "redirect_uris need the grant type authorization_code")
    if "refresh_token" in grant_types and not with_code:
        contradict((*at, "grant_types"), "refresh_token needs authorization_code: no other grant gives one")
    for key in ("redirect_uris", "post_logout_redirect_uris"):
        uris: list[str] = getattr(schema, key)
        for index, uri in enumerate(uris):
            _check_redirect_uri(uri, schema, (*at, key, index))
            if uri in uris[:index]:
                contradict((*at, key, index), f"{uri} stands here twice")


def _check_redirect_uri(uri: str, schema: ApplicationSchema, at: Path) -> None:
    try:
        check_registration(uri, schema.kind)
    except Refusal as refused:
        contradict(at, refused.description.replace("redirect_uri ", "the address "))


def _origins(schema: ApplicationSchema, at: Path) -> tuple[str, ...]:
    if schema.origins is None:
        return tuple(dict.fromkeys(map(origin_of, schema.redirect_uris))) if schema.kind == "spa" else ()
    if schema.origins and schema.kind not in PUBLIC:
        contradict((*at, "origins"), "a browser may call with a public client only: kind spa or native")
    for index, origin in enumerate(schema.origins):
        if not _ORIGIN.fullmatch(origin):
            contradict((*at, "origins", index), "an origin is scheme, host and port, without a path (RFC 6454)")
    return tuple(schema.origins)


def _check_scopes(schema: ApplicationSchema, grant_types: tuple[str, ...], apis: Sequence[Api], at: Path) -> None:
    known = OPENID_SCOPES.union(*(api.scopes for api in apis))
    for index, scope in enumerate(schema.scopes):
        if scope not in known:
            contradict((*at, "scopes", index), f"no API of the workspace has the scope {scope}")
        if scope == "offline_access" and "refresh_token" not in grant_types:
            contradict((*at, "scopes", index), "offline_access needs the grant type refresh_token")
    for index, scope in enumerate(schema.default_scope):
        if scope == "openid":
            contradict((*at, "default_scope", index), "default_scope may not contain openid: it must be asked for")
        if scope not in schema.scopes:
            contradict((*at, "default_scope", index), f"{scope} is not among the application's scopes")


def _check_audiences(schema: ApplicationSchema, apis: Sequence[Api], at: Path) -> None:
    audiences = {api.audience for api in apis}
    for key in ("apis", "introspects"):
        for index, audience in enumerate(getattr(schema, key) or ()):
            if audience not in audiences:
                contradict((*at, key, index), f"no API of the workspace has the audience {audience}")


def _resources(schema: ApplicationSchema, apis: Sequence[Api]) -> tuple[str, ...]:
    """What was declared, else every API of which the application may have a scope."""
    if schema.apis is not None:
        return tuple(schema.apis)
    return tuple(api.audience for api in apis if set(api.scopes) & set(schema.scopes))


def _resolve_secret(secret: Secret | None, at: Path, resolve: Resolve) -> str | None:
    if secret is None:
        return None
    try:
        text = resolve(secret)
    except LookupError as missing:
        contradict(at, str(missing.args[0]))
    if len(text) < MIN_SECRET or not _SECRET.fullmatch(text):
        contradict(at, f"a client_secret is {MIN_SECRET} to 512 printable ASCII characters, made at random")
    return text
