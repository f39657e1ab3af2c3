"""Every statement of the store: it stays within one workspace, and its cost does not grow with what is stored."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import apsw
import pytest

from proofkey.server.store import audit, configuration, grants, migrations, people, sessions, sweep
from proofkey.server.store.statement import Statement

_PARTS: tuple[ModuleType, ...] = (audit, configuration, grants, people, sessions)
STATEMENTS = {
    f"{part.__name__.rpartition('.')[2]}.{name}": found
    for part in _PARTS
    for name, found in vars(part).items()
    if isinstance(found, Statement)
}
STATEMENTS |= {f"sweep.page{n}": walk.page for n, walk in enumerate(sweep._WALKS)}
STATEMENTS |= {f"sweep.look{n}": walk.look for n, walk in enumerate(sweep._WALKS)}
STATEMENTS |= {f"sweep.remove{n}": walk.remove for n, walk in enumerate(sweep._WALKS)}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> apsw.Connection:
    folder: Path = tmp_path_factory.mktemp("plans")
    connection = apsw.Connection(str(folder / "proofkey.db"))
    connection.execute(migrations.REMEMBER)
    for text in migrations.statements_after(0, migrations.find_migrations()):
        connection.execute(text.replace("/* clustered */", "WITHOUT ROWID"))
    return connection


def test_there_are_statements_to_look_at() -> None:
    assert len(STATEMENTS) > 40


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_a_statement_finds_its_rows_by_a_key(statement: Statement, database: apsw.Connection) -> None:
    values = (None,) * len(statement.names)
    plan = [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + statement.numbered("?"), values)]
    assert [] == [step for step in plan if step.startswith("SCAN") and step != "SCAN CONSTANT ROW"]


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_a_statement_stays_within_one_workspace(statement: Statement) -> None:
    assert statement.names[0] in ("workspace_id", "tenant")
    assert f"{statement.names[0]} = :{statement.names[0]}" in statement.text or "INSERT INTO" in statement.text
