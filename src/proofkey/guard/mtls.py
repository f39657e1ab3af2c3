"""Tokens bound to the certificate of a mutual TLS connection (RFC 8705 §3).

1. The certificate comes from the TLS connection itself, or from one header of a proxy that is trusted to set it.
2. Whether the certificate is good, TLS has judged; here it must be the one that the token names.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from proofkey.guard.access import Access, Headers, TokenRejected
from proofkey.guard.request import BEARER, ApiRequest
from proofkey.guard.steps import Steps
from proofkey.protocol.base64url import encode_base64url

MAX_HEADER = 16_384
_PEM = re.compile(rb"\s*-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----\s*")


class CertificateBound:
    """Tokens bound to a client certificate (`cnf["x5t#S256"]`), sent as `Authorization: Bearer` over mutual TLS.

    Without *proxy_header* the certificate is that of the connection to this process. With it, the certificate stands in
    that header, as RFC 9440 writes it (`Client-Cert`) or as percent-encoded PEM (nginx's `$ssl_client_escaped_cert`):
    name it only where a proxy sets it on every request and drops what a client sends under that name.
    *required* refuses tokens that are not bound.

    >>> binding = CertificateBound(proxy_header="Client-Cert", required=True)
    >>> server = ResourceServer(ISSUER, audience=AUDIENCE, bindings=[binding])
    >>> server.admit_blocking(ApiRequest("GET", API_URL, [(b"authorization", f"Bearer {ACCESS_TOKEN}".encode())]))
    Traceback (most recent call last):
    proofkey.guard.access.TokenRejected: access_token_binding_missing
    """

    confirmation = "x5t#S256"
    scheme = BEARER
    challenge: Mapping[str, str] = {}

    def __init__(self, *, proxy_header: str | None = None, required: bool = False) -> None:
        self._proxy_header = proxy_header.lower().encode("ascii") if proxy_header is not None else None
        self.required = required

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What RFC 9728 §2 has for certificates."""
        return {"tls_client_certificate_bound_access_tokens": True}

    def check(self, request: ApiRequest, token: str, access: Access, bound_to: str, now: int) -> Steps[Headers]:  # noqa: ARG002
        """Refuse unless *request* came under the certificate *bound_to*. Raises `TokenRejected`."""
        certificate = request.certificate if self._proxy_header is None else self._forwarded(request)
        if certificate is None:
            raise TokenRejected(
                "certificate_missing", "The access token is bound to a client certificate: none was shown"
            )
        thumbprint = encode_base64url(hashlib.sha256(certificate).digest())
        if not hmac.compare_digest(thumbprint.encode(), bound_to.encode()):
            raise TokenRejected("certificate_differs", "The access token is bound to another client certificate")
        yield from ()
        return ()

    def _forwarded(self, request: ApiRequest) -> bytes | None:
        sent = request.sent(self._proxy_header or b"")
        if len(sent) > 1:
            raise TokenRejected("certificate_repeated", "The client certificate was forwarded more than once")
        if not sent or not sent[0].strip():
            return None
        certificate = _read_certificate(sent[0].strip())
        if certificate is None:
            raise TokenRejected("certificate_malformed", "The forwarded client certificate cannot be read")
        return certificate


def _read_certificate(sent: bytes) -> bytes | None:
    """DER out of an RFC 9440 byte sequence or of percent-encoded PEM: of one certificate, with nothing beside it."""
    if len(sent) > MAX_HEADER:
        return None
    try:
        if sent.startswith(b":") and sent.endswith(b":"):
            return b64decode(sent[1:-1], validate=True) or None
        pem = _PEM.fullmatch(unquote_to_bytes(sent))
        return b64decode(b"".join(pem[1].split()), validate=True) if pem is not None else None
    except ValueError:
        return None
