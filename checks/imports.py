"""Who may import whom: each part's allow-list, of our own modules and of the standard library and packages.

Direct imports are judged here, part by part. What must not be reachable by any detour (a guard that drags in the
server, rules that drag in a framework) is judged by import-linter's contracts in pyproject.toml.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checks.source_files import ROOT, find_files, report

PURE = {
    *("__future__", "abc", "base64", "binascii", "collections", "dataclasses", "enum", "functools", "hashlib", "hmac"),
    *(
        "ipaddress",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "string",
        "textwrap",
        "types",
        "typing",
        "unicodedata",
    ),
    "urllib.parse",
}
"""The standard library's part that `protocol` may use: nothing that reads, waits, asks the time or throws dice."""

FRAMEWORKS = {"starlette", "uvicorn", "jinja2", "asyncpg", "apsw", "click", "rich", "typer", "fastapi"}
INJECTED = ("server.config", "clock", "server.entropy")
CORE = tuple(f"server.{name}" for name in ("cookie", "engine", "issuer", "keys", "master_key", "sealed"))
"""What flows work with: the deployment's keys and seals, and an issuer and its process at run time."""

FLOW = ("protocol", "jose", "seal", "server.store.contract", "server.identity", *CORE, *INJECTED)
EDGE = ("protocol", "server.asgi", "server.flows", "server.identity", "server.tenancy", *CORE, *INJECTED)
STORE_INSIDES = ("server.store.sql", "server.store.sqlite", "server.store.postgres")


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the source may import.

    `ours` are the parts of proofkey it may use beside itself (None: all). `never` are parts no detour excuses.
    `outside` are the packages beyond the standard library it may use (None: any but `unwelcome`).
    """

    ours: tuple[str, ...] | None
    outside: frozenset[str] | None = None
    never: tuple[str, ...] = ()
    unwelcome: frozenset[str] = frozenset()


NO_FRAMEWORK = frozenset(FRAMEWORKS)
ADAPTED = frozenset({"asgiref", "django", "flask", "werkzeug"})
"""Frameworks that only an adapter of their own name knows."""

PARTS = {
    "protocol": Part((), frozenset()),
    "jose": Part(("protocol.base64url", "protocol.errors"), frozenset({"joserfc", "cryptography", "msgspec"})),
    "possession": Part(("protocol", "jose"), frozenset({"cryptography", "msgspec"})),
    "seal": Part(("protocol.base64url",), frozenset({"cryptography", "msgspec"})),
    "server.config": Part(("protocol",)),
    "clock": Part(()),
    "server.entropy": Part(("protocol.base64url",)),
    "server.asgi": Part(("protocol",), frozenset()),
    "server.master_key": Part(("seal",)),
    "server.sealed": Part(("protocol", "seal", *INJECTED), unwelcome=NO_FRAMEWORK),
    "server.keys": Part(("protocol", "jose", "seal", "server.master_key", "server.store.contract", *INJECTED)),
    "server.engine": Part((*FLOW, "server.flows.access_token"), unwelcome=NO_FRAMEWORK),
    "server.store": Part(("protocol", *INJECTED)),
    "server.flows": Part(FLOW, unwelcome=NO_FRAMEWORK),
    "server.identity": Part(FLOW, unwelcome=NO_FRAMEWORK),
    "server.tenancy": Part(FLOW, unwelcome=NO_FRAMEWORK),
    "server.http": Part(EDGE),
    "server.pages": Part(EDGE),
    "server.admin": Part(EDGE),
    "server.app": Part(None),
    "server": Part(FLOW),
    "loop_thread": Part((), frozenset()),
    "client": Part(
        ("protocol", "jose", "possession", "seal", "clock", "loop_thread", "client.web"),
        unwelcome=frozenset({"starlette", "uvicorn", "apsw", "asyncpg"}),
    ),
    "client.web": Part(
        ("protocol", "jose", "possession", "seal", "clock", "loop_thread", "client"),
        unwelcome=NO_FRAMEWORK | ADAPTED | {"redis"},
    ),
    "client.web.store.postgres": Part(("client.web",), frozenset({"asyncpg"})),
    "client.web.store.redis": Part(("client.web",), frozenset({"redis"})),
    "client.web.fastapi": Part(("client.web",), frozenset({"fastapi"})),
    "client.web.django": Part(("client.web",), frozenset({"asgiref", "django"})),
    "guard": Part(
        ("protocol", "jose", "possession", "clock", "loop_thread", "guard.replay"),
        unwelcome=NO_FRAMEWORK | ADAPTED | {"click", "redis"},
    ),
    "guard.replay": Part(("protocol", "guard"), frozenset({"redis"})),
    "guard.fastapi": Part(("protocol", "guard"), frozenset({"fastapi"})),
    "guard.flask": Part(("protocol", "guard"), frozenset({"flask"})),
    "guard.django": Part(("protocol", "guard"), frozenset({"asgiref", "django"})),
    "testing": Part(None, never=STORE_INSIDES),
    "cli": Part(None, never=STORE_INSIDES),
    "demo": Part(None, never=STORE_INSIDES),
    "__main__": Part(("cli",)),
    "": Part(()),
}
"""Longest prefix wins. `server` stands for the files right under server/ that have no line of their own."""

APP_IMPORTERS = ("cli", "demo", "testing")
"""Only these, and the re-export in server/__init__.py, may import server.app."""

ONLY = {"joserfc": ("jose",), "cryptography.hazmat.primitives.ciphers": ("seal",)}
"""Packages with one door: the JOSE library, and the AEAD."""

IMPURE = {"time", "random", "secrets", "datetime", "uuid"}
"""What tells the time or throws dice. The engine gets both injected, so that a test can turn its clock."""

IMPURE_PLACES = (
    "clock",
    "server.store.sqlite",
    "server.local_ca",
    "guard.fetched",
    "guard.introspection",
    "guard.replay",
    "client.answer",
    "client.issuer",
    "client.lock",
    "client.loopback",
    "client.native",
    "client.web.store.sqlite",
    "cli",
    "demo",
)
"""Where it is injected from, and what is not the engine; SQLite's driver only counts how long it waits for a lock."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement's target, where it stands, and by which module."""

    place: str
    importer: str
    target: str


def within(name: str, part: str) -> bool:
    """Whether the dotted *name* is *part* or lies under it."""
    return name == part or name.startswith(f"{part}.")


def part_of(module: str) -> str:
    """The most exactly named part that *module* belongs to."""
    return max((part for part in PARTS if part and within(module, part)), key=len, default="")


def module_name(path: Path) -> str:
    """`server.app` for src/proofkey/server/app.py."""
    parts = path.relative_to(ROOT / "src" / "proofkey").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_imports(path: Path) -> Iterator[Import]:
    """Every import in *path*; `from package import module` counts as that module where it is one of ours."""
    importer = module_name(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        for target in targets:
            yield Import(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", importer, target)


def judge_ours(found: Import) -> Iterator[str]:
    """What is wrong with importing one of our own modules."""
    target = found.target.removeprefix("proofkey.")
    home, away = part_of(found.importer), part_of(target)
    part = PARTS[home]
    if away == "server.app" != home:
        if home not in APP_IMPORTERS and found.importer != "server":
            yield f"{found.place}: only {', '.join(APP_IMPORTERS)} and server/__init__.py may import server.app"
        return
    allowed = part.ours is None or home == away or any(within(target, ours) for ours in part.ours)
    if not allowed or any(within(target, never) for never in part.never):
        yield f"{found.place}: {home or 'proofkey'} may not import {found.target}"


def judge_outside(found: Import) -> Iterator[str]:
    """What is wrong with importing somebody else's package, or the standard library's."""
    home, top = part_of(found.importer), found.target.split(".")[0]
    part = PARTS[home]
    if home == "protocol" and not any(within(found.target, pure) for pure in PURE):
        yield f"{found.place}: the rules are pure; {found.target} is not on their list"
    elif top not in sys.stdlib_module_names:
        if part.outside is not None and top not in part.outside:
            yield f"{found.place}: {home} may not import {top}"
        if top in part.unwelcome:
            yield f"{found.place}: {home} may not import {top}"
    if top in IMPURE and not any(within(found.importer, place) for place in IMPURE_PLACES):
        yield f"{found.place}: time and randomness are injected; {found.importer} may not import {top}"
    for package, doors in ONLY.items():
        if within(found.target, package) and home not in doors:
            yield f"{found.place}: only {', '.join(doors)} imports {package}"


def main() -> None:
    """Judge every import in src/."""
    complaints: list[str] = []
    for path in find_files("src/proofkey/*.py"):
        for found in read_imports(path):
            ours = within(found.target, "proofkey")
            complaints.extend(judge_ours(found) if ours else judge_outside(found))
    report("imports", sorted(set(complaints)))


if __name__ == "__main__":
    main()
