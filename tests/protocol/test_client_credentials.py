"""The client acting for itself: RFC 6749 §4.4."""

from __future__ import annotations

import pytest

from proofkey.protocol.client_credentials import check_client_credentials
from proofkey.protocol.errors import InvalidScope, UnauthorizedClient
from tests.protocol.facts import SERVICE, SPA, changed
from tests.protocol.refusals import refused


@pytest.mark.parametrize(
    ("params", "expected"),
    [({"scope": "notes:read"}, ("notes:read",)), ({}, ("notes:read",))],
)
def test_a_confidential_client_gets_what_it_may_have(params: dict[str, str], expected: tuple[str, ...]) -> None:
    assert expected == check_client_credentials(params, SERVICE)


def test_without_scope_the_default_comes_before_everything() -> None:
    client = changed(SERVICE, scopes=("notes:read", "notes:write", "openid"))
    assert ("notes:read", "notes:write") == check_client_credentials({}, client)
    assert ("notes:write",) == check_client_credentials({}, changed(client, default_scope=("notes:write",)))


def test_a_public_client_cannot_act_for_itself() -> None:
    with refused(UnauthorizedClient, "client_credentials_public"):
        check_client_credentials({}, SPA)


@pytest.mark.parametrize("scope", ["openid", "notes:read email", "offline_access"])
def test_nothing_that_speaks_of_a_person(scope: str) -> None:
    client = changed(SERVICE, scopes=("notes:read", "openid", "email", "offline_access"))
    client = changed(client, grant_types=("client_credentials", "refresh_token"))
    with refused(InvalidScope, "scope_of_a_person"):
        check_client_credentials({"scope": scope}, client)


def test_scope_not_limited_to_what_the_client_may_have() -> None:
    with refused(InvalidScope, "scope_not_allowed"):
        check_client_credentials({"scope": "notes:write"}, SERVICE)
