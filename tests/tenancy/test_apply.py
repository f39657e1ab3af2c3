"""Applying a declaration: once is enough, and only what differs is written."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proofkey.protocol.records import User
from proofkey.server.master_key import MasterKey, hash_client_secret
from proofkey.server.store import open_store
from proofkey.server.store.contract import KeepUserOutcome, Store
from proofkey.server.store.sql import SqlStore
from proofkey.server.store.sqlite import SqliteDatabase
from proofkey.server.tenancy.apply import apply
from proofkey.server.tenancy.contradiction import ApplyRefused
from proofkey.server.tenancy.declaration import declare
from proofkey.server.tenancy.declared import Declaration
from proofkey.server.tenancy.file_schema import (
    ApplicationSchema,
    FileSchema,
    PersonSchema,
    TenantSchema,
    WorkspaceSchema,
)

NOON = 1_800_000_000_000
KEY = MasterKey(b"k" * 32)
WEB_SECRET = "a-secret-of-many-random-characters"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A new SQLite store."""
    opened = open_store(f"sqlite://{tmp_path / 'proofkey.db'}")
    await opened.open()
    yield opened
    await opened.close()


def declaration(*, app: dict[str, Any] | None = None, carol: dict[str, Any] | None = None) -> Declaration:
    """One workspace with a web application and carol, less what is given."""
    application: dict[str, Any] = {
        "kind": "web",
        "client_secret": WEB_SECRET,
        "redirect_uris": ["https://app.example/callback"],
        "scopes": ["openid"],
    }
    someone: dict[str, Any] = {"password": "first password", "email": "carol@acme.example", "email_verified": True}
    workspace = WorkspaceSchema(
        name="Acme",
        applications={"app": ApplicationSchema(**(application | (app or {})))},
        people={"carol": PersonSchema(**(someone | (carol or {})))},
    )
    return declare(FileSchema(tenants={"acme": TenantSchema(workspaces={"main": workspace})}), resolve=str)


async def applied(store: Store, wanted: Declaration, now: int = NOON) -> list[str]:
    """The changes that applying *wanted* made, in words."""
    return [str(change) for change in await apply(wanted, store, master_key=KEY, now=now, entropy=os.urandom)]


async def carol_in(store: Store) -> User:
    """The person as stored."""
    carol = await store.find_user("acme/main", "carol")
    assert carol is not None
    return carol


