"""Introspection, revocation and userinfo: status, headers and bodies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine import ISSUER, NOON, NOTES, Deployment, credentials, reasons

BAD = "The access token is missing, malformed, expired, revoked or for another audience [access_token_invalid]"

# --- introspection (RFC 7662) --------------------------------------------------------------------------------------


async def test_the_api_of_a_token_learns_what_it_is_worth(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    found = await deployment.introspect(tokens["access_token"])
    assert (True, ISSUER, NOTES, "spa", "Bearer", "alice") == tuple(
        found[name] for name in ("active", "iss", "aud", "client_id", "token_type", "username")
    )
    assert NOON // 1000 + 300 == found["exp"]


async def test_introspection_is_json_that_nobody_stores(deployment: Deployment) -> None:
    answer = await deployment.post("oauth2/introspect", {"token": "x", **credentials("service")})
    assert (200, "application/json", "no-store") == (
        answer.status_code,
        answer.headers["content-type"],
        answer.headers["cache-control"],
    )
    assert b'{"active":false}' == answer.content


async def test_a_client_learns_of_its_own_tokens_and_nobody_else_does(deployment: Deployment) -> None:
    tokens = await deployment.sign_in("web")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert True is (await deployment.introspect(token, "web"))["active"]
        assert {"active": False} == await deployment.introspect(token, "stranger")
        assert {"active": False} == await deployment.introspect(token, "old")


async def test_an_api_learns_nothing_of_refresh_tokens(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    assert {"active": False} == await deployment.introspect(tokens["refresh_token"])


async def test_a_spent_refresh_token_is_inactive(deployment: Deployment) -> None:
    tokens = await deployment.sign_in("rotating")
    after = (await deployment.refresh(tokens["refresh_token"], "rotating")).json()
    assert {"active": False} == await deployment.introspect(tokens["refresh_token"], "rotating")
    assert True is (await deployment.introspect(after["refresh_token"], "rotating"))["active"]


async def test_introspection_needs_a_client_that_authenticates(deployment: Deployment, log: list[Any]) -> None:
    for form in ({"client_id": "spa"}, {"client_id": "nobody"}, {**credentials("service"), "client_secret": "wrong"}):
        answer = await deployment.post("oauth2/introspect", {"token": "x", **form})
        assert (401, "invalid_client") == (answer.status_code, answer.json()["error"])
    assert ["introspection_by_public_client", "client_unknown", "client_secret_wrong"] == reasons(log)


async def test_introspection_does_not_answer_get(deployment: Deployment) -> None:
    answer = await deployment.client().get("oauth2/introspect", params={"token": "x"})
    assert (405, "POST, OPTIONS") == (answer.status_code, answer.headers["allow"])


@pytest.mark.parametrize("path", ["oauth2/introspect", "oauth2/revoke"])
async def test_a_token_is_required(deployment: Deployment, path: str) -> None:
    answer = await deployment.post(path, credentials("service"))
    assert (400, "token is required [token_missing]") == (answer.status_code, answer.json()["error_description"])


# --- revocation (RFC 7009) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "unheard-of"])
async def test_revocation_answers_json_and_ends_the_whole_grant(deployment: Deployment, hint: str | None) -> None:
    tokens = await deployment.sign_in()
    form = {"token": tokens["refresh_token"], "client_id": "spa"} | ({"token_type_hint": hint} if hint else {})
    answer = await deployment.post("oauth2/revoke", form)
    assert (200, "application/json", b"{}") == (answer.status_code, answer.headers["content-type"], answer.content)
    assert 400 == (await deployment.refresh(tokens["refresh_token"])).status_code
    assert 401 == (await deployment.userinfo(tokens["access_token"])).status_code


async def test_a_spent_refresh_token_still_revokes(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    after = (await deployment.refresh(tokens["refresh_token"])).json()
    await deployment.post("oauth2/revoke", {"token": tokens["refresh_token"], "client_id": "spa"})
    assert 400 == (await deployment.refresh(after["refresh_token"])).status_code


async def test_revoking_an_access_token_leaves_the_refresh_token(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    assert (
        200
        == (await deployment.post("oauth2/revoke", {"token": tokens["access_token"], "client_id": "spa"})).status_code
    )
    assert 401 == (await deployment.userinfo(tokens["access_token"])).status_code
    assert {"active": False} == await deployment.introspect(tokens["access_token"])
    deployment.clock.turn(1)
    after = (await deployment.refresh(tokens["refresh_token"])).json()
    assert 200 == (await deployment.userinfo(after["access_token"])).status_code


async def test_another_client_s_token_changes_nothing_and_looks_the_same(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    for token in (tokens["refresh_token"], tokens["access_token"], "unknown", "a.b.c"):
        answer = await deployment.post("oauth2/revoke", {"token": token, "client_id": "both"})
        assert (200, b"{}") == (answer.status_code, answer.content)
    assert 200 == (await deployment.userinfo(tokens["access_token"])).status_code
    assert 200 == (await deployment.refresh(tokens["refresh_token"])).status_code


async def test_revocation_by_an_unknown_client_is_refused(deployment: Deployment) -> None:
    answer = await deployment.post("oauth2/revoke", {"token": "x", "client_id": "nobody"})
    assert (401, "invalid_client") == (answer.status_code, answer.json()["error"])


# --- userinfo (OpenID Connect Core §5.3) ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["GET", "POST header", "POST form", "POST empty", "lower case scheme"])
async def test_userinfo_answers_every_way_a_token_is_sent(deployment: Deployment, how: str) -> None:
    token = (await deployment.sign_in())["access_token"]
    header = {"authorization": f"{'bearer' if how == 'lower case scheme' else 'Bearer'} {token}"}
    http = deployment.client()
    if how == "POST form":
        answer = await http.post("oauth2/userinfo", data={"access_token": token})
    elif how == "POST header":
        answer = await http.post("oauth2/userinfo", data={"x": "y"}, headers=header)
    elif how == "POST empty":
        answer = await http.post("oauth2/userinfo", headers=header)
        assert "content-type" not in answer.request.headers
    else:
        answer = await http.get("oauth2/userinfo", headers=header)
    assert (200, "application/json", "no-store") == (
        answer.status_code,
        answer.headers["content-type"],
        answer.headers["cache-control"],
    )
    assert ("alice@demo.example", "Alice Adler") == (answer.json()["email"], answer.json()["name"])


async def test_userinfo_without_a_token_challenges_without_an_error_code(deployment: Deployment) -> None:
    for answer in (
        await deployment.client().get("oauth2/userinfo"),
        await deployment.client().get("oauth2/userinfo", headers={"authorization": "Basic eDp5"}),
        await deployment.client().get("oauth2/userinfo", params={"access_token": "in-the-address"}),
    ):
        assert (401, f'Bearer realm="{ISSUER}"') == (answer.status_code, answer.headers["www-authenticate"])


@pytest.mark.parametrize("token", ["x", "a.b.c", "\u00e9", "..", "x" * 20_000, "e30.e30.e30"])
async def test_userinfo_refuses_what_is_no_token_with_a_challenge(
    deployment: Deployment, log: list[Any], token: str
) -> None:
    header = f"Bearer {token}".encode("latin-1")
    answer = await deployment.client().get("oauth2/userinfo", headers={"authorization": header})  # type: ignore[dict-item]
    assert (401, {"error": "invalid_token", "error_description": BAD}) == (answer.status_code, answer.json())
    challenge = f'Bearer realm="{ISSUER}", error="invalid_token", error_description="{BAD}"'
    assert challenge == answer.headers["www-authenticate"]
    assert ["access_token_not_ours"] == reasons(log)


async def test_userinfo_refuses_an_expired_token(deployment: Deployment, log: list[Any]) -> None:
    token = (await deployment.sign_in())["access_token"]
    deployment.clock.turn(299_999)
    assert 200 == (await deployment.userinfo(token)).status_code
    deployment.clock.turn(1)
    assert 401 == (await deployment.userinfo(token)).status_code
    assert ["access_token_over"] == reasons(log)


async def test_userinfo_needs_openid_and_a_person(deployment: Deployment, log: list[Any]) -> None:
    plain = (await deployment.browser().tokens(scope="notes:read"))["access_token"]
    answer = await deployment.userinfo(plain)
    assert (403, "insufficient_scope") == (answer.status_code, answer.json()["error"])
    assert 'scope="openid"' in answer.headers["www-authenticate"]
    service = await deployment.token({"grant_type": "client_credentials", **credentials("service")})
    assert 403 == (await deployment.userinfo(service.json()["access_token"])).status_code
    assert ["userinfo_needs_openid"] * 2 == reasons(log)


async def test_userinfo_takes_a_token_in_one_place_only(deployment: Deployment, log: list[Any]) -> None:
    token = (await deployment.sign_in())["access_token"]
    header = f"Bearer {token}"
    twice = await deployment.post("oauth2/userinfo", {"access_token": token}, authorization=header)
    assert (400, "invalid_request") == (twice.status_code, twice.json()["error"])
    headers = [("authorization", header), ("authorization", header)]
    repeated = await deployment.client().get("oauth2/userinfo", headers=headers)
    assert (400, "invalid_request") == (repeated.status_code, repeated.json()["error"])
    assert ["bearer_twice", "bearer_repeated"] == reasons(log)


async def test_an_id_token_is_no_access_token(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    assert 401 == (await deployment.userinfo(tokens["id_token"])).status_code
    assert {"active": False} == await deployment.introspect(tokens["id_token"])


async def test_a_narrowed_token_shows_userinfo_no_more_than_its_own_scope(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    narrowed = (await deployment.refresh(tokens["refresh_token"], scope="openid")).json()
    assert ["sub"] == list((await deployment.userinfo(narrowed["access_token"])).json())


async def test_userinfo_takes_no_notice_of_a_body_that_is_no_form(deployment: Deployment) -> None:
    token = (await deployment.sign_in())["access_token"]
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    assert 200 == (await deployment.client().post("oauth2/userinfo", content=b"{}", headers=headers)).status_code
