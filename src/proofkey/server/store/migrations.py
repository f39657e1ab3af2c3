"""The schema's history: numbered texts that only ever go forward, each run once, under the driver's lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proofkey.server.store.contract import StoreUnavailable

_FOLDER = Path(__file__).parent / "schema"
_NAME = re.compile(r"(\d{4})_\w+\.sql")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)

REMEMBER = "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT NOT NULL PRIMARY KEY)"
NEWEST = "SELECT COALESCE(MAX(number), 0) FROM schema_migrations"


class SchemaTooNew(StoreUnavailable):
    """A newer Proofkey has migrated this database; this one would not understand what it wrote."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema, as statements to run in order, the last of which remembers that it ran."""

    number: int
    statements: tuple[str, ...]


def find_migrations(folder: Path = _FOLDER) -> tuple[Migration, ...]:
    """All migrations, oldest first."""
    return tuple(_read(path) for path in sorted(folder.iterdir()) if _NAME.fullmatch(path.name))


def _read(path: Path) -> Migration:
    number = int(path.name[:4])
    text = _COMMENT.sub("", path.read_text(encoding="utf-8"))
    statements = [part.strip() for part in text.split(";") if part.strip()]
    remember = f"INSERT INTO schema_migrations (number) VALUES ({number})"  # noqa: S608 - a number of ours
    return Migration(number, (*statements, remember))


def statements_after(newest: int, migrations: tuple[Migration, ...]) -> Iterator[str]:
    """What to run on a database that stands at *newest*."""
    known = migrations[-1].number
    if newest > known:
        raise SchemaTooNew(
            f"the database has schema {newest}, this version of Proofkey knows {known}: upgrade Proofkey"
        )
    for migration in migrations:
        if migration.number > newest:
            yield from migration.statements
