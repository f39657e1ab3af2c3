"""Which API an authorization is for, and which one a token names (RFC 8707).

1. `audience` is the older name of `resource`; where both are sent they must agree.
2. A token names one audience, byte for byte as registered.
3. Without either, the scopes tell the API; else the client's own, else the workspace's default, else the issuer.
"""

from __future__ import annotations

from collections.abc import Collection

from proofkey.protocol.errors import InvalidScope, InvalidTarget
from proofkey.protocol.record import record
from proofkey.protocol.records import Api, Client, Workspace
from proofkey.protocol.scope import OPENID_SCOPES, scope_for


def merge_audience(resources: tuple[str, ...], audience: str | None) -> tuple[str, ...]:
    """`resource` and `audience` as one list."""
    if audience is None:
        return resources
    if resources and audience not in resources:
        raise InvalidTarget("audience_differs", "audience and resource must agree")
    return resources or (audience,)


def check_resources(
    asked: tuple[str, ...], scope: tuple[str, ...], client: Client, workspace: Workspace
) -> tuple[str, ...]:
    """The audiences this authorization is for; empty where the issuer itself is the only one."""
    allowed = {api.audience: api for api in workspace.apis if api.audience in client.resources}
    if any(audience not in allowed for audience in asked):
        raise InvalidTarget("resource_unknown", "resource must be an API of this workspace that the client may use")
    if asked:
        return asked
    wanted = tuple(audience for audience, api in allowed.items() if any(name in api.scopes for name in scope))
    return wanted or tuple(allowed)[:1]


def check_scope_fits(scope: Collection[str], resources: tuple[str, ...], apis: Collection[Api]) -> None:
    """Refuse scopes that belong to no API the request names."""
    here = {name for api in apis if api.audience in resources for name in api.scopes}
    if any(name not in here and name not in OPENID_SCOPES for name in scope):
        raise InvalidScope("scope_of_another_resource", "scope names one that the requested resource does not have")


def check_access(
    asked: str | None, scope: tuple[str, ...], named: tuple[str, ...], client: Client, workspace: Workspace
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Scope and resources of an authorization. Where no scope was asked for, the default is cut to what fits the resource."""
    resources = check_resources(named, scope, client, workspace)
    if asked is None:
        fits = {name for audience in resources for name in scope_for(scope, workspace.apis, audience)} | OPENID_SCOPES
        return tuple(name for name in scope if name in fits), resources
    check_scope_fits(scope, resources, workspace.apis)
    return scope, resources


@record(frozen=True, slots=True)
class Access:
    """What one access token is for: its audience, and the scope it carries there."""

    audience: str
    scope: tuple[str, ...]


def choose_access(
    scope: tuple[str, ...],
    granted: tuple[str, ...],
    asked_resource: str | None,
    client: Client,
    workspace: Workspace,
    issuer: str,
) -> Access:
    """The access of the next token: never more than was granted, nor than the client may have by now (RFC 8707 §2.2)."""
    known = {api.audience for api in workspace.apis}
    resources = tuple(audience for audience in granted if audience in client.resources and audience in known)
    if asked_resource is not None and asked_resource not in resources:
        raise InvalidTarget("resource_not_granted", "resource must be one that was granted")
    audience = asked_resource or (resources[0] if resources else issuer)
    allowed = tuple(name for name in scope if name in client.scopes)
    carried = scope_for(allowed, workspace.apis, audience)
    if not carried:
        raise InvalidScope("scope_empty", "scope holds nothing that this client may have for this resource")
    return Access(audience, carried)


def single_resource(resources: tuple[str, ...]) -> str | None:
    """The one resource of a token request; a token has one audience."""
    if len(resources) > 1:
        raise InvalidTarget("resource_repeated", "resource must be sent at most once at the token endpoint")
    return resources[0] if resources else None
