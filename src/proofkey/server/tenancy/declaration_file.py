"""proofkey.yaml → `FileSchema` and `Declaration`; whatever is wrong is refused as `file:line:column: what was expected`."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from proofkey.server.tenancy.contradiction import Contradiction, DeclarationRefused
from proofkey.server.tenancy.declaration import declare
from proofkey.server.tenancy.declared import Declaration
from proofkey.server.tenancy.file_positions import Misplaced, Node, parse_yaml
from proofkey.server.tenancy.file_schema import KEYED, FileSchema, Reference, Secret
from proofkey.server.tenancy.file_words import in_words

MAX_FILE = 8 * 1024 * 1024
MAX_SECRET = 64 * 1024
_FAULT = re.compile(r"(?P<text>.*?)(?: - at `(?:key in )?\$(?P<path>[^`]*)`)?", re.DOTALL)
_SEGMENT = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeclarationFile:
    """A file that was read: where from, its parts with strict types, and its tree with positions."""

    path: Path
    schema: FileSchema
    root: Node

    def declare(self, *, development: bool = False) -> Declaration:
        """What the part `tenants:` declares. Raises `DeclarationRefused`."""
        try:
            return declare(self.schema, resolve=self.resolve, development=development)
        except Contradiction as found:
            raise self.refusal(found.path, found.expected) from None

    def resolve(self, secret: Secret) -> str:
        """The secret itself. Raises `LookupError`, whose message names the missing place and never a value."""
        if isinstance(secret, str):
            return secret
        return self._from_env(secret) if secret.env is not None and secret.file is None else self._from_file(secret)

    def _from_env(self, reference: Reference) -> str:
        found = os.environ.get(reference.env or "")
        if not found:
            raise LookupError(f"the environment variable {reference.env} is not set")
        return found

    def _from_file(self, reference: Reference) -> str:
        if reference.file is None or reference.env is not None:
            raise LookupError("a reference has one key: env or file")
        try:
            return _read_secret(self.path.parent / reference.file).removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as failed:
            why = getattr(failed, "strerror", None) or failed
            raise LookupError(f"the file {reference.file} cannot be read: {why}") from None

    def refusal(self, path: Sequence[str | int], expected: str) -> DeclarationRefused:
        """The refusal of what stands at *path*, or of the nearest thing that does."""
        node = self.root
        for step in path:
            if step not in node.children:
                break
            node = node.children[step]
        return DeclarationRefused(str(self.path), node.place.line, node.place.column, expected)


def _read_secret(path: Path) -> str:
    """The text of a regular file. Anything else may never answer, or never end. Raises `OSError`, `ValueError`."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a regular file")
        secret = file.read(MAX_SECRET + 1)
    if len(secret) > MAX_SECRET:
        raise ValueError(f"more than {MAX_SECRET} bytes")
    return secret.decode("utf-8")


def read_declaration_file(path: Path) -> DeclarationFile:
    """Read, parse and convert. Raises `DeclarationRefused`."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1).decode("utf-8")
    except UnicodeDecodeError:
        raise DeclarationRefused(str(path), 1, 1, "must be UTF-8 text") from None
    except OSError as failed:
        raise DeclarationRefused(str(path), 1, 1, f"cannot be read: {failed.strerror}") from None
    if len(text) > MAX_FILE:
        raise DeclarationRefused(str(path), 1, 1, f"more than {MAX_FILE} bytes")
    try:
        root = parse_yaml(text)
        return DeclarationFile(path, _convert(root, FileSchema), root)
    except Misplaced as found:
        raise DeclarationRefused(str(path), found.place.line, found.place.column, found.expected) from None


def _convert(node: Node, schema: type[T]) -> T:
    try:
        return msgspec.convert(node.value, schema, strict=True)
    except msgspec.ValidationError as fault:
        raise _misplaced(str(fault), node) from None


def _misplaced(fault: str, node: Node) -> Misplaced:
    """Find the place a conversion error speaks of. msgspec writes `[...]` for a key of a mapping: each is tried."""
    found = _FAULT.fullmatch(fault)
    text, path = (found["text"], found["path"] or "") if found else (fault, "")
    under = ""
    for segment in _SEGMENT.finditer(path):
        if segment["index"] == "...":
            return _first_misplaced(text, node, KEYED[under])
        under = segment["name"] or under
        node = node.children[segment["name"] or int(segment["index"])]
    if unknown := _UNKNOWN.fullmatch(text):
        return Misplaced(node.keys[unknown[1]], f"unknown key `{unknown[1]}`")
    if missing := _MISSING.fullmatch(text):
        return Misplaced(node.place, f"the key `{missing[1]}` is required here")
    return Misplaced(node.place, in_words(text, under))


def _first_misplaced(text: str, node: Node, schema: type) -> Misplaced:
    for child in node.children.values():
        try:
            msgspec.convert(child.value, schema, strict=True)
        except msgspec.ValidationError as fault:
            return _misplaced(str(fault), child)
    return Misplaced(node.place, in_words(text, ""))
