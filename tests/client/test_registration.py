"""Registering a client: what is asked for, which answers are believed, and that a foreign provider answers it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proofkey.client import Network, Registration, ResponseRefused, ServerRefused
from proofkey.client.registration import Registered, read_registration, register, registration_request
from tests.protocol.refusals import refused
from tests.providers.foreign import ForeignProvider

CALLBACK = "https://notes.example/callback"
TOLD = {
    "client_id": "s6BhdRkqt3",
    "client_secret": "a-secret",
    "client_secret_expires_at": 0,
    "redirect_uris": [CALLBACK],
}


def read(*, public: bool = False, status: int = 201, **changed: Any) -> Registered:
    told = {name: value for name, value in {**TOLD, **changed}.items() if value is not None}
    return read_registration(status, json.dumps(told).encode(), redirect_uri=CALLBACK, public=public)


def test_the_request_is_for_the_code_flow_with_refresh() -> None:
    request = registration_request(
        "https://login.example/register", redirect_uri=CALLBACK, metadata={"client_name": "N"}
    )
    assert ("POST", "https://login.example/register") == (request.method, request.url)
    assert {
        "redirect_uris": [CALLBACK],
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_basic",
        "client_name": "N",
    } == json.loads(request.body)


def test_an_initial_access_token_goes_into_the_header() -> None:
    request = registration_request("https://x.example/r", redirect_uri=CALLBACK, initial_access_token="first")
    assert ("authorization", "Bearer first") in request.headers
    assert "first" not in repr(request)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", None])
def test_a_confidential_client_authenticates_as_it_was_registered(method: Any) -> None:
    registered = read(token_endpoint_auth_method=method)
    expected = Registration("s6BhdRkqt3", CALLBACK, "a-secret", method or "client_secret_basic")
    assert expected == registered.registration
    assert "a-secret" not in repr(registered)


def test_a_public_client_has_no_secret() -> None:
    registered = read(public=True, client_secret=None, token_endpoint_auth_method="none")
    assert Registration("s6BhdRkqt3", CALLBACK) == registered.registration


def test_the_registered_algorithm_of_id_tokens_is_held_to() -> None:
    assert "ES256" == read(id_token_signed_response_alg="ES256").registration.id_token_signed_response_alg
    assert read().registration.id_token_signed_response_alg is None


def test_the_secret_says_when_it_ends_and_where_the_registration_is_kept() -> None:
    kept = {"registration_client_uri": "https://login.example/r/1", "registration_access_token": "t"}
    registered = read(client_secret_expires_at=1_800_000_000, **kept)
    assert (1_800_000_000_000, "https://login.example/r/1", "t") == (
        registered.secret_expires_at,
        registered.management_url,
        registered.management_token,
    )
    assert read().secret_expires_at is None


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("registration_malformed", {"client_id": None}),
        ("registration_malformed", {"client_id": 7}),
        ("registration_malformed", {"client_secret": ["a"]}),
        ("registration_malformed", {"id_token_signed_response_alg": 256}),
        ("registration_redirect_uri_differs", {"redirect_uris": ["https://elsewhere.example/"]}),
        ("registration_redirect_uri_differs", {"redirect_uris": []}),
        ("registration_redirect_uri_differs", {"redirect_uris": f"{CALLBACK} and more"}),
        ("registration_authentication_unknown", {"token_endpoint_auth_method": "private_key_jwt"}),
        ("registration_secret_differs", {"client_secret": None}),
        ("registration_secret_differs", {"public": True, "token_endpoint_auth_method": "client_secret_basic"}),
        ("registration_expiry_malformed", {"client_secret_expires_at": "never"}),
        ("registration_expiry_malformed", {"client_secret_expires_at": -1}),
    ],
)
def test_a_client_that_is_not_the_one_asked_for_is_refused(reason: str, changed: dict[str, Any]) -> None:
    with refused(ResponseRefused, reason):
        read(**changed)


def test_the_servers_own_words_are_passed_on() -> None:
    with pytest.raises(ServerRefused) as told:
        read(status=400, error="invalid_redirect_uri", error_description="not https")
    assert ("invalid_redirect_uri", "not https") == (told.value.code, told.value.error_description)


@pytest.mark.parametrize("public", [True, False])
def test_a_foreign_provider_registers_a_client(oidc_provider: ForeignProvider, public: bool) -> None:
    with Network(oidc_provider.issuer) as network:
        registered = network.run(register(oidc_provider.issuer, CALLBACK, public=public))
    assert public is (registered.registration.client_secret is None)
    assert [CALLBACK] == registered.metadata["redirect_uris"]
    assert registered.management_url is not None


def test_an_issuer_that_registers_nobody_says_so(django_oauth_toolkit: ForeignProvider) -> None:
    with Network(django_oauth_toolkit.issuer) as network, refused(ResponseRefused, "registration_not_served"):
        network.run(register(django_oauth_toolkit.issuer, CALLBACK))
