"""Metadata and keys: both documents, both forms of their address, and an issuer that is right to the byte."""

from __future__ import annotations

import pytest

from tests.engine import ISSUER, PUBLIC_URL, RIVAL, Deployment

FORMS = [
    f"{ISSUER}/.well-known/openid-configuration",
    f"{ISSUER}/.well-known/oauth-authorization-server",
    f"{PUBLIC_URL}/.well-known/openid-configuration/demo/main",
    f"{PUBLIC_URL}/.well-known/oauth-authorization-server/demo/main",
]


@pytest.mark.parametrize("address", FORMS)
async def test_every_form_of_the_address_answers_with_the_same_metadata(deployment: Deployment, address: str) -> None:
    answer = await deployment.client().get(address)
    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
    assert "public, max-age=300" == answer.headers["cache-control"]
    assert ISSUER == answer.json()["issuer"]
    assert answer.content == (await deployment.client().get(FORMS[0])).content


async def test_every_endpoint_is_under_the_issuer(deployment: Deployment) -> None:
    found = (await deployment.client().get(FORMS[0])).json()
    endpoints = {name: url for name, url in found.items() if name.endswith(("_endpoint", "_uri"))}
    assert 7 == len(endpoints)
    assert all(url.startswith(f"{ISSUER}/") for url in endpoints.values())
    for url in endpoints.values():
        assert 404 != (await deployment.client().get(url)).status_code, url


async def test_the_host_header_names_no_issuer(deployment: Deployment) -> None:
    forged = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    answer = await deployment.client().get(FORMS[0], headers=forged)
    assert b"evil" not in answer.content


async def test_the_metadata_say_what_clients_check(deployment: Deployment) -> None:
    found = (await deployment.client().get(FORMS[0])).json()
    assert ["S256"] == found["code_challenge_methods_supported"]
    assert ["code"] == found["response_types_supported"]
    assert True is found["authorization_response_iss_parameter_supported"]
    assert {"query", "fragment", "form_post"} == set(found["response_modes_supported"])
    assert {"none", "client_secret_basic", "client_secret_post"} == set(found["token_endpoint_auth_methods_supported"])
    assert {"openid", "notes:read", "bills:read"} <= set(found["scopes_supported"])


async def test_workspaces_have_keys_of_their_own(deployment: Deployment) -> None:
    found = [await deployment.client().get(f"{issuer}/.well-known/jwks.json") for issuer in (ISSUER, RIVAL)]
    ours, theirs = ({key["kid"] for key in answer.json()["keys"]} for answer in found)
    assert (2, 2, set()) == (len(ours), len(theirs), ours & theirs)


async def test_the_key_set_holds_no_private_part(deployment: Deployment) -> None:
    answer = await deployment.client().get(".well-known/jwks.json")
    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
    for key in answer.json()["keys"]:
        assert {"kty", "kid", "alg", "use"} <= set(key)
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)


@pytest.mark.parametrize("path", [".well-known/openid-configuration", ".well-known/jwks.json"])
async def test_metadata_answer_head(deployment: Deployment, path: str) -> None:
    got, headed = await deployment.client().get(path), await deployment.client().head(path)
    assert (200, b"") == (headed.status_code, headed.content)
    assert got.headers == headed.headers


@pytest.mark.parametrize(
    "deployment", [{"public_url": "https://login.example/auth"}], indirect=True, ids=["public_url with a path"]
)
async def test_an_issuer_below_a_path_has_its_well_known_part_before_the_whole_path(deployment: Deployment) -> None:
    issuer = "https://login.example/auth/demo/main"
    for address in (
        f"{issuer}/.well-known/openid-configuration",
        "https://login.example/.well-known/oauth-authorization-server/auth/demo/main",
        "https://login.example/.well-known/openid-configuration/auth/demo/main",
    ):
        answer = await deployment.client().get(address)
        assert (200, issuer) == (answer.status_code, answer.json().get("issuer")), address
