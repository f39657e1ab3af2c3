"""From the file's shape to a declaration, checked for contradictions: tenants, workspaces and lifetimes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from proofkey.protocol.records import DAY, MINUTE, Lifetimes, Workspace
from proofkey.server.config import RESERVED_TENANTS, is_slug
from proofkey.server.tenancy.api_declaration import declare_apis
from proofkey.server.tenancy.application_declaration import declare_applications
from proofkey.server.tenancy.contradiction import Path, contradict
from proofkey.server.tenancy.declared import (
    Declaration,
    DeclaredApplication,
    DeclaredPerson,
    DeclaredWorkspace,
    Resolve,
)
from proofkey.server.tenancy.file_schema import FileSchema, LifetimesSchema, WorkspaceSchema, milliseconds
from proofkey.server.tenancy.person_declaration import declare_people


def workspace_id(tenant: str, slug: str) -> str:
    """The id every row of a workspace leads with."""
    return f"{tenant}/{slug}"


def declare(schema: FileSchema, *, resolve: Resolve, development: bool = False) -> Declaration:
    """The declaration that *schema* makes. Raises `Contradiction`.

    With *development*, consent of `spa` and `web` applications is remembered on http loopback addresses, too.
    """
    return Declaration(tuple(_declare_workspaces(schema, resolve, development)))


def _declare_workspaces(schema: FileSchema, resolve: Resolve, development: bool) -> Iterable[DeclaredWorkspace]:
    for tenant, declared in schema.tenants.items():
        here: Path = ("tenants", tenant)
        if tenant in RESERVED_TENANTS:
            contradict(here, f"the tenant name {tenant} is reserved for an address of the server")
        if not is_slug(tenant):
            contradict(here, "a tenant's name is a lower-case DNS label: letters, digits and hyphens")
        for slug, workspace in declared.workspaces.items():
            if not is_slug(slug):
                contradict((*here, "workspaces", slug), "a workspace's name is a lower-case DNS label")
            yield _declare_workspace(tenant, slug, workspace, resolve, development)


def _declare_workspace(
    tenant: str, slug: str, schema: WorkspaceSchema, resolve: Resolve, development: bool
) -> DeclaredWorkspace:
    here: Path = ("tenants", tenant, "workspaces", slug)
    apis = declare_apis(schema.apis, (*here, "apis"))
    lifetimes = _declare_lifetimes(schema.lifetimes, (*here, "lifetimes"))
    name = schema.name or f"{tenant} {slug}"
    workspace = Workspace(workspace_id(tenant, slug), tenant, slug, name, apis, lifetimes)
    applications = declare_applications(schema.applications, apis, (*here, "applications"), resolve, development)
    people = declare_people(schema.people, (*here, "people"), resolve)
    _check_subjects(applications, people, (*here, "people"))
    return DeclaredWorkspace(workspace, applications, people)


def _check_subjects(applications: Iterable[DeclaredApplication], people: Iterable[DeclaredPerson], here: Path) -> None:
    """A token of an application that acts for itself has its client_id as `sub`: nobody's id may be that."""
    named = {application.client.id: application.name for application in applications}
    for person in people:
        if person.id in named:
            contradict(
                (*here, person.username, "id"),
                f"{person.id} is the client_id of {named[person.id]}: both would be `sub` (RFC 9700 §4.15)",
            )


_LONGEST = {"request": DAY, "code": 10 * MINUTE, "access_token": DAY, "id_token": DAY, "refresh_leeway": MINUTE}
"""Upper bounds: what is sealed may live a day (its key is retired then), a code ten minutes (RFC 6749 §4.1.2)."""


def _declare_lifetimes(schema: LifetimesSchema, here: Path) -> Lifetimes:
    chosen: dict[str, int] = {}
    for key in schema.__struct_fields__:
        text: str | None = getattr(schema, key)
        if text is None:
            continue
        length = milliseconds(text)
        if length > _LONGEST.get(key, 3650 * DAY) or (length < 1_000 and key != "refresh_leeway"):
            contradict((*here, key), f"between 1s and {_in_text(_LONGEST.get(key, 3650 * DAY))}")
        chosen[_LIFETIME_FIELDS[key]] = length
    lifetimes = Lifetimes(**chosen)
    for shorter, longer in (("refresh_idle", "refresh_absolute"), ("session_idle", "session_absolute")):
        if getattr(lifetimes, _LIFETIME_FIELDS[shorter]) > getattr(lifetimes, _LIFETIME_FIELDS[longer]):
            contradict((*here, shorter), f"{shorter} may not be longer than {longer}")
    return lifetimes


_LIFETIME_FIELDS = {field.name.removesuffix("_for").replace("_for_", "_"): field.name for field in fields(Lifetimes)}
"""The file's key → the record's field."""


def _in_text(length: int) -> str:
    return f"{length // DAY}d" if length >= DAY else f"{length // MINUTE}m"
