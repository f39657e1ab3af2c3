"""What was declared, as frozen facts: workspaces with their applications and people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from proofkey.protocol.records import Client, Json, Workspace
from proofkey.server.tenancy.file_schema import Secret

Resolve: TypeAlias = Callable[[Secret], str]
"""Returns the secret itself, or raises `LookupError` with a message that is safe to show."""


@dataclass(frozen=True, slots=True)
class DeclaredApplication:
    """An application under its name in the file. `client` has no `secret_hash` yet: hashing needs the master key."""

    name: str
    client: Client
    client_secret: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredPerson:
    """A person; `id` is None where the deployment chooses it. Exactly one of the two passwords, or none."""

    username: str
    login_names: tuple[str, ...]
    claims: Mapping[str, Json]
    id: str | None = None
    password: str | None = None
    password_hash: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredWorkspace:
    """A workspace and what stands in it."""

    workspace: Workspace
    applications: tuple[DeclaredApplication, ...] = ()
    people: tuple[DeclaredPerson, ...] = ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """All workspaces, in the file's order."""

    workspaces: tuple[DeclaredWorkspace, ...] = ()
