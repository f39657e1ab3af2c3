"""Using a refresh token: what refuses before anything is written, and what the proof says."""

from __future__ import annotations

import pytest

from proofkey.protocol.errors import InvalidRequest, RefreshRefused
from proofkey.protocol.records import DAY, SECOND, Client, Lifetimes, LiveGrant
from proofkey.protocol.refresh_token import (
    ProvenRefresh,
    Refresh,
    RefreshToken,
    check_refresh,
    hash_secret,
    parse_refresh,
)
from tests.protocol.facts import GRANT, LIVE, NOON, SECRET, SPA, WEB, changed
from tests.protocol.refusals import refused

TOKEN = RefreshToken("w1", GRANT.id, 0, SECRET, 1)
LIFETIMES = Lifetimes()


def test_the_parameters_of_rfc_6749_section_6() -> None:
    params = {"refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA", "scope": "openid"}
    assert Refresh("tGzv3JOkF0XG5Qx2TlKWIA", "openid", None) == parse_refresh(params, None)
    with refused(InvalidRequest, "refresh_token_missing"):
        parse_refresh({"scope": "openid"}, None)


def test_a_token_of_this_client_and_a_live_grant_is_a_proof() -> None:
    expected = ProvenRefresh("w1", GRANT.id, 0, hash_secret(SECRET), True, 10 * SECOND, NOON + 30 * DAY)
    assert expected == check_refresh(TOKEN, LIVE, SPA, LIFETIMES, NOON)


@pytest.mark.parametrize(
    ("token", "live", "client", "reason"),
    [
        (TOKEN, LIVE, WEB, "refresh_of_another_client"),
        (changed(TOKEN, secret=b"x" * 16), LIVE, SPA, "refresh_secret_differs"),
        (TOKEN, changed(LIVE, grant=changed(GRANT, refresh_hash=None)), SPA, "refresh_secret_differs"),
        (TOKEN, changed(LIVE, grant=changed(GRANT, idle_until=NOON)), SPA, "refresh_expired"),
        (TOKEN, changed(LIVE, grant=changed(GRANT, expires_at=NOON)), SPA, "refresh_expired"),
    ],
)
def test_each_difference_refuses_on_its_own(token: RefreshToken, live: LiveGrant, client: Client, reason: str) -> None:
    with refused(RefreshRefused, reason) as caught:
        check_refresh(token, live, client, LIFETIMES, NOON)
    assert caught.value.error_description.endswith("[refresh_invalid]")


def test_rotation_never_extends_the_absolute_end() -> None:
    nearly_over = changed(LIVE, grant=changed(GRANT, expires_at=NOON + DAY))
    assert NOON + DAY == check_refresh(TOKEN, nearly_over, SPA, LIFETIMES, NOON).idle_until


def test_public_clients_rotate_and_confidential_ones_where_set() -> None:
    of_web = changed(LIVE, grant=changed(GRANT, client_id="web"))
    assert check_refresh(TOKEN, LIVE, SPA, LIFETIMES, NOON).rotates
    assert not check_refresh(TOKEN, of_web, WEB, LIFETIMES, NOON).rotates
    assert check_refresh(TOKEN, of_web, changed(WEB, rotate_refresh_tokens=True), LIFETIMES, NOON).rotates


def test_the_leeway_is_the_workspaces_and_may_be_none() -> None:
    assert 0 == check_refresh(TOKEN, LIVE, SPA, Lifetimes(refresh_leeway_for=0), NOON).leeway_for
