"""Base64url without padding, in its one spelling (RFC 7515 §2; RFC 4648 §3.5, §5).

Whatever is read is refused with padding, with characters of another alphabet, and with stray bits in its last character.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

_URLSAFE = bytes.maketrans(b"+/", b"-_")
_PLAIN = bytes.maketrans(b"-_+/=", b"+/???")
_PADDING = (b"", b"===", b"==", b"=")
_LAST = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
"""The characters whose bits beyond the last whole byte are zero, by the length's rest."""


def encode_base64url(octets: bytes) -> str:
    """The text that stands for *octets*."""
    return encode_octets(octets).decode("ascii")


def decode_base64url(text: str) -> bytes:
    """What *text* stands for. Raises `ValueError`."""
    return decode_octets(text.encode("ascii"))


def encode_octets(octets: bytes) -> bytes:
    """`encode_base64url` for those who go on in ASCII bytes."""
    return b2a_base64(octets, newline=False).translate(_URLSAFE, b"=")


def decode_octets(part: bytes) -> bytes:
    """`decode_base64url` for those who have ASCII bytes."""
    rest = len(part) % 4
    if rest == 1 or (rest and part[-1] not in _LAST[rest]):
        raise ValueError("not canonical base64url")
    return a2b_base64(part.translate(_PLAIN) + _PADDING[rest], strict_mode=True)
