"""The client's side of the flow: pure pairs of request and reading, for any network (RFC 6749, RFC 7636, OpenID Connect)."""

from __future__ import annotations

from proofkey.client.messages import HttpRequest, Registration, ResponseRefused, ServerRefused
from proofkey.client.metadata import ServerMetadata, metadata_requests, read_metadata
from proofkey.client.protocol import (
    Callback,
    PendingLogin,
    Tokens,
    begin_login,
    read_callback,
    read_tokens,
    refresh_request,
    token_request,
)

__all__ = [
    "Callback",
    "HttpRequest",
    "PendingLogin",
    "Registration",
    "ResponseRefused",
    "ServerMetadata",
    "ServerRefused",
    "Tokens",
    "begin_login",
    "metadata_requests",
    "read_callback",
    "read_metadata",
    "read_tokens",
    "refresh_request",
    "token_request",
]
