"""Workspaces, applications and keys: what an administrator declares, one JSON text each beside what is searched."""

from __future__ import annotations

import msgspec

from proofkey.protocol.records import Client, Workspace
from proofkey.server.store.audit import Recorder, record
from proofkey.server.store.contract import AuditEvent, StoredKey
from proofkey.server.store.rows import join_words, json_text, split_words
from proofkey.server.store.statement import Row, Script, Statement, Values

_read_client = msgspec.json.Decoder(Client).decode
_read_workspace = msgspec.json.Decoder(Workspace).decode

FIND_WORKSPACE = Statement("tenant slug", "SELECT record FROM workspaces WHERE tenant = :tenant AND slug = :slug")
KEEP_WORKSPACE = Statement(
    "tenant slug id record",
    """INSERT INTO workspaces (tenant, slug, id, record) VALUES (:tenant, :slug, :id, :record)
    ON CONFLICT (tenant, slug) DO UPDATE SET id = excluded.id, record = excluded.record
    WHERE workspaces.record <> excluded.record RETURNING id""",
)
FIND_CLIENT = Statement(
    "workspace_id id",
    "SELECT record FROM clients WHERE workspace_id = :workspace_id AND id = :id AND disabled_at IS NULL",
)
LIST_ORIGINS = Statement(
    "workspace_id",
    "SELECT origins FROM clients WHERE workspace_id = :workspace_id AND disabled_at IS NULL AND origins <> ''",
)
LIST_ALGORITHMS = Statement(
    "workspace_id",
    "SELECT DISTINCT signing_alg FROM clients WHERE workspace_id = :workspace_id AND disabled_at IS NULL",
)
KEEP_CLIENT = Statement(
    "workspace_id id record origins signing_alg",
    """INSERT INTO clients (workspace_id, id, record, origins, signing_alg, disabled_at, grants_since)
    VALUES (:workspace_id, :id, :record, :origins, :signing_alg, NULL, -1)
    ON CONFLICT (workspace_id, id) DO UPDATE
      SET record = excluded.record, origins = excluded.origins, signing_alg = excluded.signing_alg, disabled_at = NULL
    WHERE clients.record <> excluded.record OR clients.disabled_at IS NOT NULL RETURNING id""",
)
DISABLE_CLIENT = Statement(
    "workspace_id id now",
    """UPDATE clients SET disabled_at = :now, grants_since = :now
    WHERE workspace_id = :workspace_id AND id = :id AND disabled_at IS NULL RETURNING id""",
)
_KEY = "workspace_id, key_use, generation, announced_at, active_at, private_part, public_part"
FIND_KEYS = Statement(
    "workspace_id",
    f"SELECT {_KEY} FROM keys WHERE workspace_id = :workspace_id",  # noqa: S608
)
FIND_KEY = Statement(
    "workspace_id key_use generation",
    f"""SELECT {_KEY} FROM keys
    WHERE workspace_id = :workspace_id AND key_use = :key_use AND generation = :generation""",  # noqa: S608
)
KEEP_KEY = Statement(
    _KEY.replace(",", ""),
    f"""INSERT INTO keys ({_KEY}) VALUES (:{_KEY.replace(", ", ", :")})
    ON CONFLICT (workspace_id, key_use, generation) DO NOTHING""",  # noqa: S608 - only names of columns
)
DROP_KEY = Statement(
    "workspace_id key_use generation",
    "DELETE FROM keys WHERE workspace_id = :workspace_id AND key_use = :key_use AND generation = :generation",
)


class Configuration(Recorder):
    """The `ConfigurationStore` part of the store."""

    async def find_workspace(self, tenant: str, slug: str) -> Workspace | None:
        """The workspace at this address."""
        found = await self._database.read(FIND_WORKSPACE, (tenant, slug))
        return _read_workspace(found[0][0]) if found else None

    async def keep_workspace(self, workspace: Workspace, now: int) -> None:
        """Insert or replace."""
        event = self._event(workspace.id, "workspace_kept", now, subject=f"{workspace.tenant}/{workspace.slug}")
        values = (workspace.tenant, workspace.slug, workspace.id, json_text(workspace))
        await self._database.write(_and_record, KEEP_WORKSPACE, values, event)

    async def find_client(self, workspace_id: str, client_id: str) -> Client | None:
        """The application, if it is enabled."""
        found = await self._database.read(FIND_CLIENT, (workspace_id, client_id))
        return _read_client(found[0][0]) if found else None

    async def list_origins(self, workspace_id: str) -> frozenset[str]:
        """The browser origins of all enabled public clients."""
        found = await self._database.read(LIST_ORIGINS, (workspace_id,))
        return frozenset(origin for row in found for origin in split_words(row[0]))

    async def list_signing_algorithms(self, workspace_id: str) -> frozenset[str]:
        """The algorithms that enabled clients want their ID tokens signed with."""
        return frozenset(row[0] for row in await self._database.read(LIST_ALGORITHMS, (workspace_id,)))

    async def keep_client(self, workspace_id: str, client: Client, now: int) -> None:
        """Insert or replace, enabled."""
        event = self._event(workspace_id, "client_kept", now, client_id=client.id)
        origins = join_words(client.origins) if client.is_public else ""
        values = (workspace_id, client.id, json_text(client), origins, client.id_token_signed_response_alg)
        await self._database.write(_and_record, KEEP_CLIENT, values, event)

    async def disable_client(self, workspace_id: str, client_id: str, now: int) -> None:
        """End everything of this application."""
        event = self._event(workspace_id, "client_disabled", now, client_id=client_id)
        await self._database.write(_and_record, DISABLE_CLIENT, (workspace_id, client_id, now), event)

    async def find_keys(self, workspace_id: str) -> tuple[StoredKey, ...]:
        """All keys kept under this workspace."""
        keys = [_key_of(row) for row in await self._database.read(FIND_KEYS, (workspace_id,))]
        return tuple(sorted(keys, key=lambda key: (key.use, key.generation)))

    async def keep_key(self, key: StoredKey) -> StoredKey:
        """Write *key* unless that generation exists."""
        return await self._database.write(_keep_key, key)

    async def drop_key(self, workspace_id: str, use: str, generation: int) -> None:
        """Remove a key whose life is over."""
        await self._database.write(_drop_key, workspace_id, use, generation)


def _and_record(statement: Statement, values: Values, event: AuditEvent) -> Script[None]:
    """Run a statement that returns a row where it changed one, and audit that."""
    changed = yield statement, values
    if changed:
        yield from record(event)


def _keep_key(key: StoredKey) -> Script[StoredKey]:
    yield (
        KEEP_KEY,
        (key.workspace_id, key.use, key.generation, key.announced_at, key.active_at, key.private, key.public),
    )
    stands = yield FIND_KEY, (key.workspace_id, key.use, key.generation)
    return _key_of(stands[0])


def _drop_key(workspace_id: str, use: str, generation: int) -> Script[None]:
    yield DROP_KEY, (workspace_id, use, generation)


def _key_of(row: Row) -> StoredKey:
    return StoredKey(*row)
