"""How a client says who it is: none, client_secret_basic or client_secret_post (RFC 6749 §2.3, RFC 8252 §8.4).

1. One way at a time: Basic together with a client_secret in the body is refused.
2. Basic and post are one method; a public client sends its id alone, or Basic with an empty secret.
3. A public client that sends a secret is refused: the secret is not one.
"""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from urllib.parse import quote_plus, unquote_to_bytes

from proofkey.protocol.errors import InvalidClient, InvalidRequest
from proofkey.protocol.parameters import CONTROL
from proofkey.protocol.record import record
from proofkey.protocol.records import Client

_TOKEN68 = re.compile(rb"[A-Za-z0-9+/]+=*")
_MAX_HEADER = 4_096


@record(frozen=True, slots=True)
class Credentials:
    """Who the caller says it is, and with what."""

    client_id: str
    client_secret: str | None


def parse_credentials(authorization: bytes | None, params: Mapping[str, str]) -> Credentials:
    """Read the Authorization header and the body, which must not both carry a secret (RFC 6749 §2.3)."""
    client_id, secret = params.get("client_id"), params.get("client_secret")
    if authorization is None or authorization[:6].lower() != b"basic ":
        if client_id is None:
            raise InvalidRequest("client_id_missing", "client_id is required")
        return Credentials(client_id, secret)
    basic = _parse_basic(authorization)
    if secret is not None:
        raise InvalidRequest(
            "client_authenticated_twice", "Send client_secret in the header or in the body, not in both"
        )
    if client_id is not None and client_id != basic.client_id:
        raise InvalidRequest("client_id_differs", "client_id differs from the one in the Authorization header")
    return basic


def write_basic(client_id: str, client_secret: str) -> str:
    """The Authorization header of a client that authenticates so: each half percent-encoded first (RFC 6749 §2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return f"Basic {b64encode(pair.encode('ascii')).decode('ascii')}"


def _parse_basic(authorization: bytes) -> Credentials:
    """RFC 7617, each half percent-encoded before (RFC 6749 §2.3.1)."""
    token = authorization[6:].strip()
    if len(token) > _MAX_HEADER or not _TOKEN68.fullmatch(token):
        raise InvalidClient("basic_malformed")
    try:
        raw_id, colon, raw_secret = b64decode(token, validate=True).partition(b":")
        client_id, secret = _unquote(raw_id), _unquote(raw_secret)
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidClient("basic_not_decodable") from None
    if not colon or not client_id:
        raise InvalidClient("basic_without_id")
    if CONTROL.search(client_id) or CONTROL.search(secret):
        raise InvalidClient("basic_control_character")
    return Credentials(client_id, secret or None)


def _unquote(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")


def check_client(client: Client | None, sent: Credentials, sent_hash: bytes | None) -> Client:
    """The client, if it proved itself. *sent_hash* is the keyed hash of the secret that was sent, if any."""
    if client is None:
        raise InvalidClient("client_unknown")
    if client.secret_hash is None:
        if sent.client_secret is not None:
            raise InvalidClient("public_client_with_secret")
        return client
    if sent_hash is None:
        raise InvalidClient("client_secret_missing")
    if not hmac.compare_digest(sent_hash, client.secret_hash):
        raise InvalidClient("client_secret_wrong")
    return client
