"""Registering a client with an issuer (RFC 7591 §3, OpenID Connect Dynamic Client Registration §3).

1. What the issuer says it registered is what holds; a client that was registered for another address is refused.
2. A secret the client cannot use as it must is refused here, not at the first token request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proofkey.client.conversation import Conversation
from proofkey.client.issuer import Issuer
from proofkey.client.messages import Claims, HttpRequest, Registration, ResponseRefused, read_object
from proofkey.protocol.records import SECOND

__all__ = ["Registered", "read_registration", "register", "registration_request"]

_AUTHENTICATION = ("client_secret_basic", "client_secret_post")
_TEXTS = (
    "client_id",
    "client_secret",
    "registration_client_uri",
    "registration_access_token",
    "id_token_signed_response_alg",
)


@dataclass(frozen=True, slots=True)
class Registered:
    """A client as the issuer registered it: *registration* to sign in with, *metadata* for everything else it said.

    `secret_expires_at` is None where the secret does not expire. With `management_url` and `management_token` the
    registration can be read, changed and deleted later (RFC 7592); None where the issuer offers none.

    >>> told = b'{"client_id": "s6BhdRkqt3", "redirect_uris": ["https://notes.example/callback"]}'
    >>> read_registration(201, told, redirect_uri="https://notes.example/callback", public=True).registration.client_id
    's6BhdRkqt3'
    """

    registration: Registration
    metadata: Claims = field(repr=False)
    secret_expires_at: int | None
    management_url: str | None
    management_token: str | None = field(repr=False)


def registration_request(
    endpoint: str,
    *,
    redirect_uri: str,
    public: bool = False,
    initial_access_token: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> HttpRequest:
    """The request for a client at *redirect_uri* that uses the code flow with refresh tokens (RFC 7591 §3.1).

    *metadata* adds to what is asked for, or replaces it (`client_name`, `post_logout_redirect_uris`, `scope` …).

    >>> request = registration_request(
    ...     "https://login.example/register", redirect_uri="https://notes.example/callback", metadata={"client_name": "Notes"}
    ... )
    >>> request.method, b'"client_name": "Notes"' in request.body
    ('POST', True)
    """
    asked = {
        "redirect_uris": [redirect_uri],
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none" if public else "client_secret_basic",
        **(metadata or {}),
    }
    headers = [("accept", "application/json"), ("content-type", "application/json")]
    if initial_access_token is not None:
        headers.append(("authorization", f"Bearer {initial_access_token}"))
    return HttpRequest("POST", endpoint, tuple(headers), json.dumps(asked).encode())


def read_registration(status: int, body: bytes, *, redirect_uri: str, public: bool = False) -> Registered:
    """What the issuer registered (RFC 7591 §3.2.1). Raises `ServerRefused`, and `ResponseRefused` for a client that is not
    the one asked for.

    >>> told = b'{"client_id": "c", "client_secret": "s", "client_secret_expires_at": 0}'
    >>> read_registration(201, told, redirect_uri="https://notes.example/callback").registration.client_secret
    's'
    """
    told = read_object(200 if status == 201 else status, body)
    texts = {name: told.get(name) for name in _TEXTS}
    if not texts["client_id"] or not all(isinstance(text, str | None) for text in texts.values()):
        raise ResponseRefused("registration_malformed", "The registration lacks client_id or has a wrong type in it")
    redirect_uris = told.get("redirect_uris", [redirect_uri])
    if not isinstance(redirect_uris, list) or redirect_uri not in redirect_uris:
        raise ResponseRefused("registration_redirect_uri_differs", "The client was registered without its redirect_uri")
    return Registered(
        registration=_read_authentication(told, redirect_uri, public),
        metadata=told,
        secret_expires_at=_read_expiry(told),
        management_url=texts["registration_client_uri"],
        management_token=texts["registration_access_token"],
    )


def _read_authentication(told: Claims, redirect_uri: str, public: bool) -> Registration:
    """How the client authenticates from now on; without a word of it, as it was asked for."""
    client_id, secret = told["client_id"], told.get("client_secret")
    method = told.get("token_endpoint_auth_method", "none" if public else "client_secret_basic")
    alg = told.get("id_token_signed_response_alg")
    if method == "none":
        return Registration(client_id, redirect_uri, id_token_signed_response_alg=alg)
    if method not in _AUTHENTICATION:
        raise ResponseRefused(
            "registration_authentication_unknown", "token_endpoint_auth_method is one this client does not know"
        )
    if public or not secret:
        raise ResponseRefused(
            "registration_secret_differs", "The client was registered with a secret it may not have, or without its own"
        )
    return Registration(client_id, redirect_uri, secret, method, alg)


def _read_expiry(told: Claims) -> int | None:
    expires_at = told.get("client_secret_expires_at", 0)
    if type(expires_at) is not int or expires_at < 0:
        raise ResponseRefused("registration_expiry_malformed", "client_secret_expires_at is no moment")
    return expires_at * SECOND or None


def register(
    issuer: str,
    redirect_uri: str,
    *,
    public: bool = False,
    initial_access_token: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    s256_announced: bool = True,
) -> Conversation[Registered]:
    """A new client at *issuer*, as its metadata say where to ask. Raises where the issuer registers nobody.

    >>> conversation = register("https://login.example", "https://notes.example/callback")
    >>> next(conversation).url
    'https://login.example/.well-known/oauth-authorization-server'
    """
    nobody = Registration("", redirect_uri)
    server = yield from Issuer(issuer, nobody, s256_announced=s256_announced).discover()
    if server.registration_endpoint is None:
        raise ResponseRefused("registration_not_served", "The issuer registers no clients: ask who runs it")
    response = yield registration_request(
        server.registration_endpoint,
        redirect_uri=redirect_uri,
        public=public,
        initial_access_token=initial_access_token,
        metadata=metadata,
    )
    return read_registration(response.status, response.body, redirect_uri=redirect_uri, public=public)
