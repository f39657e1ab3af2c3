"""Revocation's one parameter (RFC 7009 §2.1)."""

from __future__ import annotations

from proofkey.protocol.errors import InvalidRequest
from proofkey.protocol.revocation import parse_revocation
from tests.protocol.refusals import refused


def test_rfc_7009_section_2_1_example() -> None:
    assert "45ghiukldjahdnhzdauz" == parse_revocation(
        {"token": "45ghiukldjahdnhzdauz", "token_type_hint": "refresh_token"}
    )


def test_a_request_without_a_token_says_so() -> None:
    with refused(InvalidRequest, "token_missing") as caught:
        parse_revocation({"token_type_hint": "refresh_token"})
    assert "token is required [token_missing]" == caught.value.error_description
