"""Which API an authorization is for, and which one a token names (RFC 8707).

1. `audience` is the older name of `resource`; where both are sent they must agree.
2. A token names one audience, byte for byte as registered.
3. Without either, the scopes tell the API; else the client's own, else the workspace's default, else the issuer.
"""

from __future__ import annotations

from collections.abc import Collection

from proofkey.protocol.errors import InvalidScope, InvalidTarget
from proofkey.protocol.records import Api, Client, Workspace
from proofkey.protocol.scope import OPENID_SCOPES


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
    allowed = {api.audience: api for api in workspace.apis if not client.resources or api.audience in client.resources}
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


def choose_audience(asked: str | None, granted: tuple[str, ...], issuer: str) -> str:
    """The one audience of the next access token: the one asked for, if granted (RFC 8707 §2.2)."""
    if asked is None:
        return granted[0] if granted else issuer
    if asked not in granted:
        raise InvalidTarget("resource_not_granted", "resource must be one that was granted")
    return asked


def single_resource(resources: tuple[str, ...]) -> str | None:
    """The one resource of a token request; a token has one audience."""
    if len(resources) > 1:
        raise InvalidTarget("resource_repeated", "resource must be sent at most once at the token endpoint")
    return resources[0] if resources else None
