"""What a store keeps opens for its own row, under the keys of the application, and for nobody else."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import msgspec
import pytest

from proofkey.client.web import MemoryStore, SqliteStore
from proofkey.client.web.sealing import Sealing
from tests.client.web.web_app import REDIRECT_URI, browser_of, sign_in_at
from tests.dev_server import DevServer

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
ALICE, BOB = b"a" * 32, b"b" * 32


class Kept(msgspec.Struct, frozen=True):
    """Something to keep."""

    token: str


def sealing(*keys: bytes, context: str = "issuer client") -> Sealing:
    return Sealing(keys, context, os.urandom)


def test_contents_open_in_their_own_row() -> None:
    sealed = sealing(NEW).close_session(ALICE, Kept("secret"))
    assert Kept("secret") == sealing(NEW).open_session(ALICE, sealed, Kept)
    assert "secret" not in sealed


def test_contents_moved_to_another_row_kind_or_application_do_not_open() -> None:
    sealed = sealing(NEW).close_session(ALICE, Kept("secret"))
    assert sealing(NEW).open_session(BOB, sealed, Kept) is None
    assert sealing(NEW).open_transaction(ALICE, sealed, Kept) is None
    assert sealing(NEW, context="another").open_session(ALICE, sealed, Kept) is None
    assert sealing(OLD).open_session(ALICE, sealed, Kept) is None


def test_altered_contents_do_not_open() -> None:
    sealed = sealing(NEW).close_session(ALICE, Kept("secret"))
    for broken in ("", sealed[:-2], sealed[:-2] + "AA", sealed + "A", "A" * len(sealed), "ü"):
        assert sealing(NEW).open_session(ALICE, broken, Kept) is None


def test_keys_can_be_changed_without_signing_anybody_out() -> None:
    sealed, token = sealing(OLD).close_session(ALICE, Kept("secret")), sealing(OLD).csrf_token(ALICE)
    both = sealing(NEW, OLD)
    assert Kept("secret") == both.open_session(ALICE, sealed, Kept)
    assert both.is_csrf_token(ALICE, token)
    assert sealing(NEW).open_session(ALICE, both.close_session(ALICE, Kept("new")), Kept) == Kept("new")


def test_a_csrf_token_is_of_one_session() -> None:
    token = sealing(NEW).csrf_token(ALICE)
    assert sealing(NEW).is_csrf_token(ALICE, token)
    assert not sealing(NEW).is_csrf_token(BOB, token)
    assert not sealing(OLD).is_csrf_token(ALICE, token)
    assert not sealing(NEW).is_csrf_token(ALICE, "ü")


@pytest.mark.parametrize("keys", [(), (b"short",), (NEW, b"")])
def test_a_short_key_is_refused(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="at least 32"):
        sealing(*keys)


async def test_a_session_whose_row_was_swapped_is_nobody_s(web_dev: DevServer) -> None:
    """Whoever writes to the database cannot give one person the session of another."""
    store = MemoryStore()
    app = sign_in_at(web_dev, store=store, key=NEW)
    async with browser_of(app) as alice, browser_of(app, username="bob") as bob:
        await alice.sign_in()
        await bob.sign_in()
        first, second = store._sessions.values()
        store._sessions[second.key] = dataclasses.replace(second, sealed=first.sealed)
        assert {"signed_in": False} == await bob.session()
        assert (await alice.session())["signed_in"]
    await app.close()


async def test_what_a_store_keeps_holds_no_secret_in_clear(web_dev: DevServer, tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    app = sign_in_at(web_dev, store=SqliteStore(path), key=NEW)
    async with browser_of(app) as alice:
        await alice.sign_in()
        await alice.go("/auth/login")
        cookies = [value for name, value in alice.http.cookies.items() if name.startswith("__Host-")]
    await app.close()
    kept = path.read_bytes()
    assert [] == [
        word for word in ("alice", "Alice", "eyJ", "notes:read", REDIRECT_URI, *cookies) if word.encode() in kept
    ]


def test_a_store_that_is_shared_needs_a_key(web_dev: DevServer) -> None:
    with pytest.raises(ValueError, match="key is required"):
        sign_in_at(web_dev, store=SqliteStore("sessions.db"))
