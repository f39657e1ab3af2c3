"""The files a page loads: read once, named by what is in them, cacheable for ever.

1. A name holds the hash of the bytes (`/static/site.3f2a91c4.css`): what is behind an address never changes.
2. The addresses are root-relative, so that they hold on a shared origin and on a workspace's own domain alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import PurePath
from types import MappingProxyType
from typing import TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]
StaticFile: TypeAlias = tuple[Headers, bytes]

_TYPES = {".css": b"text/css; charset=utf-8", ".js": b"text/javascript; charset=utf-8", ".svg": b"image/svg+xml"}


def _headers(content_type: bytes, length: int) -> Headers:
    """For ever and for everybody (RFC 8246), and never as anything but what it is."""
    return [
        (b"content-type", content_type),
        (b"content-length", str(length).encode("ascii")),
        (b"cache-control", b"public, max-age=31536000, immutable"),
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]


def _read() -> Iterator[tuple[str, str, StaticFile]]:
    for entry in sorted(files(__package__).joinpath("static").iterdir(), key=lambda entry: entry.name):
        name = PurePath(entry.name)
        if name.suffix not in _TYPES:
            continue
        body = entry.read_bytes()
        address = f"/static/{name.stem}.{sha256(body).hexdigest()[:12]}{name.suffix}"
        yield entry.name, address, (_headers(_TYPES[name.suffix], len(body)), body)


_FILES = tuple(_read())

STATIC: Mapping[str, StaticFile] = MappingProxyType({address: file for _, address, file in _FILES})
"""What to answer at each path: headers (names in lower case, as ASGI wants them) and body."""

_ADDRESSES = {name: address for name, address, _ in _FILES}


def static_address(name: str) -> str:
    """The root-relative address of the file called *name*. KeyError: there is none."""
    return _ADDRESSES[name]
