"""What `proofkey dev` tells whoever started it: one JSON object for programs, a few lines for people."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Any

from proofkey.demo.deployment import Prepared, issuer_of
from proofkey.demo.samples import playground_client, sample_api, sample_client
from proofkey.server.tenancy.declared import DeclaredApplication, DeclaredPerson


def describe(prepared: Prepared) -> dict[str, Any]:
    """Addresses, applications and people of the first workspace. What is not there is None, never absent."""
    people = [_person(person) for person in prepared.first.people if not person.disabled]
    has_app = sample_client(prepared.first, prepared.app_url) is not None
    has_playground = playground_client(prepared.first, prepared.app_url) is not None
    return {
        "version": 1,
        "pid": os.getpid(),
        "data": str(prepared.directory.path),
        "issuer": issuer_of(prepared),
        "ca_file": str(prepared.authority.ca_file) if prepared.authority else None,
        "app": prepared.app_url if has_app else None,
        "playground": f"{prepared.app_url}/playground" if has_playground else None,
        "clients": {
            application.name: _application(application)
            for application in prepared.first.applications
            if not application.disabled
        },
        "user": people[0] if people else None,
        "users": people,
        "resource": _resource(prepared),
        "api": None,
    }


def _application(application: DeclaredApplication) -> dict[str, Any]:
    secret = {} if application.client_secret is None else {"client_secret": application.client_secret}
    return {
        "client_id": application.client.id,
        **secret,
        "scopes": list(application.client.scopes),
        "redirect_uris": list(application.client.redirect_uris),
        "post_logout_redirect_uris": list(application.client.post_logout_redirect_uris),
    }


def _person(person: DeclaredPerson) -> dict[str, Any]:
    return {"username": person.username, "password": person.password}


def _resource(prepared: Prepared) -> dict[str, Any] | None:
    api = sample_api(prepared.first)
    if api is None:
        return None
    return {"url": f"{prepared.api_url}/notes", "audience": api.audience, "scopes": dict(api.scopes)}


def render_summary(description: dict[str, Any]) -> str:
    """The same for people."""
    user, resource = description["user"], description["resource"]
    rows = [
        ("Sample app", description["app"] and f"{description['app']}/"),
        ("Playground", description["playground"]),
        ("Issuer", description["issuer"]),
        ("Sample API", resource and resource["url"]),
        ("Sign in as", user and f"{user['username']}  {user['password'] or '(password not known here)'}"),
        ("Trust", description["ca_file"]),
        ("Kept in", description["data"]),
    ]
    lines = ["", "  Proofkey is running. Ctrl+C stops it.", ""]
    lines += [f"    {label:<12}{text}" for label, text in rows if text]
    return "\n".join([*lines, "", *_try_this(description), ""])


def _try_this(description: dict[str, Any]) -> list[str]:
    """Lines to copy: they work in the directory that this process was started in, whatever is on the PATH."""
    issuer, ca_file = description["issuer"], description["ca_file"]
    trusting = {option: f"{option} {_pasted(ca_file)} " if ca_file else "" for option in ("--ca-file", "--cacert")}
    lines = ["  Try this:"]
    if description["app"]:
        lines.append(f"    open {description['app']}/ and sign in")
    if description["playground"]:
        lines.append(f"    open {description['playground']} and walk through the flow, message by message")
    native = description["clients"].get("native")
    if native:
        program, client_id = _pasted(sys.argv[0]), shlex.quote(native["client_id"])
        asked = _asked_for(native, description["resource"])
        lines.append(f"    {program} login {trusting['--ca-file']}--issuer {issuer} --client-id {client_id}{asked}")
        if "--resource" in asked:
            lines.append(f"    {program} curl {description['resource']['url']} {trusting['--cacert']}".rstrip())
        lines.append(f"    {program} flow {trusting['--ca-file']}{issuer} --client-id {client_id}")
    lines.append(f"    curl {trusting['--cacert']}{issuer}/.well-known/openid-configuration")
    return lines


def _asked_for(client: dict[str, Any], resource: dict[str, Any] | None) -> str:
    """What the login line asks for: a name to show, and to read from the sample API, as far as *client* may."""
    reading = [scope for scope in [*(resource or {"scopes": {}})["scopes"]][:1] if scope in client["scopes"]]
    scope = " ".join([*(scope for scope in ("openid", "profile") if scope in client["scopes"]), *reading])
    return (f' --scope "{scope}"' if scope else "") + (
        f" --resource {resource['audience']}" if resource and reading else ""
    )


def _pasted(path: str) -> str:
    """A path for a shell: from here, where that is shorter."""
    return shlex.quote(min(path, os.path.relpath(path), key=len))
