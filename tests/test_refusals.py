"""Every reason to say no is one literal at one place, has its paragraph in docs/refusals.md, and is named by a test."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from proofkey.protocol.errors import Refusal, Unanswerable

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
MANUAL = ROOT / "docs" / "refusals.md"
SLUG = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")


@dataclass(frozen=True)
class Raised:
    """One place where a refusal is made."""

    place: str
    kind: type[Refusal]
    reason: ast.expr | None
    description: ast.expr | None


def kind_called(call: ast.Call, module: object) -> type[Refusal] | None:
    """The class of refusal that *call* makes, if it makes one."""
    found = getattr(module, call.func.id, None) if isinstance(call.func, ast.Name) else None
    return found if isinstance(found, type) and issubclass(found, Refusal) else None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((given.value for given in call.keywords if given.arg == name), None)


def read_module(path: Path) -> Iterator[Raised]:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        kind = kind_called(node, module) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and kind is not None:
            reason = node.args[0] if node.args else keyword(node, "reason")
            description = node.args[1] if len(node.args) > 1 else keyword(node, "description")
            yield Raised(f"{path.relative_to(ROOT)}:{node.lineno}", kind, reason, description)


@cache
def raised() -> tuple[Raised, ...]:
    """Every refusal made anywhere in the source."""
    paths = [
        path
        for path in sorted(SOURCE.rglob("*.py"))
        if any(
            word in path.read_text() for word in ("Refusal", "Refused", "Rejected", "errors import", "refused import")
        )
    ]
    return tuple(found for path in paths for found in read_module(path))


def reason_of(found: Raised) -> str:
    assert isinstance(found.reason, ast.Constant), f"{found.place}: a reason is a literal"
    assert isinstance(found.reason.value, str), f"{found.place}: a reason is text"
    return found.reason.value


def reasons() -> dict[str, type[Refusal]]:
    """Each reason, and the public slugs that stand in for several, with the kind of refusal they belong to."""
    listed = {reason_of(found): found.kind for found in raised()}
    return listed | {found.kind.public: found.kind for found in raised() if found.kind.public is not None}


SPOKEN_AT = {"CommandRefused": 2, "_last_words": 2, "DirectoryRefused": 0, "SignInRefused": 0}
"""Refusals that are no OAuth errors, and which argument is their slug."""

IN_BRACKETS = re.compile(r"\[([a-z0-9]+(?:_[a-z0-9]+)+)\]$")


def spoken_by(node: ast.AST) -> str | None:
    """The slug of a refusal that is made without one of the protocol's classes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        found = IN_BRACKETS.search(node.value)
        return found[1] if found else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SPOKEN_AT:
        slug = node.args[SPOKEN_AT[node.func.id] : SPOKEN_AT[node.func.id] + 1]
        return slug[0].value if slug and isinstance(slug[0], ast.Constant) and isinstance(slug[0].value, str) else None
    return None


@cache
def other_slugs() -> frozenset[str]:
    """What commands, directories and the sign-in page say; the sample API is a sample."""
    paths = [path for path in SOURCE.rglob("*.py") if path.name != "api.py" or path.parent.name != "demo"]
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return frozenset(slug for slug in map(spoken_by, nodes) if slug is not None)


@cache
def paragraphs() -> dict[str, str]:
    """What the manual says under each slug."""
    found = re.split(r"^### (\S+)$", MANUAL.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(set(found[1::2])) == sorted(found[1::2]), "a slug is documented once"
    return dict(zip(found[1::2], found[2::2], strict=True))


@cache
def read_tests() -> str:
    paths = [path for path in sorted((ROOT / "tests").rglob("*.py")) if "node_modules" not in path.parts]
    vectors = sorted((ROOT / "vectors").glob("*.json"))
    return "\n".join(path.read_text(encoding="utf-8") for path in (*paths, *vectors) if path != Path(__file__))


def test_refusals_are_found_at_all() -> None:
    assert {"pkce_mismatch", "redirect_uri_mismatch", "code_replayed"} <= set(reasons())


def test_every_reason_is_a_literal_slug() -> None:
    assert [] == [found.place for found in raised() if not SLUG.fullmatch(reason_of(found))]


def test_every_reason_is_raised_at_one_place() -> None:
    counted = Counter(reason_of(found) for found in raised())
    assert {} == {reason: count for reason, count in counted.items() if count > 1}


def is_constant(description: ast.expr) -> bool:
    """A literal, or text made of literals and module constants; never of what was sent."""
    if isinstance(description, ast.Attribute):
        return description.attr == "description"
    names = [node for node in ast.walk(description) if isinstance(node, ast.Name)]
    return isinstance(description, ast.Constant | ast.JoinedStr) and all(CONSTANT.fullmatch(name.id) for name in names)


def test_every_description_is_constant() -> None:
    spoken = [found for found in raised() if found.description is not None]
    assert [] == [found.place for found in spoken if found.description and not is_constant(found.description)]


def test_a_description_holds_only_what_rfc_6749_allows() -> None:
    literals = {
        found.place: ast.literal_eval(found.description)
        for found in raised()
        if isinstance(found.description, ast.Constant)
    }
    allowed = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")
    assert {} == {place: text for place, text in literals.items() if not allowed.fullmatch(text)}


def test_the_manual_has_every_reason_and_no_other() -> None:
    assert sorted({*reasons(), *other_slugs()}) == sorted(paragraphs())


def code_of(kind: type[Refusal]) -> str:
    """The OAuth code; `page` where only the person hears it, `answer` where the code is the answering server's own."""
    return getattr(kind, "code", "page" if issubclass(kind, Unanswerable) else "answer")


def test_the_manual_names_the_error_code_that_goes_with_each_reason() -> None:
    stated = {slug: text.strip().partition(" ")[0].strip("`*") for slug, text in paragraphs().items()}
    expected = {slug: code_of(kind) for slug, kind in reasons().items()}
    assert expected == {slug: stated.get(slug) for slug in expected}


def test_the_manual_says_how_to_mend_each() -> None:
    assert [] == [slug for slug, text in paragraphs().items() if "**Mend:**" not in text]


def test_some_test_names_every_reason() -> None:
    tested = set(re.findall(r"[a-z0-9_]+", read_tests()))
    assert [] == sorted(set(reasons()) - tested)
