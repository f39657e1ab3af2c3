"""The client's side of the flow, for any issuer (RFC 6749, RFC 7636, OpenID Connect Core).

`login` signs a person in to a program of their own machine. `Issuer` holds whole conversations over a `Network`;
beneath it are pairs of request and reading that need none. Each name's module is imported when the name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proofkey.client.auth import TokenAuth
    from proofkey.client.browser import open_browser
    from proofkey.client.dpop import DpopKey
    from proofkey.client.http import AsyncNetwork, Network
    from proofkey.client.id_token import IdTokenRefused
    from proofkey.client.issuer import Issuer, SignedIn
    from proofkey.client.messages import HttpRequest, HttpResponse, Registration, ResponseRefused, ServerRefused
    from proofkey.client.metadata import ServerMetadata, metadata_requests, read_metadata
    from proofkey.client.native import LoginOptions, login, login_async
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
    from proofkey.client.refused import LoginAbandoned, NotSignedIn, StoreRefused
    from proofkey.client.sign_in import Farewell, SignIn, find_sign_in
    from proofkey.client.token_store.contract import StoredSignIn, TokenStore
    from proofkey.client.token_store.memory import MemoryStore
    from proofkey.client.token_store.own_store import OwnStore
    from proofkey.client.token_store.sealed_file import SealedFileStore

__all__ = [
    "AsyncNetwork",
    "Callback",
    "DpopKey",
    "Farewell",
    "HttpRequest",
    "HttpResponse",
    "IdTokenRefused",
    "Issuer",
    "LoginAbandoned",
    "LoginOptions",
    "MemoryStore",
    "Network",
    "NotSignedIn",
    "OwnStore",
    "PendingLogin",
    "Registration",
    "ResponseRefused",
    "SealedFileStore",
    "ServerMetadata",
    "ServerRefused",
    "SignIn",
    "SignedIn",
    "StoreRefused",
    "StoredSignIn",
    "TokenAuth",
    "TokenStore",
    "Tokens",
    "begin_login",
    "find_sign_in",
    "login",
    "login_async",
    "metadata_requests",
    "open_browser",
    "read_callback",
    "read_form_post",
    "read_metadata",
    "read_tokens",
    "refresh_request",
    "token_request",
]

_HOMES = {
    "TokenAuth": "auth",
    "open_browser": "browser",
    "DpopKey": "dpop",
    "AsyncNetwork": "http",
    "Network": "http",
    "IdTokenRefused": "id_token",
    "Issuer": "issuer",
    "SignedIn": "issuer",
    "HttpRequest": "messages",
    "HttpResponse": "messages",
    "Registration": "messages",
    "ResponseRefused": "messages",
    "ServerRefused": "messages",
    "ServerMetadata": "metadata",
    "metadata_requests": "metadata",
    "read_metadata": "metadata",
    "LoginOptions": "native",
    "login": "native",
    "login_async": "native",
    "Callback": "protocol",
    "PendingLogin": "protocol",
    "Tokens": "protocol",
    "begin_login": "protocol",
    "read_callback": "protocol",
    "read_form_post": "protocol",
    "read_tokens": "protocol",
    "refresh_request": "protocol",
    "token_request": "protocol",
    "LoginAbandoned": "refused",
    "NotSignedIn": "refused",
    "StoreRefused": "refused",
    "Farewell": "sign_in",
    "SignIn": "sign_in",
    "find_sign_in": "sign_in",
    "StoredSignIn": "token_store.contract",
    "TokenStore": "token_store.contract",
    "MemoryStore": "token_store.memory",
    "OwnStore": "token_store.own_store",
    "SealedFileStore": "token_store.sealed_file",
}


def __getattr__(name: str) -> object:
    """One of the names above, imported now."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """What there is, imported or not."""
    return sorted({*globals(), *_HOMES})
