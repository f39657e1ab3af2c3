"""Pictures small enough for a repository: a screenshot's PNG with 256 well-chosen colours (PNG, ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 6: 4}
Colour = tuple[int, int, int]


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    assert png.startswith(SIGNATURE)
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def with_few_colours(png: bytes) -> bytes:
    """The same picture with a palette; each other colour becomes the nearest one in it."""
    width, height = size_of(png)
    pixels = [(row[at], row[at + 1], row[at + 2]) for row, step in _rows(png) for at in range(0, len(row), step)]
    counted = Counter(pixels)
    palette = _palette(counted)
    place = {colour: _nearest(colour, palette) for colour in counted}
    indices = bytes(place[colour] for colour in pixels)
    lines = b"".join(b"\0" + indices[at : at + width] for at in range(0, len(indices), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    flat = bytes(part for colour in palette for part in colour)
    chunks = [(b"IHDR", header), (b"PLTE", flat), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)


def _palette(counted: Counter[Colour]) -> list[Colour]:
    """Up to 256 colours: each the one that would be missed most, being common and far from those chosen before."""
    chosen: list[Colour] = []
    missed = {colour: float(count) for colour, count in counted.items()}
    while missed and len(chosen) < 256:
        chosen.append(max(missed, key=lambda colour: missed[colour]))
        for colour in missed:
            nearest = counted[colour] * _distance(colour, chosen[-1])
            missed[colour] = nearest if len(chosen) == 1 else min(missed[colour], nearest)
        missed = {colour: weight for colour, weight in missed.items() if weight > 0}
    return chosen


def _distance(one: Colour, other: Colour) -> int:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2


def _nearest(colour: Colour, palette: list[Colour]) -> int:
    distances = [_distance(colour, one) for one in palette]
    return distances.index(min(distances))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _rows(png: bytes) -> Iterator[tuple[bytes, int]]:
    """Each row of pixels, unfiltered, and how many bytes a pixel has (§9)."""
    width, height = size_of(png)
    depth, colours, _, _, interlaced = png[24:29]
    assert (8, 0, True) == (depth, interlaced, colours in _CHANNELS)
    step, data, at = _CHANNELS[colours], b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        data += png[at + 8 : at + 8 + length] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += length + 12
    filtered, above = zlib.decompress(data), bytes(width * step)
    for number in range(height):
        start = number * (width * step + 1)
        above = _unfilter(filtered[start], filtered[start + 1 : start + 1 + width * step], above, step)
        yield above, step


def _unfilter(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    row = bytearray(line)
    for at in range(len(row)):
        left = row[at - step] if at >= step else 0
        corner = above[at - step] if at >= step else 0
        guess = (0, left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))[kind]
        row[at] = (row[at] + guess) & 255
    return bytes(row)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda one: abs(guess - one))
