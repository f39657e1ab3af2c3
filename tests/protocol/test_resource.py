"""Which API an authorization is for: RFC 8707, with `audience` as its older name."""

from __future__ import annotations

import pytest

from proofkey.protocol.errors import InvalidScope, InvalidTarget
from proofkey.protocol.records import Client
from proofkey.protocol.resource import (
    Access,
    check_resources,
    check_scope_fits,
    choose_access,
    merge_audience,
    single_resource,
)
from tests.protocol.facts import API, ISSUER, OTHER_API, SPA, WORKSPACE, changed
from tests.protocol.refusals import refused

NOTES, BILLS = API.audience, OTHER_API.audience


@pytest.mark.parametrize(
    ("resources", "audience", "expected"),
    [((), None, ()), ((NOTES,), None, (NOTES,)), ((), NOTES, (NOTES,)), ((NOTES,), NOTES, (NOTES,))],
)
def test_audience_and_resource_are_one(
    resources: tuple[str, ...], audience: str | None, expected: tuple[str, ...]
) -> None:
    assert expected == merge_audience(resources, audience)


def test_audience_and_resource_must_agree() -> None:
    with refused(InvalidTarget, "audience_differs"):
        merge_audience((NOTES,), BILLS)


@pytest.mark.parametrize(
    ("asked", "scope", "expected"),
    [
        ((BILLS,), (), (BILLS,)),
        ((NOTES, BILLS), (), (NOTES, BILLS)),
        ((), ("openid", "bills:read"), (BILLS,)),
        ((), ("notes:read", "bills:read"), (NOTES, BILLS)),
        ((), ("openid",), (NOTES,)),
    ],
)
def test_without_a_resource_the_scopes_tell_the_api_else_it_is_the_first(
    asked: tuple[str, ...], scope: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert expected == check_resources(asked, scope, SPA, WORKSPACE)


def test_a_workspace_without_apis_leaves_the_issuer() -> None:
    assert () == check_resources((), ("openid",), SPA, changed(WORKSPACE, apis=()))


@pytest.mark.parametrize("resource", ["https://unknown.example", NOTES + "/", NOTES.upper(), "not an address"])
def test_a_resource_is_an_api_of_the_workspace_byte_for_byte(resource: str) -> None:
    with refused(InvalidTarget, "resource_unknown"):
        check_resources((resource,), (), SPA, WORKSPACE)


def test_a_resource_the_client_is_not_registered_for_is_unknown_to_it() -> None:
    client = changed(SPA, resources=(NOTES,))
    assert (NOTES,) == check_resources((NOTES,), (), client, WORKSPACE)
    with refused(InvalidTarget, "resource_unknown"):
        check_resources((BILLS,), (), client, WORKSPACE)


def test_a_scope_belongs_to_a_resource_that_was_named() -> None:
    check_scope_fits(("openid", "notes:read"), (NOTES,), WORKSPACE.apis)
    with refused(InvalidScope, "scope_of_another_resource"):
        check_scope_fits(("bills:read",), (NOTES,), WORKSPACE.apis)


BOTH = changed(SPA, resources=(NOTES, BILLS), scopes=("openid", "notes:read", "bills:read"))
ALL = ("openid", "notes:read", "bills:read")


@pytest.mark.parametrize(
    ("asked", "client", "expected"),
    [
        (None, BOTH, Access(NOTES, ("openid", "notes:read"))),
        (BILLS, BOTH, Access(BILLS, ("openid", "bills:read"))),
        (None, changed(BOTH, resources=(BILLS,)), Access(BILLS, ("openid", "bills:read"))),
        (None, changed(BOTH, resources=()), Access(ISSUER, ("openid",))),
        (None, changed(BOTH, scopes=("openid",)), Access(NOTES, ("openid",))),
    ],
)
def test_a_token_has_one_audience_and_no_more_than_the_client_may_have_by_now(
    asked: str | None, client: Client, expected: Access
) -> None:
    assert expected == choose_access(ALL, (NOTES, BILLS), asked, client, WORKSPACE, ISSUER)


def test_what_was_not_granted_or_is_allowed_no_longer_is_refused() -> None:
    with refused(InvalidTarget, "resource_not_granted"):
        choose_access(ALL, (NOTES,), BILLS, BOTH, WORKSPACE, ISSUER)
    with refused(InvalidTarget, "resource_not_granted"):
        choose_access(ALL, (NOTES, BILLS), BILLS, changed(BOTH, resources=(NOTES,)), WORKSPACE, ISSUER)
    with refused(InvalidScope, "scope_empty"):
        choose_access(("bills:read",), (NOTES, BILLS), NOTES, BOTH, WORKSPACE, ISSUER)


def test_a_token_request_names_at_most_one() -> None:
    assert single_resource(()) is None
    assert NOTES == single_resource((NOTES,))
    with refused(InvalidTarget, "resource_repeated"):
        single_resource((NOTES, BILLS))
