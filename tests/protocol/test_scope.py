"""Scopes: RFC 6749 §3.3's alphabet by table, then what may be asked, narrowed and carried."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.errors import InvalidScope
from proofkey.protocol.scope import MAX_SCOPE, check_scope, narrow_scope, parse_scope, scope_for
from tests.protocol.facts import API, OTHER_API, SPA, changed
from tests.protocol.refusals import refused
from tests.protocol.vectors import cases


@pytest.mark.parametrize("case", cases("scope.json", "parsing"))
def test_scope_parsing(case: dict[str, Any]) -> None:
    if case["tokens"] is None:
        with refused(InvalidScope, "scope_malformed"):
            parse_scope(case["scope"])
    else:
        assert tuple(case["tokens"]) == parse_scope(case["scope"])


def test_a_scope_too_long_is_refused() -> None:
    assert ("a" * MAX_SCOPE,) == parse_scope("a" * MAX_SCOPE)
    with refused(InvalidScope, "scope_malformed"):
        parse_scope("a" * (MAX_SCOPE + 1))


@given(st.text(max_size=60))
def test_any_text_is_scope_tokens_or_an_invalid_scope(text: str) -> None:
    try:
        tokens = parse_scope(text)
    except InvalidScope:
        return
    assert set(text.split(" ")) == set(tokens)
    assert text.isascii()


def test_without_scope_the_default_is_granted() -> None:
    assert ("notes:read",) == check_scope(None, SPA)


def test_without_scope_and_without_a_default_it_is_required() -> None:
    with refused(InvalidScope, "scope_required"):
        check_scope(None, changed(SPA, default_scope=()))


def test_what_is_granted_is_what_was_asked() -> None:
    assert ("email", "openid") == check_scope("email openid", SPA)


def test_scope_not_limited_to_what_the_client_may_have() -> None:
    with refused(InvalidScope, "scope_not_allowed"):
        check_scope("openid bills:read", SPA)
    with refused(InvalidScope, "scope_not_allowed"):
        check_scope("OPENID", SPA)


def test_offline_access_needs_a_client_that_may_refresh() -> None:
    with refused(InvalidScope, "offline_not_allowed"):
        check_scope("openid offline_access", changed(SPA, grant_types=("authorization_code",)))


def test_a_refresh_may_narrow_and_never_widen() -> None:
    granted = ("openid", "notes:read", "notes:write")
    assert granted == narrow_scope(None, granted)
    assert ("notes:read",) == narrow_scope("notes:read", granted)
    assert ("notes:write", "openid", "notes:read") == narrow_scope("notes:write openid notes:read", granted)
    with refused(InvalidScope, "scope_beyond_grant"):
        narrow_scope("notes:read email", granted)


def test_a_token_carries_the_scopes_of_its_audience_and_those_of_no_api() -> None:
    scope = ("openid", "notes:read", "bills:read")
    assert ("openid", "notes:read") == scope_for(scope, (API, OTHER_API), API.audience)
    assert ("openid", "bills:read") == scope_for(scope, (API, OTHER_API), OTHER_API.audience)


def test_a_scope_that_two_apis_share_goes_to_both() -> None:
    twin = changed(OTHER_API, scopes={"notes:read": "Read"})
    assert ("notes:read",) == scope_for(("notes:read",), (API, twin), API.audience)
    assert ("notes:read",) == scope_for(("notes:read",), (API, twin), twin.audience)
