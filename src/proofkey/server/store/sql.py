"""The store, written once in the SQL that SQLite and PostgreSQL share; a driver runs it."""

from __future__ import annotations

import os
from collections.abc import Callable

from proofkey.server.store.configuration import Configuration
from proofkey.server.store.grants import Grants
from proofkey.server.store.people import People
from proofkey.server.store.sessions import Sessions
from proofkey.server.store.statement import Database
from proofkey.server.store.sweep import Sweep


class SqlStore(Grants, People, Sessions, Configuration, Sweep):
    """A `Store` over any driver. *entropy* gives random bytes for attempts and the ids of audit events."""

    def __init__(self, database: Database, entropy: Callable[[int], bytes] = os.urandom) -> None:
        super().__init__(database, entropy)

    async def open(self) -> None:
        """Connect and migrate."""
        await self._database.open()

    async def close(self) -> None:
        """Finish and let go."""
        await self._database.close()
