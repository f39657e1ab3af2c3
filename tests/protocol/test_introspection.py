"""Introspection: who may ask, and what a live token looks like (RFC 7662)."""

from __future__ import annotations

import pytest

from proofkey.protocol.access_token import access_token_claims, read_access_token
from proofkey.protocol.errors import InvalidClient
from proofkey.protocol.introspection import (
    INACTIVE,
    active_access_token,
    active_refresh_token,
    check_introspector,
    may_introspect,
)
from proofkey.protocol.records import DAY, HOUR, MINUTE, Client, wire_id
from tests.protocol.facts import API, GRANT, ISSUER, LIVE, NOON, SERVICE, SPA, WEB, changed
from tests.protocol.refusals import refused

TOKEN_ID = NOON.to_bytes(6, "big") + b"0123456789"
CLAIMS = access_token_claims(
    GRANT, issuer=ISSUER, audience=API.audience, scope=("openid",), token_id=TOKEN_ID, now=NOON, live_for=5 * MINUTE
)
TOKEN = read_access_token(CLAIMS, expected_issuer=ISSUER, now=NOON)


def test_nobody_learns_more_than_that_a_token_is_inactive() -> None:
    assert {"active": False} == INACTIVE


def test_only_clients_that_authenticate_may_ask() -> None:
    check_introspector(WEB)
    with refused(InvalidClient, "introspection_by_public_client"):
        check_introspector(SPA)


@pytest.mark.parametrize(
    ("client", "audience", "allowed"),
    [
        (changed(WEB, id="spa"), None, True),
        (changed(SERVICE, introspects=(API.audience,)), API.audience, True),
        (changed(SERVICE, introspects=(API.audience,)), API.audience + "/", False),
        (changed(SERVICE, introspects=(API.audience,)), None, False),
        (SERVICE, API.audience, False),
    ],
)
def test_the_token_s_own_client_and_its_api_learn_of_it(client: Client, audience: str | None, allowed: bool) -> None:
    assert allowed is may_introspect(client, "spa", audience)


def test_a_live_access_token() -> None:
    expected = {
        "active": True,
        "token_type": "Bearer",
        "iss": ISSUER,
        "sub": "alice-id",
        "aud": API.audience,
        "client_id": "spa",
        "scope": "openid",
        "iat": NOON // 1_000,
        "exp": NOON // 1_000 + 300,
        "jti": wire_id(GRANT.id + TOKEN_ID),
        "username": "alice@demo.example",
        "auth_time": (NOON - HOUR) // 1_000,
        "acr": "acr",
    }
    assert expected == active_access_token(TOKEN, LIVE)


def test_a_live_access_token_of_a_client_alone_names_nobody() -> None:
    assert not {"username", "auth_time", "acr"} & set(active_access_token(TOKEN, changed(LIVE, user=None)))


def test_a_live_refresh_token_ends_at_the_earlier_of_its_two_ends() -> None:
    expected = {
        "active": True,
        "iss": ISSUER,
        "sub": "alice-id",
        "client_id": "spa",
        "scope": "openid email notes:read",
        "exp": (NOON + DAY) // 1_000,
    }
    assert expected == active_refresh_token(changed(GRANT, expires_at=NOON + DAY), ISSUER)
