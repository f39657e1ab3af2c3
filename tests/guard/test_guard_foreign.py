"""The guard with tokens of issuers that are not ours: npm `oidc-provider` and django-oauth-toolkit."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from proofkey.client import Issuer, Network, Registration, read_callback
from proofkey.guard import (
    AuthenticationInsufficient,
    Introspection,
    ResourceServer,
    ScopeMissing,
    TokenRejected,
    TrustedIssuer,
    require,
)
from proofkey.guard.request import ApiRequest
from tests.protocol.refusals import refused
from tests.providers.foreign import ForeignProvider
from tests.providers.person import ForeignPerson

CALLBACK = "http://127.0.0.1:9/callback"
API = "https://api.example/"
OPAQUE = "https://opaque.example/"
TWO_FACTORS = "urn:example:two-factors"


def signed_in(provider: ForeignProvider, name: str, resource: str, scope: str, **extra: str) -> Any:
    """Alice's tokens for *resource*, fetched by our own client."""
    client = provider.clients[name]
    registration = Registration(client["client_id"], CALLBACK, client_secret=client.get("client_secret"))
    issuer = Issuer(provider.issuer, registration)
    with Network(provider.issuer) as network, ForeignPerson(provider.issuer) as alice:
        pending = network.run(issuer.begin(scope=scope, resource=resource, extra=extra))
        return network.run(issuer.redeem(read_callback(alice.visit(pending.url), pending))).tokens


def asking(token: str) -> ApiRequest:
    return ApiRequest("GET", f"{API}notes", [(b"authorization", f"Bearer {token}".encode())])


@pytest.mark.parametrize("resource", [API, "https://rs256.example/"])
def test_a_jwt_of_oidc_provider_opens_its_api_and_no_other(oidc_provider: ForeignProvider, resource: str) -> None:
    token = signed_in(oidc_provider, "spa", resource, "openid notes:read").access_token
    server = ResourceServer(oidc_provider.issuer, audience=resource)
    access = server.admit_blocking(asking(token), require("notes:read"))
    assert (oidc_provider.issuer, "alice", "spa") == (access.issuer, access.subject, access.client_id)
    with refused(ScopeMissing, "scope_missing"):
        server.admit_blocking(asking(token), require("notes:write"))
    with refused(TokenRejected, "access_token_audience_differs"):
        ResourceServer(oidc_provider.issuer, audience="https://other.example/").admit_blocking(asking(token))


def test_its_id_token_opens_nothing(oidc_provider: ForeignProvider) -> None:
    tokens = signed_in(oidc_provider, "spa", API, "openid notes:read")
    with refused(TokenRejected, "access_token_type"):
        ResourceServer(oidc_provider.issuer, audience="spa").admit_blocking(asking(tokens.id_token))
    unmarked = TrustedIssuer(oidc_provider.issuer, typ="JWT")
    with refused(TokenRejected, "access_token_is_another_token"):
        ResourceServer(unmarked, audience="spa").admit_blocking(asking(tokens.id_token))


def test_a_step_up_that_the_challenge_asks_for_opens_the_route(oidc_provider: ForeignProvider) -> None:
    server = ResourceServer(oidc_provider.issuer, audience=API)
    strict = require("notes:read", acr_values=TWO_FACTORS, max_age=300)
    request = asking(signed_in(oidc_provider, "spa", API, "openid notes:read").access_token)
    with refused(AuthenticationInsufficient, "authentication_class_insufficient") as caught:
        server.admit_blocking(request, strict)
    challenge = dict(server.challenge(caught.value, request, strict).headers)["www-authenticate"]
    assert f'acr_values="{TWO_FACTORS}", max_age="300"' in challenge
    stronger = signed_in(oidc_provider, "spa", API, "openid notes:read", acr_values=TWO_FACTORS, max_age="300")
    assert "alice" == server.admit_blocking(asking(stronger.access_token), strict).subject


def test_an_opaque_token_of_oidc_provider_is_asked_about_until_it_is_revoked(oidc_provider: ForeignProvider) -> None:
    token = signed_in(oidc_provider, "web", OPAQUE, "openid notes:read").access_token
    api, web = (oidc_provider.clients[name] for name in ("api", "web"))
    asked = Introspection(api["client_id"], api["client_secret"], kept_for=0)
    server = ResourceServer(TrustedIssuer(oidc_provider.issuer, introspection=asked), audience=OPAQUE)
    access = server.admit_blocking(asking(token), require("notes:read"))
    assert ("alice", "web") == (access.subject, access.client_id)
    endpoint = oidc_provider.metadata["revocation_endpoint"]
    auth = (web["client_id"], web["client_secret"])
    assert 200 == httpx2.post(endpoint, data={"token": token}, auth=auth, trust_env=False).status_code
    with refused(TokenRejected, "access_token_inactive"):
        server.admit_blocking(asking(token))


def test_its_refresh_token_opens_nothing(oidc_provider: ForeignProvider) -> None:
    """Introspection calls it active, and says neither audience nor type."""
    tokens = signed_in(oidc_provider, "web", OPAQUE, "openid notes:read")
    api = oidc_provider.clients["api"]
    asked = Introspection(api["client_id"], api["client_secret"])
    server = ResourceServer(TrustedIssuer(oidc_provider.issuer, introspection=asked), audience=OPAQUE)
    with pytest.raises(TokenRejected):
        server.admit_blocking(asking(tokens.refresh_token))


def test_an_opaque_token_of_django_oauth_toolkit_opens_the_api_it_was_asked_for(
    django_oauth_toolkit: ForeignProvider,
) -> None:
    provider = django_oauth_toolkit
    api = provider.clients["api"]
    trusted = TrustedIssuer(provider.issuer, introspection=Introspection(api["client_id"], api["client_secret"]))
    token = signed_in(provider, "web", API, "openid notes:read").access_token
    access = ResourceServer(trusted, audience=API).admit_blocking(asking(token), require("notes:read"))
    assert (provider.issuer, "alice") == (access.issuer, access.subject)
    with refused(TokenRejected, "access_token_audience_differs"):
        ResourceServer(trusted, audience="https://other.example/").admit_blocking(asking(token))
