"""Fill a stopped server's SQLite store with people like the one who signed in: each with a session, a consent, a grant.

Rows are copies of that person's real rows under other ids, so this file knows the keys of the tables and nothing else.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import apsw

RowOf = dict[str, Any]

MILLISECOND_AGO = 1 << 80
"""What one millisecond is worth in an id of 16 bytes that begins with 48 bits of time."""


def read_row(database: apsw.Connection, question: str, *values: Any) -> RowOf:
    """The first row that answers *question*, by column."""
    cursor = database.execute(question, values)
    row = cursor.fetchone()
    assert row is not None, f"no row to copy: {question}"
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def earlier_id(row_id: bytes, milliseconds: int) -> bytes:
    """An id as it would have been made that long before."""
    number = int.from_bytes(row_id) - milliseconds * MILLISECOND_AGO
    return (number - number % (1 << 64) + secrets.randbits(64)).to_bytes(len(row_id))


def person_rows(template: dict[str, RowOf], place: int) -> dict[str, RowOf]:
    """One more person and what their sign-in left behind, *place* times a tenth of a second before the template."""
    user_id = f"bench-{place:07}"
    ids = {table: earlier_id(template[table]["id"], (place + 1) * 100) for table in ("sessions", "consents", "grants")}
    owned = {"user_id": user_id}
    changes: dict[str, RowOf] = {
        "users": {"id": user_id, "username": user_id, "login_names": user_id},
        "login_names": {"name": user_id, **owned},
        "sessions": {"id": ids["sessions"], "cookie_hash": secrets.token_bytes(32), **owned},
        "consents": {"id": ids["consents"], **owned},
        "grants": {"id": ids["grants"], "session_id": ids["sessions"], "consent_id": ids["consents"], **owned},
    }
    return {table: template[table] | changed for table, changed in changes.items()}


def read_template(database: apsw.Connection) -> dict[str, RowOf]:
    """The newest grant of a person with a consent, and the rows it stands on."""
    grant = read_row(database, "SELECT * FROM grants WHERE consent_id IS NOT NULL ORDER BY created_at DESC LIMIT 1")
    place = (grant["workspace_id"], grant["user_id"])
    return {
        "grants": grant,
        "users": read_row(database, "SELECT * FROM users WHERE workspace_id = ? AND id = ?", *place),
        "login_names": read_row(database, "SELECT * FROM login_names WHERE workspace_id = ? AND user_id = ?", *place),
        "sessions": read_row(
            database, "SELECT * FROM sessions WHERE workspace_id = ? AND id = ?", place[0], grant["session_id"]
        ),
        "consents": read_row(
            database, "SELECT * FROM consents WHERE workspace_id = ? AND id = ?", place[0], grant["consent_id"]
        ),
    }


def insertion(table: str, row: RowOf) -> str:
    """The statement that inserts a row shaped like *row*."""
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"


def fill(path: Path, people: int) -> None:
    """Add *people* to the store at *path*, in one transaction."""
    database = apsw.Connection(str(path))
    template = read_template(database)
    added = [person_rows(template, place) for place in range(people)]
    with database:
        for table, row in template.items():
            database.executemany(insertion(table, row), (tuple(rows[table].values()) for rows in added))
    database.close()
