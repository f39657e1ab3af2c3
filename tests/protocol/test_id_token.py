"""What an ID token and the userinfo response say: OpenID Connect Core §2, §5.4."""

from __future__ import annotations

from typing import Any

from proofkey.protocol.id_token import id_token_claims, userinfo_claims
from proofkey.protocol.records import DAY, HOUR, MINUTE, Grant, wire_id
from tests.protocol.facts import ALICE, GRANT, ISSUER, NOON, SESSION, changed

AT_HASH = "77QmUPtjPfzWtF2AnpK9RQ"  # OpenID Connect Core, appendix A.3
PERSON = changed(
    ALICE, claims={**ALICE.claims, "phone_number": "+49 30 1", "picture": "https://p.example", "locale": "de"}
)
MINIMAL = changed(GRANT, scope=("openid",))


def of(grant: Grant, nonce: str | None = "n-0S6_WzA2Mj", now: int = NOON) -> dict[str, Any]:
    return id_token_claims(
        grant, PERSON, issuer=ISSUER, scope=grant.scope, nonce=nonce, at_hash=AT_HASH, now=now, live_for=5 * MINUTE
    )


def test_a_minimal_id_token() -> None:
    expected = {
        "iss": ISSUER,
        "sub": "alice-id",
        "aud": "spa",
        "exp": NOON // 1_000 + 300,
        "iat": NOON // 1_000,
        "auth_time": (NOON - HOUR) // 1_000,
        "acr": "acr",
        "amr": ("pwd",),
        "at_hash": AT_HASH,
        "nonce": "n-0S6_WzA2Mj",
        "sid": wire_id(SESSION.id),
    }
    assert expected == of(MINIMAL)


def test_claims_by_scope_stand_in_the_id_token() -> None:
    claims = of(changed(GRANT, scope=("openid", "email", "phone")))
    assert ("alice@demo.example", True, "+49 30 1") == (
        claims["email"],
        claims["email_verified"],
        claims["phone_number"],
    )
    assert "name" not in claims


def test_claims_asked_for_one_by_one_stand_where_they_were_asked_for() -> None:
    grant = changed(MINIMAL, claims="picture|locale")
    assert ("de", False) == (of(grant)["locale"], "picture" in of(grant))
    assert {"sub": "alice-id", "picture": "https://p.example"} == userinfo_claims(grant, PERSON, grant.scope)


def test_what_is_not_known_of_a_person_is_left_out() -> None:
    assert {"sub": "alice-id"} == userinfo_claims(GRANT, PERSON, ("openid", "address"))


def test_a_refresh_keeps_auth_time_and_carries_no_nonce() -> None:
    later = of(MINIMAL, nonce=None, now=NOON + DAY)
    assert "nonce" not in later
    assert of(MINIMAL)["auth_time"] == later["auth_time"]
    assert (NOON + DAY) // 1_000 == later["iat"]


def test_a_grant_without_a_session_names_none() -> None:
    assert "sid" not in of(changed(MINIMAL, session_id=None))


def test_nobody_s_own_claims_replace_the_protocol_s() -> None:
    mallory = changed(PERSON, claims={"sub": "bob-id", "iss": "https://evil.example", "aud": "x", "name": "Mallory"})
    grant = changed(GRANT, scope=("openid", "profile"), claims="sub name|sub iss aud")
    claims = id_token_claims(
        grant, mallory, issuer=ISSUER, scope=grant.scope, nonce=None, at_hash=AT_HASH, now=NOON, live_for=MINUTE
    )
    assert ("alice-id", ISSUER, "spa") == (claims["sub"], claims["iss"], claims["aud"])
    assert {"sub": "alice-id", "name": "Mallory"} == userinfo_claims(grant, mallory, grant.scope)
