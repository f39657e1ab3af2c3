"""The authorization server's metadata, as a client reads them (RFC 8414, OpenID Connect Discovery §4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proofkey.client.messages import HttpRequest, ResponseRefused, printable, read_object
from proofkey.protocol.issuer import is_safe_address, metadata_addresses

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


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """An issuer, where its endpoints are (None: it has none), and whether its answers name it (RFC 9207 §3).

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


def metadata_requests(issuer: str) -> tuple[HttpRequest, HttpRequest]:
    """The two places to ask, the second where the first does not answer 200.

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
        raise ResponseRefused("metadata_not_found", "The issuer has no metadata at its well-known address")
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
        **_read_endpoints(metadata),
    )


def _read_endpoints(metadata: Mapping[str, Any]) -> dict[str, Any]:
    endpoints = {name: metadata.get(name) for name in _ENDPOINTS}
    for name, url in endpoints.items():
        absent = url is None and name not in _REQUIRED
        if not absent and not (isinstance(url, str) and is_safe_address(url)):
            raise ResponseRefused(
                "metadata_endpoint_unusable", "An endpoint is missing, or neither https nor loopback", parameters=[name]
            )
    return endpoints
