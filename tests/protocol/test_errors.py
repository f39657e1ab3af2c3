"""How a refusal speaks: what the caller reads, what the log keeps, and which characters may travel."""

from __future__ import annotations

import inspect
import re

import pytest

from proofkey.protocol import errors
from proofkey.protocol.errors import CodeRefused, InvalidRequest, OAuthError, RefreshRefused, Refusal

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Refusal)]
RFC_6749_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")
"""RFC 6749 §4.1.2.1 and §5.2: no quotation mark, no backslash, nothing outside printable ASCII."""


def test_the_description_ends_with_the_reason() -> None:
    refusal = InvalidRequest("code_missing", "code is required")
    assert "code is required [code_missing]" == refusal.error_description


def test_parameters_are_named_behind_the_text() -> None:
    refusal = InvalidRequest("missing", "Required", parameters=["code", "client_id"])
    assert "Required: code, client_id [missing]" == refusal.error_description


@pytest.mark.parametrize("kind", [CodeRefused, RefreshRefused, errors.InvalidClient, errors.InvalidToken])
def test_where_the_reason_helps_only_an_attacker_the_caller_reads_a_coarser_one(kind: type[OAuthError]) -> None:
    refusal = kind("exactly_what_was_wrong", detail="more")
    assert "exactly_what_was_wrong" == refusal.reason
    assert refusal.error_description.endswith(f"[{kind.public}]")
    assert "exactly" not in refusal.error_description


def test_what_is_raised_is_safe_to_log() -> None:
    assert "code_missing" == str(InvalidRequest("code_missing", "code is required", detail="for the log alone"))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_description_holds_only_what_rfc_6749_allows(kind: type[Refusal]) -> None:
    assert RFC_6749_DESCRIPTION.fullmatch(kind("reason").error_description)


def test_each_oauth_code_has_one_class() -> None:
    codes = [kind.code for kind in CLASSES if issubclass(kind, OAuthError) and "code" in vars(kind)]
    assert sorted(set(codes)) == sorted(codes)
    assert {"invalid_request", "invalid_client", "invalid_grant", "invalid_scope", "access_denied"} <= set(codes)
