"""Status, headers and bodies of protocol answers: the only place that knows HTTP's numbers (RFC 6749 §5, RFC 6750 §3)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from proofkey.protocol.challenge import write_challenge
from proofkey.protocol.errors import InsufficientScope, InvalidBearer, InvalidClient, InvalidToken, OAuthError, Refusal
from proofkey.protocol.records import Json
from proofkey.server.asgi import Headers, Response

STATUS: Mapping[str, int] = {
    "invalid_client": 401,
    "invalid_token": 401,
    "insufficient_scope": 403,
    "server_error": 500,
    "temporarily_unavailable": 503,
}
_encoder = msgspec.json.Encoder()
_PRIVATE: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),  # RFC 6749 §5.1
    (b"x-content-type-options", b"nosniff"),
]


def json_response(body: Json, status: int = 200, headers: Headers | None = None) -> Response:
    """A JSON answer that nobody may store (RFC 6749 §5.1)."""
    return json_bytes(_encoder.encode(body), status, headers)


def json_bytes(raw: bytes, status: int = 200, headers: Headers | None = None) -> Response:
    """The same, encoded already."""
    return Response(status, [*_PRIVATE, (b"content-length", b"%d" % len(raw)), *(headers or ())], raw)


def public_document(raw: bytes) -> Response:
    """Metadata and key sets: the same for everybody, for a short while."""
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"public, max-age=300"),
        (b"content-length", b"%d" % len(raw)),
        (b"x-content-type-options", b"nosniff"),
    ]
    return Response(200, headers, raw)


def status_of(refused: Refusal) -> int:
    """The HTTP status that goes with a refusal; 400 unless its code has one of its own (RFC 6749 §5.2)."""
    return STATUS.get(getattr(refused, "code", ""), 400)


def refusal(refused: OAuthError, realm: str, status: int | None = None, headers: Headers | None = None) -> Response:
    """`{"error", "error_description"}` with its status, and a challenge where one is due."""
    body = {"error": refused.code, "error_description": refused.error_description}
    return json_response(body, status or status_of(refused), [*_challenge(refused, realm), *(headers or ())])


def _challenge(refused: OAuthError, realm: str) -> Headers:
    if isinstance(refused, InvalidClient):
        return _challenged("Basic", realm=realm, charset="UTF-8")
    if isinstance(refused, InvalidToken | InsufficientScope | InvalidBearer):
        helps = {"scope": "openid"} if isinstance(refused, InsufficientScope) else {}
        told = refused.error_description
        return _challenged("Bearer", realm=realm, error=refused.code, error_description=told, **helps)
    return []


def _challenged(scheme: str, **parameters: str) -> Headers:
    return [(b"www-authenticate", write_challenge(scheme, parameters).encode())]


def bearer_missing(realm: str) -> Response:
    """No token was sent: a challenge without an error code (RFC 6750 §3.1)."""
    body = {
        "error": "invalid_token",
        "error_description": "Send an access token in the Authorization header [token_absent]",
    }
    return json_response(body, 401, _challenged("Bearer", realm=realm))
