"""YAML text → plain values that remember where they stood (YAML 1.2 core schema, less what makes files ambiguous).

1. Refused: duplicate keys, keys that are not text, anchors, aliases, tags, several documents, more than 20 levels.
2. `yes`, `on`, `012` and `12:30` are text: only true, false, null and plain decimal numbers are anything else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

MAX_DEPTH = 20
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
Events: TypeAlias = Iterator[Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int


class Misplaced(Exception):
    """Something at a place of a file is not as it must be. `expected` says what would be."""

    def __init__(self, place: Place, expected: str) -> None:
        super().__init__(f"{place.line}:{place.column}: {expected}")
        self.place = place
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Node:
    """A value, where it stands, what stands in it, and where its keys stand."""

    value: Any
    place: Place
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)


def parse_yaml(text: str) -> Node:
    """The one document in *text*. Raises `Misplaced`."""
    try:
        events = yaml.parse(text, Loader=_LOADER)
        return _document(events)
    except yaml.MarkedYAMLError as broken:
        raise Misplaced(_place(broken.problem_mark or broken.context_mark), str(broken.problem)) from None
    except yaml.YAMLError as broken:
        raise Misplaced(Place(1, 1), f"not YAML: {broken}") from None


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)


def _document(events: Events) -> Node:
    root: Node | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent) and root is not None:
            raise Misplaced(_place(event.start_mark), "one document only")
        if isinstance(event, yaml.NodeEvent):
            root = _node(event, events, 0)
    if root is None:
        raise Misplaced(Place(1, 1), "the file is empty")
    return root


def _node(event: Any, events: Events, depth: int) -> Node:
    place = _place(event.start_mark)
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise Misplaced(place, "anchors and aliases are not allowed: write the value out")
    if event.tag is not None:
        raise Misplaced(place, f"tags such as {event.tag} are not allowed")
    if depth > MAX_DEPTH:
        raise Misplaced(place, f"more than {MAX_DEPTH} levels deep")
    if isinstance(event, yaml.ScalarEvent):
        return Node(_scalar(event, place), place)
    if isinstance(event, yaml.SequenceStartEvent):
        return _sequence(place, events, depth)
    return _mapping(place, events, depth)


def _scalar(event: Any, place: Place) -> Any:
    text: str = event.value
    if event.style:
        return text
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return _finite(float(text), place)
    return text


def _finite(number: float, place: Place) -> float:
    if not math.isfinite(number):
        raise Misplaced(place, "a number within range")
    return number


def _sequence(place: Place, events: Events, depth: int) -> Node:
    node = Node([], place)
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            break
        child = _node(event, events, depth + 1)
        node.children[len(node.value)] = child
        node.value.append(child.value)
    return node


def _mapping(place: Place, events: Events, depth: int) -> Node:
    node = Node({}, place)
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        key = _node(event, events, depth + 1)
        if not isinstance(key.value, str):
            raise Misplaced(key.place, "a key must be text: put it in quotes")
        if key.value in node.keys:
            raise Misplaced(key.place, f"`{key.value}` stands here twice")
        child = _node(next(events), events, depth + 1)
        node.keys[key.value] = key.place
        node.children[key.value] = child
        node.value[key.value] = child.value
    return node
