"""The client's side of the flow, for any issuer (RFC 6749, RFC 7636, OpenID Connect Core).

`Issuer` holds whole conversations over a `Network`; beneath it are pairs of request and reading that need none.
"""

from __future__ import annotations

from proofkey.client.http import AsyncNetwork, Network
from proofkey.client.issuer import Issuer, SignedIn
from proofkey.client.messages import HttpRequest, HttpResponse, Registration, ResponseRefused, ServerRefused
from proofkey.client.metadata import ServerMetadata, metadata_requests, read_metadata
from proofkey.client.protocol import (
    Callback,
    PendingLogin,
    Tokens,
    begin_login,
    read_callback,
    read_form_post,
    read_tokens,
    refresh_request,
    token_request,
)

__all__ = [
    "AsyncNetwork",
    "Callback",
    "HttpRequest",
    "HttpResponse",
    "Issuer",
    "Network",
    "PendingLogin",
    "Registration",
    "ResponseRefused",
    "ServerMetadata",
    "ServerRefused",
    "SignedIn",
    "Tokens",
    "begin_login",
    "metadata_requests",
    "read_callback",
    "read_form_post",
    "read_metadata",
    "read_tokens",
    "refresh_request",
    "token_request",
]