def everything_in(folder: Path) -> bytes:
    """All bytes of all files in *folder*."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_the_first_time_creates_and_the_second_writes_nothing(store: Store) -> None:
    assert [
        "workspace acme/main created",
        "application app of acme/main created",
        "person carol of acme/main created",
    ] == await applied(store, declaration())
    before = await carol_in(store)
    assert [] == await applied(store, declaration(), NOON + 1)
    assert before == await carol_in(store)
    assert before == await store.find_user("acme/main", "carol@acme.example")


async def test_a_secret_is_kept_as_a_keyed_hash_only(store: Store, tmp_path: Path) -> None:
    await applied(store, declaration())
    client = await store.find_client("acme/main", "app")
    assert client is not None
    assert hash_client_secret(KEY, "acme/main", "app", WEB_SECRET) == client.secret_hash
    await store.close()
    kept = everything_in(tmp_path)
    await store.open()
    assert b"first password" not in kept
    assert WEB_SECRET.encode() not in kept


async def test_another_password_ends_what_was_given_before(store: Store) -> None:
    await applied(store, declaration())
    before = await carol_in(store)
    assert ["person carol of acme/main changed"] == await applied(
        store, declaration(carol={"password": "second password"})
    )
    after = await carol_in(store)
    assert (before.id, before.epoch + 1) == (after.id, after.epoch)
    assert before.password_hash != after.password_hash


async def test_without_a_password_the_old_one_stays(store: Store) -> None:
    await applied(store, declaration())
    before = await carol_in(store)
    assert ["person carol of acme/main changed"] == await applied(
        store, declaration(carol={"password": None, "name": "Carol"})
    )
    after = await carol_in(store)
    assert (before.password_hash, before.epoch) == (after.password_hash, after.epoch)
    assert "Carol" == after.claims["name"]


async def test_a_password_hash_is_taken_as_it_is(store: Store) -> None:
    await applied(store, declaration())
    given = (await carol_in(store)).password_hash
    assert [] == await applied(store, declaration(carol={"password": None, "password_hash": given}))


async def test_disabling_and_enabling_again(store: Store) -> None:
    await applied(store, declaration())
    disabled = declaration(app={"disabled": True}, carol={"disabled": True})
    assert ["application app of acme/main disabled", "person carol of acme/main disabled"] == await applied(
        store, disabled
    )
    assert None is await store.find_client("acme/main", "app")
    assert NOON == (await carol_in(store)).disabled_at
    assert [] == await applied(store, disabled, NOON + 1)
    assert ["application app of acme/main created", "person carol of acme/main changed"] == await applied(
        store, declaration()
    )
    assert None is (await carol_in(store)).disabled_at


async def test_an_application_changes_in_place(store: Store) -> None:
    await applied(store, declaration())
    uris = ["https://app.example/callback", "https://app.example/other"]
    assert ["application app of acme/main changed"] == await applied(store, declaration(app={"redirect_uris": uris}))
    client = await store.find_client("acme/main", "app")
    assert client is not None
    assert tuple(uris) == client.redirect_uris


async def test_an_id_never_changes(store: Store) -> None:
    await applied(store, declaration(carol={"id": "person-1"}))
    assert "person-1" == (await carol_in(store)).id
    with pytest.raises(ApplyRefused, match="has the id person-1 already"):
        await applied(store, declaration(carol={"id": "person-2"}))


async def test_nobody_takes_over_the_name_another_signs_in_with(store: Store) -> None:
    await applied(store, declaration())
    other = declaration(carol={"email": "carol@acme.example"})
    person = replace(other.workspaces[0].people[0], username="mallory", login_names=("mallory", "carol@acme.example"))
    taking = Declaration((replace(other.workspaces[0], people=(person,)),))
    with pytest.raises(ApplyRefused, match=r"another person of acme/main signs in as carol@acme\.example already"):
        await applied(store, taking)
    assert "carol" == (await carol_in(store)).username
    assert None is await store.find_user("acme/main", "mallory")


def named(wanted: Declaration, username: str) -> Declaration:
    """The same declaration, its one person under another username."""
    declared = wanted.workspaces[0]
    person = replace(declared.people[0], username=username, login_names=(username,))
    return Declaration((replace(declared, people=(person,)),))


async def test_another_password_ends_what_was_given_before_under_a_new_username_too(store: Store) -> None:
    await applied(store, declaration(carol={"id": "person-1"}))
    before = await carol_in(store)
    renamed = named(declaration(carol={"id": "person-1", "password": "second password"}), "caroline")
    assert ["person caroline of acme/main changed"] == await applied(store, renamed)
    after = await store.find_user("acme/main", "caroline")
    assert after is not None
    assert (before.id, before.epoch + 1) == (after.id, after.epoch)
    assert before.password_hash != after.password_hash
    assert None is await store.find_user("acme/main", "carol")


async def test_a_new_username_alone_ends_nothing(store: Store) -> None:
    await applied(store, declaration(carol={"id": "person-1"}))
    before = await carol_in(store)
    await applied(store, named(declaration(carol={"id": "person-1"}), "caroline"))
    after = await store.find_user_by_id("acme/main", "person-1")
    assert after is not None
    assert ("caroline", before.epoch, before.password_hash) == (after.username, after.epoch, after.password_hash)


class SomeoneWasFaster(SqlStore):
    """Just before a person is kept, somebody else takes the username."""

    async def keep_user(self, user: User, login_names: Sequence[str], now: int) -> KeepUserOutcome:
        await super().keep_user(replace(user, id="somebody-else"), (user.username,), now)
        return await super().keep_user(user, login_names, now)


async def test_a_login_name_lost_in_a_race_is_told(tmp_path: Path) -> None:
    store = SomeoneWasFaster(SqliteDatabase(tmp_path / "proofkey.db"))
    await store.open()
    with pytest.raises(ApplyRefused, match="another person of acme/main signs in as carol already"):
        await applied(store, declaration())
    assert "somebody-else" == (await carol_in(store)).id
    await store.close()


async def test_nobody_gets_the_id_of_a_stored_application(store: Store) -> None:
    await applied(store, declaration())
    wanted = named(
        declaration(carol={"id": "app", "email": None, "email_verified": False}, app={"client_id": "b"}), "d"
    )
    with pytest.raises(ApplyRefused, match="an application of acme/main has the id app: no person may have it"):
        await applied(store, wanted)
    assert None is await store.find_user_by_id("acme/main", "app")


async def test_no_application_gets_the_id_of_a_stored_person(store: Store) -> None:
    await applied(store, declaration(carol={"id": "person-1"}))
    with pytest.raises(ApplyRefused, match="carol of acme/main has the id person-1: no application may have it"):
        await applied(store, declaration(app={"client_id": "person-1"}))
    assert None is await store.find_client("acme/main", "person-1")
