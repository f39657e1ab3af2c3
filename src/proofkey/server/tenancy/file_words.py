"""What a conversion error says (msgspec's words) → what whoever wrote proofkey.yaml reads: the values there may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import inspect

from proofkey.server.tenancy.file_schema import FileSchema

A_DURATION = "expected a duration such as 5m: a whole number and one of ms, s, m, h, d"
AN_ADDRESS = "expected an e-mail address such as alice@example.com"
_TYPES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}
_TYPE = re.compile(r"`([a-z |]+)`")


def in_words(fault: str, key: str) -> str:
    """What is expected of the value under *key* (empty: of a value that has none)."""
    if key == "email":
        return AN_ADDRESS
    for expected in _of(key, inspect.type_info(FileSchema)):
        if isinstance(expected, inspect.StrType) and expected.pattern:
            return A_DURATION
        if isinstance(expected, inspect.LiteralType):
            return f"expected one of {', '.join(map(str, expected.values))}"
    words = _TYPE.sub(lambda types: _either(types[1]), fault)
    quotes = ": put it in quotes" if "`str" in fault and re.search("got `(?:int|float|bool)`", fault) else ""
    return words[:1].lower() + words[1:] + quotes


def _either(types: str) -> str:
    return " or ".join(_TYPES[name] for name in types.split(" | ") if name != "null" or types == "null")


def _of(key: str, shape: Any) -> Iterator[Any]:
    """Every shape that a value under *key* may have, wherever in the file that key stands."""
    for field in _fields(shape):
        if field.name == key:
            yield from _alternatives(field.type)
        yield from _of(key, field.type)


def _fields(shape: Any) -> Iterator[Any]:
    for one in _alternatives(shape):
        if isinstance(one, inspect.StructType):
            yield from one.fields


def _alternatives(shape: Any) -> Iterator[Any]:
    """The shape itself, or those it is made of: members of a union, items of a list, values of a mapping."""
    match shape:
        case inspect.UnionType():
            for one in shape.types:
                yield from _alternatives(one)
        case inspect.ListType():
            yield from _alternatives(shape.item_type)
        case inspect.DictType():
            yield from _alternatives(shape.value_type)
        case _:
            yield shape
