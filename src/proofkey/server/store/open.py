"""Opening a store by its address: `sqlite:///absolute/path` or `postgresql://…`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from proofkey.server.store.contract import Store
from proofkey.server.store.sql import SqlStore
from proofkey.server.store.statement import Database


def open_store(database: str, entropy: Callable[[int], bytes] = os.urandom) -> Store:
    """The store at *database*; nothing is touched before its `open()`.

    Raises `ValueError` for an address of another kind, and `ModuleNotFoundError` where asyncpg is not installed.
    """
    return SqlStore(_find_driver(database), entropy)


def _find_driver(database: str) -> Database:
    if database.startswith("sqlite:///"):
        from proofkey.server.store.sqlite import SqliteDatabase

        return SqliteDatabase(Path(unquote(database.removeprefix("sqlite://"))))
    if database.startswith(("postgresql://", "postgres://")):
        try:
            from proofkey.server.store.postgres import PostgresDatabase
        except ModuleNotFoundError as missing:
            raise ModuleNotFoundError("PostgreSQL needs asyncpg: install proofkey[postgres]") from missing
        return PostgresDatabase(database)
    raise ValueError("database must be sqlite:///absolute/path or postgresql://…")
