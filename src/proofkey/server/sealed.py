"""What travels sealed instead of being stored: pending requests, codes, form tickets and refresh tokens.

1. A sealed request says what was asked, never what was proven; only a code asserts a person.
2. The payload repeats the workspace, and opening compares it.
3. A refresh token is not encrypted but authenticated: it says nothing of the person, and a forged one reaches no database.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from operator import attrgetter

import msgspec

from proofkey.protocol.authorize import AuthorizeRequest
from proofkey.protocol.base64url import encode_base64url
from proofkey.protocol.record import record
from proofkey.protocol.records import AuthorizationCode, CodeChallenge
from proofkey.protocol.refresh_token import RefreshToken
from proofkey.seal import Seal, SealBroken, decode_sealed, derive_key
from proofkey.server.entropy import Entropy

_CODE_FIELDS = attrgetter(*(name for name in AuthorizationCode.__slots__ if name != "challenge"))
_CODE = msgspec.msgpack.Decoder(
    tuple[
        bytes | None, str, bytes, str, str, int, bytes, bytes | None, str, bool, str | None,
        tuple[str, ...], tuple[str, ...], str, int, str, tuple[str, ...], int,
    ]
)  # fmt: skip
_REQUEST = msgspec.msgpack.Decoder(tuple[str, AuthorizeRequest])
_TICKET = msgspec.msgpack.Decoder(tuple[str, str, bytes, bytes])


def seal_code(seal: Seal, code: AuthorizationCode, entropy: Entropy) -> str:
    """The code as the client carries it."""
    digest = code.challenge.digest if code.challenge else None
    return seal.close((digest, *_CODE_FIELDS(code)), entropy(12))


def open_code(seal: Seal, text: str, workspace_id: str) -> AuthorizationCode:
    """What a code says. Raises `SealBroken`."""
    try:
        digest, *rest = _CODE.decode(seal.open(text))
    except msgspec.DecodeError as broken:
        raise SealBroken from broken
    ours, id_, client, user, epoch, session, consent, uri, sent, *last = rest
    if ours != workspace_id:
        raise SealBroken
    challenge = None if digest is None else CodeChallenge(digest)
    return AuthorizationCode(ours, id_, client, user, epoch, session, consent, uri, sent, challenge, *last)  # type: ignore[arg-type]


def seal_request(seal: Seal, request: AuthorizeRequest, workspace_id: str, entropy: Entropy) -> str:
    """A pending request as the pages carry it in their forms."""
    return seal.close((workspace_id, request), entropy(12))


def open_request(seal: Seal, text: str, workspace_id: str) -> AuthorizeRequest:
    """The pending request. Raises `SealBroken`."""
    try:
        ours, request = _REQUEST.decode(seal.open(text))
    except msgspec.DecodeError as broken:
        raise SealBroken from broken
    if ours != workspace_id:
        raise SealBroken
    return request


@record(frozen=True, slots=True)
class Ticket:
    """Binds a decision form to one session and one request, so that no other page can submit it."""

    purpose: str
    session_id: bytes
    request_id: bytes


def seal_ticket(seal: Seal, ticket: Ticket, workspace_id: str, entropy: Entropy) -> str:
    """The hidden field of a decision form."""
    return seal.close((workspace_id, ticket.purpose, ticket.session_id, ticket.request_id), entropy(12))


def opens(seal: Seal, text: str | None, expected: Ticket, workspace_id: str) -> bool:
    """True where *text* is the sealed ticket for exactly this purpose, session and request."""
    try:
        ours, purpose, session_id, request_id = _TICKET.decode(seal.open(text or ""))
    except (SealBroken, msgspec.DecodeError):
        return False
    return ours == workspace_id and Ticket(purpose, session_id, request_id) == expected


class RefreshTokens:
    """Writes and reads refresh tokens: grant id, counter, secret, key generation, and a MAC over them (BLAKE2b, RFC 7693)."""

    __slots__ = ("_keys", "active")

    _GRANT, _COUNTER, _SECRET, _KEY, _MAC = 16, 4, 16, 2, 16

    def __init__(self, secrets: Mapping[int, bytes], active: int, workspace_id: str, issuer: str) -> None:
        context = f"refresh_token\0{workspace_id}\0{issuer}"
        self._keys = {generation: derive_key(secret, context) for generation, secret in secrets.items()}
        self.active = active

    def write(self, grant_id: bytes, counter: int, secret: bytes, key: int) -> str:
        """The token with that counter; the same arguments give the same token."""
        body = grant_id + counter.to_bytes(self._COUNTER, "big") + secret + key.to_bytes(self._KEY, "big")
        return encode_base64url(body + self._mac(key, body))

    def read(self, text: str, workspace_id: str) -> RefreshToken:
        """What an authentic token says. Raises `SealBroken` for every other text."""
        body_length = self._GRANT + self._COUNTER + self._SECRET + self._KEY
        if len(text) > 128:
            raise SealBroken
        raw = decode_sealed(text)
        if len(raw) != body_length + self._MAC:
            raise SealBroken
        body, mac = raw[:body_length], raw[body_length:]
        key = int.from_bytes(body[-self._KEY :], "big")
        if key not in self._keys or not hmac.compare_digest(self._mac(key, body), mac):
            raise SealBroken
        return RefreshToken(
            workspace_id=workspace_id,
            grant_id=body[: self._GRANT],
            counter=int.from_bytes(body[self._GRANT : self._GRANT + self._COUNTER], "big"),
            secret=body[self._GRANT + self._COUNTER : -self._KEY],
            key=key,
        )

    def _mac(self, key: int, body: bytes) -> bytes:
        return hashlib.blake2b(body, key=self._keys[key], digest_size=self._MAC).digest()
