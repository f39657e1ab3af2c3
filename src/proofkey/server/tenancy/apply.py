"""Making a deployment equal to its declaration, for what the declaration names.

1. Applying twice writes once: what is already so is left alone, byte for byte.
2. A password that still fits keeps its hash; another one ends everything given before (the store moves the epoch).
3. What is not named is not touched: no application or person is removed because a file does not mention them.
4. A person is who has their id; only where the declaration says none does the username tell who is meant.
5. No application has the id of a person of its workspace: both stand as `sub` in tokens (RFC 9700 §4.15).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Literal

from proofkey.protocol.records import User, Workspace, wire_id
from proofkey.server.entropy import Entropy
from proofkey.server.identity.password import hash_password, verify_password
from proofkey.server.master_key import MasterKey, hash_client_secret
from proofkey.server.store.contract import ConfigurationStore, LoginNameTaken, PeopleStore, Store
from proofkey.server.tenancy.contradiction import ApplyRefused
from proofkey.server.tenancy.declared import Declaration, DeclaredApplication, DeclaredPerson, DeclaredWorkspace


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was written: `application spa of demo/main created`."""

    workspace_id: str
    subject: Literal["workspace", "application", "person"]
    name: str
    what: Literal["created", "changed", "disabled"]

    def __str__(self) -> str:
        if self.subject == "workspace":
            return f"workspace {self.workspace_id} {self.what}"
        return f"{self.subject} {self.name} of {self.workspace_id} {self.what}"


async def apply(
    declaration: Declaration, store: Store, *, master_key: MasterKey, now: int, entropy: Entropy
) -> tuple[Change, ...]:
    """Write what differs, and say what that was. Raises `ApplyRefused` and `StoreUnavailable`."""
    changes: list[Change] = []
    for declared in declaration.workspaces:
        changes += [change async for change in _apply_workspace(declared.workspace, store, now)]
        for application in declared.applications:
            changes += [change async for change in _apply_application(declared, application, store, master_key, now)]
        for person in declared.people:
            settled = await _settle(declared, person, store, now, entropy)
            changes += [change async for change in _apply_person(settled, store, now)]
    return tuple(changes)


async def _apply_workspace(workspace: Workspace, store: ConfigurationStore, now: int) -> AsyncIterator[Change]:
    found = await store.find_workspace(workspace.tenant, workspace.slug)
    if found != workspace:
        await store.keep_workspace(workspace, now)
        yield Change(workspace.id, "workspace", workspace.slug, "created" if found is None else "changed")


async def _apply_application(
    declared: DeclaredWorkspace, application: DeclaredApplication, store: Store, master_key: MasterKey, now: int
) -> AsyncIterator[Change]:
    workspace_id, client = declared.workspace.id, application.client
    if application.client_secret is not None:
        secret_hash = hash_client_secret(master_key, workspace_id, client.id, application.client_secret)
        client = replace(client, secret_hash=secret_hash)
    found = await store.find_client(workspace_id, client.id)
    if application.disabled:
        if found is not None:
            await store.disable_client(workspace_id, client.id, now)
            yield Change(workspace_id, "application", application.name, "disabled")
    elif found != client:
        namesake = await store.find_user_by_id(workspace_id, client.id)
        if namesake is not None:
            raise ApplyRefused(
                f"{namesake.username} of {workspace_id} has the id {client.id}: no application may have it"
            )
        await store.keep_client(workspace_id, client, now)
        yield Change(workspace_id, "application", application.name, "created" if found is None else "changed")


@dataclass(frozen=True, slots=True)
class _Settled:
    """A person as they are, as they are to be, and the names they sign in with."""

    found: User | None
    wanted: User
    person: DeclaredPerson


async def _settle(
    declared: DeclaredWorkspace, person: DeclaredPerson, store: PeopleStore, now: int, entropy: Entropy
) -> _Settled:
    workspace_id = declared.workspace.id
    found = await _find_person(workspace_id, person, store)
    if found is None:
        user = User(
            workspace_id=workspace_id,
            id=person.id or wire_id(entropy(16)),
            username=person.username,
            claims=person.claims,
            password_hash=await _first_hash(person),
            disabled_at=now if person.disabled else None,
        )
        return _Settled(None, user, person)
    user = replace(
        found,
        username=person.username,
        claims=person.claims,
        password_hash=await _next_hash(person, found),
        disabled_at=(found.disabled_at or now) if person.disabled else None,
    )
    return _Settled(found, user, person)


async def _find_person(workspace_id: str, person: DeclaredPerson, store: PeopleStore) -> User | None:
    if person.id is not None:
        found = await store.find_user_by_id(workspace_id, person.id)
        if found is not None:
            return found
    found = await store.find_user(workspace_id, person.login_names[0])
    if found is not None and person.id is not None:
        raise ApplyRefused(f"{person.username} of {workspace_id} has the id {found.id} already, which never changes")
    return found


async def _first_hash(person: DeclaredPerson) -> str | None:
    return person.password_hash if person.password is None else await hash_password(person.password)


async def _next_hash(person: DeclaredPerson, found: User) -> str | None:
    if person.password is None:
        return person.password_hash or found.password_hash
    if found.password_hash is not None and await verify_password(person.password, found.password_hash):
        return found.password_hash
    return await hash_password(person.password)


async def _apply_person(settled: _Settled, store: Store, now: int) -> AsyncIterator[Change]:
    found, wanted = settled.found, settled.wanted
    workspace_id, name = wanted.workspace_id, wanted.username
    if found == wanted:
        return
    if found is None and await store.find_client(workspace_id, wanted.id) is not None:
        raise ApplyRefused(f"an application of {workspace_id} has the id {wanted.id}: no person may have it")
    kept = await store.keep_user(wanted, settled.person.login_names, now)
    if isinstance(kept, LoginNameTaken):
        raise ApplyRefused(f"another person of {workspace_id} signs in as {kept.name} already")
    if wanted.disabled_at is not None and (found is None or found.disabled_at is None):
        await store.disable_user(workspace_id, wanted.id, now)
        yield Change(workspace_id, "person", name, "disabled")
    else:
        yield Change(workspace_id, "person", name, "created" if found is None else "changed")
