"""A token of ours at the guard, offline and by introspection: what each hears of a revocation, and when."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from proofkey.guard import Introspection, ResourceServer, TokenRejected, TrustedIssuer, require
from proofkey.guard.request import ApiRequest
from tests.dev_server import DevServer
from tests.protocol.refusals import refused


@pytest.fixture
def post(dev: DevServer) -> Callable[..., httpx2.Response]:
    """A form to an endpoint, by the application `service`."""

    def post(endpoint: str, **form: str) -> httpx2.Response:
        answer = httpx2.post(
            f"{dev.issuer}/oauth2/{endpoint}", data=form, auth=dev.secret_of("service"), trust_env=False
        )
        assert answer.status_code == 200, answer.text
        return answer

    return post


def test_a_revoked_token_opens_offline_until_it_expires_and_nowhere_that_asks(
    dev: DevServer, post: Callable[..., httpx2.Response]
) -> None:
    audience = dev.told["resource"]["audience"]
    token = post("token", grant_type="client_credentials", resource=audience, scope="notes:read").json()["access_token"]
    request = ApiRequest("GET", f"{audience}/notes", [(b"authorization", f"Bearer {token}".encode())])
    asked = Introspection(*dev.secret_of("service"), kept_for=0, every_token=True)
    offline = ResourceServer(dev.issuer, audience=audience)
    asking = ResourceServer(TrustedIssuer(dev.issuer, introspection=asked), audience=audience)
    for server in (offline, asking):
        assert dev.secret_of("service")[0] == server.admit_blocking(request, require("notes:read")).subject
    post("revoke", token=token)
    with refused(TokenRejected, "access_token_inactive"):
        asking.admit_blocking(request)
    assert dev.issuer == offline.admit_blocking(request).issuer


def test_the_challenge_of_the_sample_api_leads_to_its_metadata(dev: DevServer) -> None:
    resource = dev.told["resource"]
    with httpx2.Client(trust_env=False) as client:
        challenge = client.get(resource["url"]).headers["www-authenticate"]
        address = challenge.partition('resource_metadata="')[2].partition('"')[0]
        metadata = client.get(address, headers={"origin": "https://anywhere.example"})
    assert "*" == metadata.headers["access-control-allow-origin"]
    assert {
        "resource": resource["audience"],
        "authorization_servers": [dev.issuer],
        "bearer_methods_supported": ["header"],
        "scopes_supported": sorted(resource["scopes"]),
    } == metadata.json()
