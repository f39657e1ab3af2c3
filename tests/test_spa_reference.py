"""The reference of the single-page library names every option, method, event and code that its source has, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "spa-reference.md").read_text(encoding="utf-8")
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "spa" / "src").glob("*.ts")}
TABLES = {
    "ClientOptions": ("options", "## `createClient(options)`"),
    "Client": ("client", "## The client"),
    "LoginOptions": ("options", "`login()` takes"),
    "TokenOptions": ("options", "`getToken()` takes"),
    "LogoutOptions": ("options", "`logout()` takes"),
    "Events": ("messages", "| event |"),
}


def told_after(heading: str) -> set[str]:
    """The names in the first column of the table that follows *heading*."""
    table = re.search(r"(?:^\|.*\n)+", PAGE[PAGE.index(heading) :], re.MULTILINE)
    assert table is not None
    rows = table[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`(\w+)", row.split("|")[1])}


def members_of(interface: str, source: str) -> set[str]:
    body = re.search(rf"^export interface {interface} \{{\n(.*?)^\}}", SOURCES[source], re.MULTILINE | re.DOTALL)
    assert body is not None
    return set(re.findall(r"^  (\w+)(?:<.*>)?\??[(:]", body[1], re.MULTILINE))


def codes() -> set[str]:
    """Whole ones, and those that are put together of a prefix and a reason."""
    found: set[str] = set()
    for text in SOURCES.values():
        reasons = set(re.findall(r'"([a-z_]+)"', "".join(re.findall(r"const wrong =(.*?);", text, re.DOTALL))))
        for raised in re.findall(r"new ProofkeyError\((.*)\)", text):
            said = set(re.findall(r'"([a-z_]+)"', raised))
            prefix = "".join(one for one in said if one.endswith("_"))
            found |= {prefix + one for one in (said | reasons if prefix and "wrong" in raised else said) - {prefix}}
    return found


@pytest.mark.parametrize("interface", TABLES)
def test_its_tables_name_what_the_source_has(interface: str) -> None:
    source, heading = TABLES[interface]
    assert members_of(interface, source) == told_after(heading)


def test_it_explains_every_code() -> None:
    assert codes() == told_after("| code |")
