"""YAML with positions: what values are, and that nothing but a refusal ever comes out of nonsense."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proofkey.server.tenancy.contradiction import Contradiction
from proofkey.server.tenancy.declaration import declare
from proofkey.server.tenancy.declaration_file import _convert
from proofkey.server.tenancy.file_positions import Misplaced, Place, parse_yaml
from proofkey.server.tenancy.file_schema import FileSchema

EXAMPLE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text().split("```yaml\n")[1].split("```")[0]
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-_", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None), ("null", None), ("true", True), ("False", False), ("yes", "yes"), ("on", "on"), ("NO", "NO"),
        ("0", 0), ("-7", -7), ("012", "012"), ("0x10", "0x10"), ("1_000", "1_000"), ("12:30", "12:30"),
        ("1.5", 1.5), ("1e3", 1000.0), (".5", ".5"), (".inf", ".inf"), ("2026-11-21", "2026-11-21"), ("'1'", "1"),
        ('"a\\nb"', "a\nb"), ("|\n  a\n  b\n", "a\nb\n"), ("5m", "5m"), ("<<", "<<"),
    ],
)  # fmt: skip
def test_a_scalar_is_what_it_looks_like(text: str, value: object) -> None:
    found = parse_yaml(text).value
    assert (value, type(value)) == (found, type(found))


def test_everything_knows_where_it_stands() -> None:
    root = parse_yaml("a:\n  - b: 1\n    c: [x, y]\n")
    second = root.children["a"].children[0]
    assert Place(2, 5) == second.place
    assert Place(3, 5) == second.keys["c"]
    assert Place(3, 12) == second.children["c"].children[1].place


@given(JSON)
def test_json_is_read_as_json(value: Any) -> None:
    assert value == parse_yaml(json.dumps(value, ensure_ascii=False)).value


@given(st.text())
@example("\x00")
@example("a: b: c")
@example("? a")
@example("%YAML 9.9\n---\na")
@example("\ufeffa: 1")
def test_nonsense_is_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(Misplaced):
        parse_yaml(text)


@given(st.integers(0, len(EXAMPLE) - 1), st.integers(0, 40), st.text(max_size=12))
def test_a_damaged_file_is_refused_or_still_a_declaration(start: int, cut: int, put_in: str) -> None:
    text = EXAMPLE[:start] + put_in + EXAMPLE[start + cut :]
    with contextlib.suppress(Misplaced, Contradiction):
        declare(_convert(parse_yaml(text), FileSchema), resolve=lambda _secret: "a-secret-of-many-random-characters")
