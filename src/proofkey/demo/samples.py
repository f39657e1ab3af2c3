"""Which of a workspace's applications and APIs the sample app and the sample API stand in for."""

from __future__ import annotations

from proofkey.protocol.records import Api, Client
from proofkey.server.tenancy.declared import DeclaredWorkspace


def sample_api(workspace: DeclaredWorkspace) -> Api | None:
    """The API that the sample API stands in for: the workspace's first, if it has a scope."""
    first = workspace.workspace.default_api
    return first if first is not None and first.scopes else None


def sample_client(workspace: DeclaredWorkspace, app_url: str) -> Client | None:
    """The client the sample app plays: the application `spa`, if it is one and may return to the sample app."""
    for application in workspace.applications:
        client = application.client
        if application.name == client.kind == "spa" and f"{app_url}/callback" in client.redirect_uris:
            return None if application.disabled else client
    return None
