"""What an access token says (RFC 9068 §2.2), how it is read back, and when it is dead."""

from __future__ import annotations

from typing import Any

import pytest

from proofkey.protocol.access_token import AccessToken, access_token_claims, check_alive, read_access_token
from proofkey.protocol.errors import InvalidToken
from proofkey.protocol.records import HOUR, MINUTE, wire_id
from tests.protocol.facts import API, GRANT, ISSUER, LIVE, NOON, changed
from tests.protocol.refusals import refused

TOKEN_ID = NOON.to_bytes(6, "big") + b"0123456789"
SCOPE = ("openid", "notes:read")


def issued(**members: Any) -> dict[str, Any]:
    claims = access_token_claims(
        GRANT, issuer=ISSUER, audience=API.audience, scope=SCOPE, token_id=TOKEN_ID, now=NOON, live_for=5 * MINUTE
    )
    return {name: value for name, value in {**claims, **members}.items() if value is not None}


def read(claims: dict[str, Any], now: int = NOON) -> AccessToken:
    return read_access_token(claims, expected_issuer=ISSUER, now=now)


def test_the_claims_of_rfc_9068_section_2_2() -> None:
    expected = {
        "iss": ISSUER,
        "sub": "alice-id",
        "aud": API.audience,
        "client_id": "spa",
        "scope": "openid notes:read",
        "iat": NOON // 1_000,
        "exp": NOON // 1_000 + 300,
        "jti": wire_id(GRANT.id + TOKEN_ID),
        "auth_time": (NOON - HOUR) // 1_000,
        "acr": "acr",
        "amr": ("pwd",),
    }
    assert expected == issued()


def test_a_client_that_acts_for_itself_is_the_subject_and_nobody_signed_in() -> None:
    claims = access_token_claims(
        changed(GRANT, user_id=None), issuer=ISSUER, audience="a", scope=(), token_id=TOKEN_ID, now=NOON, live_for=1_000
    )
    assert "spa" == claims["sub"]
    assert not {"auth_time", "acr", "amr"} & set(claims)


def test_what_was_issued_is_read_back() -> None:
    claims = issued()
    assert AccessToken(GRANT.id, NOON, "spa", API.audience, SCOPE, claims) == read(claims)


@pytest.mark.parametrize(
    ("claims", "now", "reason"),
    [
        (issued(iss=ISSUER + "/"), NOON, "access_token_of_another_issuer"),
        (issued(iss=None), NOON, "access_token_of_another_issuer"),
        (issued(), NOON + 5 * MINUTE, "access_token_over"),
        (issued(jti=None), NOON, "access_token_without_grant"),
        (issued(jti=7), NOON, "access_token_without_grant"),
        (issued(jti="a"), NOON, "access_token_without_grant"),
        (issued(jti=wire_id(GRANT.id)), NOON, "access_token_grant_malformed"),
        (issued(jti=wire_id(b"G" * 29)), NOON, "access_token_grant_malformed"),
        (issued(jti=wire_id(b"G" * 35)), NOON, "access_token_grant_malformed"),
    ],
)
def test_a_token_that_is_not_ours_or_not_now(claims: dict[str, Any], now: int, reason: str) -> None:
    with refused(InvalidToken, reason) as caught:
        read(claims, now)
    assert caught.value.error_description.endswith("[access_token_invalid]")


def test_a_token_lives_until_its_last_millisecond() -> None:
    assert NOON == read(issued(), NOON + 5 * MINUTE - 1).issued_at


def test_a_token_lives_with_its_grant() -> None:
    token = read(issued())
    assert LIVE is check_alive(token, LIVE)
    with refused(InvalidToken, "access_token_grant_dead"):
        check_alive(token, None)


def test_revocation_not_honoured_tokens_issued_up_to_the_revocation_are_dead_and_later_ones_live() -> None:
    token = read(issued())
    revoked = changed(LIVE, grant=changed(GRANT, access_valid_after=NOON))
    with refused(InvalidToken, "access_token_revoked"):
        check_alive(token, revoked)
    later = (NOON + 1).to_bytes(6, "big") + b"0123456789"
    assert revoked is check_alive(read(issued(jti=wire_id(GRANT.id + later))), revoked)
