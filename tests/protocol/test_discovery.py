"""What the metadata promise: RFC 8414 §2, OpenID Connect Discovery §3, RFC 9207 §3."""

from __future__ import annotations

from proofkey.protocol.discovery import metadata
from tests.protocol.facts import ISSUER, WORKSPACE

METADATA = metadata(ISSUER, WORKSPACE)


def test_the_issuer_is_the_one_asked_to_the_byte() -> None:
    assert ISSUER == METADATA["issuer"]


def test_every_address_is_under_the_issuer() -> None:
    addresses = [value for name, value in METADATA.items() if name.endswith(("_endpoint", "_uri"))]
    assert 7 <= len(addresses)
    assert all(address.startswith(f"{ISSUER}/") for address in addresses)


def test_what_openid_connect_discovery_requires() -> None:
    required = {
        *("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported"),
        *("subject_types_supported", "id_token_signing_alg_values_supported"),
    }
    assert required <= set(METADATA)
    assert "RS256" in METADATA["id_token_signing_alg_values_supported"]


def test_only_the_code_flow_with_s256() -> None:
    assert ["code"] == METADATA["response_types_supported"]
    assert ["S256"] == METADATA["code_challenge_methods_supported"]
    assert ["query", "fragment", "form_post"] == METADATA["response_modes_supported"]
    assert {"implicit", "password"}.isdisjoint(METADATA["grant_types_supported"])


def test_iss_is_announced_and_request_objects_are_not() -> None:
    assert METADATA["authorization_response_iss_parameter_supported"] is True
    assert METADATA["request_parameter_supported"] is False
    assert METADATA["request_uri_parameter_supported"] is False


def test_nobody_introspects_without_authenticating() -> None:
    assert "none" not in METADATA["introspection_endpoint_auth_methods_supported"]
    assert "none" in METADATA["token_endpoint_auth_methods_supported"]


def test_the_scopes_of_every_api_are_listed_once() -> None:
    scopes = METADATA["scopes_supported"]
    assert {"openid", "offline_access", "notes:read", "bills:read"} <= set(scopes)
    assert len(set(scopes)) == len(scopes)
