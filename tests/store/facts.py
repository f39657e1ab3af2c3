"""The scene that the store's tests play in: one workspace, one application, one person who signed in and consented."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from proofkey.protocol.authorization_code import ProvenCode
from proofkey.protocol.records import (
    DAY,
    HOUR,
    MINUTE,
    Api,
    AuthorizationCode,
    Client,
    Consent,
    Grant,
    Session,
    User,
    Workspace,
)
from proofkey.protocol.refresh_token import ProvenRefresh
from proofkey.server.store.contract import Redeemed, Store
from proofkey.server.store.sql import SqlStore
from proofkey.server.store.statement import Statement

NOON = 1_800_000_000_000
PLACE = "acme"
HASH = b"h" * 32
LEEWAY = 10_000

WORKSPACE = Workspace(
    PLACE, "acme", "main", "Acme", (Api("https://api.example", "Notes", {"write": "b", "read": "a"}),)
)
SPA = Client("spa", "Notes", "spa", ("https://app.example/cb",), origins=("https://app.example",))
SERVICE = Client("service", "Robot", "service", grant_types=("client_credentials",), secret_hash=HASH)
ALICE = User(
    PLACE, "alice", "alice", {"email": "alice@acme.example", "email_verified": True}, password_hash="$argon2id$"
)
SESSION = Session(
    PLACE, b"session-of-alice", b"c" * 32, "alice", 0, NOON, "pwd", ("pwd",), NOON + 12 * HOUR, NOON + 30 * DAY
)
CONSENT = Consent(
    PLACE, "alice", "spa", b"consent-of-alice", ("https://api.example",), ("openid", "read"), (), b"request-1", NOON
)


def row_id(number: int, at: int = NOON) -> bytes:
    """A time-ordered id, as codes have it."""
    return at.to_bytes(6, "big") + number.to_bytes(10, "big")


def code(number: int = 0) -> ProvenCode:
    """The proof for one code of the scene."""
    return ProvenCode(
        AuthorizationCode(
            workspace_id=PLACE,
            id=row_id(number),
            client_id="spa",
            user_id="alice",
            user_epoch=0,
            session_id=SESSION.id,
            consent_id=CONSENT.id,
            redirect_uri="https://app.example/cb",
            redirect_uri_sent=True,
            challenge=None,
            nonce=None,
            scope=("openid", "read"),
            resources=("https://api.example",),
            claims="",
            auth_time=NOON,
            acr="pwd",
            amr=("pwd",),
            expires_at=NOON + MINUTE,
        )
    )


def grant(number: int = 0, attempt: int = 0, **changed: Any) -> Grant:
    """What redeeming code *number* writes, by the caller whose *attempt* this is."""
    written = Grant(
        workspace_id=PLACE,
        id=row_id(number),
        attempt=attempt.to_bytes(16, "big"),
        client_id="spa",
        user_id="alice",
        user_epoch=0,
        session_id=SESSION.id,
        consent_id=CONSENT.id,
        offline=False,
        scope=("openid", "read"),
        resources=("https://api.example",),
        claims='{"id_token":{"email":null}}',
        auth_time=NOON,
        acr="pwd",
        amr=("pwd",),
        created_at=NOON,
        idle_until=NOON + 30 * DAY,
        expires_at=NOON + 180 * DAY,
        refresh_hash=HASH,
        refresh_key=3,
    )
    return replace(written, **changed)


def refresh(number: int = 0, counter: int = 0, **changed: Any) -> ProvenRefresh:
    """The proof for the refresh token *counter* of grant *number*."""
    proven = ProvenRefresh(PLACE, row_id(number), counter, HASH, True, LEEWAY, NOON + 31 * DAY)
    return replace(proven, **changed)


def robot_grant(attempt: int = 0) -> Grant:
    """A grant with no person behind it."""
    nobody = {"user_id": None, "session_id": None, "consent_id": None, "refresh_hash": None}
    return grant(7, attempt, client_id="service", scope=("read",), **nobody)


async def set_scene(store: Store) -> None:
    """Declare the applications, let alice sign in and consent."""
    await store.keep_workspace(WORKSPACE, NOON)
    await store.keep_client(PLACE, SPA, NOON)
    await store.keep_client(PLACE, SERVICE, NOON)
    await store.keep_user(ALICE, ("alice", "alice@acme.example"), NOON)
    await store.start_session(SESSION, None, NOON)
    await store.give_consent(CONSENT, NOON)


async def set_scene_with_grant(store: Store, number: int = 0, **changed: Any) -> Grant:
    """The scene, and one code of it redeemed."""
    await set_scene(store)
    written = grant(number, **changed)
    assert isinstance(await store.redeem_code(code(number), written, NOON), Redeemed)
    return written


async def open_every_connection(store: Store) -> None:
    """A pool that has only begun to grow serves callers one by one: then a race is none."""
    assert isinstance(store, SqlStore)
    nap = Statement("", "SELECT pg_sleep(0.05)")
    await asyncio.gather(*(store._database.read(nap, ()) for _ in range(8)))


async def read_rows(store: Store, select: str) -> list[tuple[Any, ...]]:
    """What lies in the database, read behind the store's back."""
    assert isinstance(store, SqlStore)
    return [tuple(row) for row in await store._database.read(Statement("", select), ())]


async def audited(store: Store, what: str) -> Sequence[tuple[Any, ...]]:
    """User, client and subject of all audit events of one kind."""
    rows = await read_rows(store, "SELECT what, user_id, client_id, subject FROM audit_events")
    return [row[1:] for row in rows if row[0] == what]
