"""Which of a workspace's applications and APIs the sample app, the playground and the sample API stand in for."""

from __future__ import annotations

from proofkey.protocol.records import Api, Client
from proofkey.server.tenancy.declared import DeclaredWorkspace


def sample_api(workspace: DeclaredWorkspace) -> Api | None:
    """The API that the sample API stands in for: the workspace's first, if it has a scope."""
    first = workspace.workspace.default_api
    return first if first is not None and first.scopes else None


def sample_client(workspace: DeclaredWorkspace, app_url: str) -> Client | None:
    """The client the sample app plays: the application `spa`, if it is one and may return to the sample app."""
    return _single_page_app(workspace, "spa", f"{app_url}/callback")


def playground_client(workspace: DeclaredWorkspace, app_url: str) -> Client | None:
    """The client the playground plays: the application `playground`, if it is a single-page app that may return there.

    None, too, where it may not do what its walk shows: an ID token, a refresh, and a call of the sample API.
    """
    client, api = _single_page_app(workspace, "playground", f"{app_url}/playground/callback"), sample_api(workspace)
    if client is None or api is None:
        return None
    needed = {"openid", next(iter(api.scopes))}
    return client if needed.issubset(client.scopes) and "refresh_token" in client.grant_types else None


def _single_page_app(workspace: DeclaredWorkspace, name: str, redirect_uri: str) -> Client | None:
    for application in workspace.applications:
        client = application.client
        if application.name == name and client.kind == "spa" and redirect_uri in client.redirect_uris:
            return None if application.disabled else client
    return None


def asked_scope(client: Client) -> str:
    """What a sample asks for: all its application may have, but no access beyond the person's session."""
    return " ".join(scope for scope in client.scopes if scope != "offline_access")
