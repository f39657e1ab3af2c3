"""The authorization server's metadata, as a client reads them (RFC 8414, OpenID Connect Discovery §4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proofkey.client.messages import HttpRequest, HttpResponse, ResponseRefused, ServerRefused, printable, read_object
from proofkey.protocol.issuer import may_be_of, metadata_addresses

_REQUIRED = ("authorization_endpoint", "token_endpoint")
_ENDPOINTS = (
    *_REQUIRED,
    "jwks_uri",
    "userinfo_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "end_session_endpoint",
    "device_authorization_endpoint",
    "registration_endpoint",
)
_EXPECTED = ("jwks_uri", "userinfo_endpoint", "end_session_endpoint", "revocation_endpoint")


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """An issuer, where its endpoints are (None: it has none), and whether its answers name it (RFC 9207 §3).

    `scopes_supported` is empty where it lists none; it need not list all (RFC 8414 §2). Of what algorithms its proofs of
    possession may be, it says in `dpop_signing_alg_values_supported`, which is empty where it binds no tokens (RFC 9449 §5.1).

    >>> METADATA.issuer == ISSUER, METADATA.names_itself
    (True, True)
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str | None
    userinfo_endpoint: str | None
    revocation_endpoint: str | None
    introspection_endpoint: str | None
    end_session_endpoint: str | None
    device_authorization_endpoint: str | None
    registration_endpoint: str | None
    names_itself: bool
    scopes_supported: frozenset[str] = frozenset()
    dpop_signing_alg_values_supported: frozenset[str] = frozenset()


def metadata_requests(issuer: str) -> tuple[HttpRequest, HttpRequest]:
    """The two places to ask, the second where the first does not answer 200 or leaves something out.

    >>> for request in metadata_requests("https://login.example/acme"):
    ...     print(request.url)
    https://login.example/.well-known/oauth-authorization-server/acme
    https://login.example/acme/.well-known/openid-configuration
    """
    first, second = (HttpRequest("GET", url, (("accept", "application/json"),)) for url in metadata_addresses(issuer))
    return first, second


def read_metadata(status: int, body: bytes, *, expected_issuer: str, s256_announced: bool = True) -> ServerMetadata:
    """Metadata that name *expected_issuer* to the byte and have what this flow needs. Raises `ResponseRefused`.

    S256 must be announced unless *s256_announced* is false: for issuers that are known to do what they do not say.

    >>> response = send(metadata_requests(ISSUER)[0])
    >>> read_metadata(response.status, response.body, expected_issuer=ISSUER).token_endpoint == f"{ISSUER}/oauth2/token"
    True
    """
    if status != 200:
        raise ResponseRefused(
            "metadata_not_found",
            "The issuer has no metadata at its well-known address",
            parameters=metadata_addresses(expected_issuer),
            detail=f"status {status}",
        )
    metadata = read_object(status, body)
    named = metadata.get("issuer")
    if named != expected_issuer:
        raise ResponseRefused(
            "metadata_issuer_differs",
            "The metadata are of another issuer, compared to the byte",
            parameters=[f"asked for {expected_issuer}", f"it names itself {printable(named)}"],
        )
    methods = metadata.get("code_challenge_methods_supported")
    if s256_announced and not (isinstance(methods, list) and "S256" in methods):
        raise ResponseRefused("metadata_without_s256", "The issuer does not announce PKCE with S256")
    return ServerMetadata(
        issuer=expected_issuer,
        names_itself=metadata.get("authorization_response_iss_parameter_supported") is True,
        scopes_supported=_read_texts(metadata.get("scopes_supported")),
        dpop_signing_alg_values_supported=_read_texts(metadata.get("dpop_signing_alg_values_supported")),
        **_read_endpoints(metadata, expected_issuer),
    )


def is_sparse(response: HttpResponse, *, expected_issuer: str) -> bool:
    """True where *response* is no metadata, or names none of some endpoint that the issuer may name in its other document.

    RFC 8414's and OpenID Connect's documents should say the same; those of widespread servers do not.
    """
    document = _read_document(response)
    return not _is_of(document, expected_issuer) or not all(document.get(name) for name in _EXPECTED)


def read_either(
    first: HttpResponse, second: HttpResponse, *, expected_issuer: str, s256_announced: bool = True
) -> ServerMetadata:
    """The metadata of two documents, the first where both name something. Raises `ResponseRefused`.

    A document that is none, or names another issuer and so must not be used (RFC 8414 §3.3), counts for nothing.
    """
    documents = [_read_document(response) for response in (second, first)]
    ours = [document for document in documents if _is_of(document, expected_issuer)]
    given = second if documents[1] == {} else first
    if ours:
        merged = {name: value for document in ours for name, value in document.items()}
        given = HttpResponse(200, {}, json.dumps(merged).encode())
    return read_metadata(given.status, given.body, expected_issuer=expected_issuer, s256_announced=s256_announced)


def _read_document(response: HttpResponse) -> dict[str, Any]:
    """Empty for what is none."""
    try:
        return read_object(response.status, response.body)
    except (ResponseRefused, ServerRefused):
        return {}


def _is_of(document: Mapping[str, Any], issuer: str) -> bool:
    return document.get("issuer") == issuer


def _read_texts(told: object) -> frozenset[str]:
    return frozenset(text for text in told if isinstance(text, str)) if isinstance(told, list) else frozenset()


def _read_endpoints(metadata: Mapping[str, Any], issuer: str) -> dict[str, Any]:
    endpoints = {name: metadata.get(name) for name in _ENDPOINTS}
    for name, url in endpoints.items():
        absent = url is None and name not in _REQUIRED
        if not absent and not (isinstance(url, str) and may_be_of(url, issuer) and "#" not in url):  # RFC 6749 §3.1
            raise ResponseRefused(
                "metadata_endpoint_unusable",
                "An endpoint is missing, has a fragment, or is neither https nor on loopback as the issuer is",
                parameters=[name],
            )
    return endpoints
