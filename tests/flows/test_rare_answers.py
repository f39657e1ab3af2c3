"""What happens once in a while: a token from the future, an end between two statements, a database that is gone, a bug."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from proofkey import jose
from proofkey.protocol.access_token import TYP
from proofkey.protocol.errors import RefreshRefused
from proofkey.protocol.records import LiveGrant
from proofkey.protocol.refresh_token import Refresh
from proofkey.server.app import create_app
from proofkey.server.flows.refresh_token import refresh
from proofkey.server.flows.token_response import Mint
from proofkey.server.store.contract import Store, StoreUnavailable
from tests.engine import ISSUER, Deployment, credentials, reasons


async def test_a_refresh_token_from_the_future_of_its_row_is_refused_and_revokes_nothing(
    deployment: Deployment, log: list[Any]
) -> None:
    tokens = await deployment.sign_in()
    written = (await deployment.issuer()).refresh_tokens
    token = written.read(tokens["refresh_token"], (await deployment.issuer()).workspace.id)
    ahead = written.write(token.grant_id, token.counter + 5, token.secret, token.key)
    answer = await deployment.refresh(ahead)
    assert (400, "invalid_grant") == (answer.status_code, answer.json()["error"])
    assert answer.json()["error_description"].endswith("[refresh_invalid]")
    assert ["refresh_counter_ahead"] == reasons(log)
    assert 200 == (await deployment.refresh(tokens["refresh_token"])).status_code


class EndsInBetween:
    """A store whose grants end right after they were found: the worst moment a sign-out can choose."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def find_grant(self, workspace_id: str, grant_id: bytes, now: int) -> LiveGrant | None:
        found = await self._store.find_grant(workspace_id, grant_id, now)
        await self._store.revoke_grant(workspace_id, grant_id, "signed_out", now)
        return found


async def test_a_grant_that_ends_between_reading_and_writing_gives_no_tokens(deployment: Deployment) -> None:
    tokens = await deployment.sign_in()
    issuer = await deployment.issuer()
    client = issuer.clients["spa"]
    mint = Mint(issuer, deployment.app.engine.entropy, deployment.clock())
    sent = Refresh(tokens["refresh_token"], None, None)
    store: Any = EndsInBetween(deployment.store)
    with pytest.raises(RefreshRefused) as caught:
        await refresh(sent, client, mint=mint, store=store)
    assert "refresh_authorization_gone" == caught.value.reason


async def test_a_token_of_nobody_gets_no_userinfo_even_with_openid(deployment: Deployment, log: list[Any]) -> None:
    answer = await deployment.token({"grant_type": "client_credentials", **credentials("service")})
    issuer = await deployment.issuer()
    claims = jose.verify_jwt(answer.json()["access_token"], issuer.verifying, expected_typ=TYP)
    with_openid = issuer.signers["ES256"].sign(TYP, {**claims, "scope": "openid"})
    told = await deployment.userinfo(with_openid)
    assert (401, ["userinfo_without_person"]) == (told.status_code, reasons(log))


class GoneAway:
    """A store whose database answers no more when grants are asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def find_grant(self, workspace_id: str, grant_id: bytes, now: int) -> LiveGrant | None:
        raise StoreUnavailable("connection refused at 192.0.2.1")


async def test_a_database_that_is_gone_is_a_503_that_says_when_to_come_back(
    deployment: Deployment, log: list[Any]
) -> None:
    tokens = await deployment.sign_in()
    store: Any = GoneAway(deployment.store)
    deployment.app = create_app(deployment.app.engine.config, store=store, clock=deployment.clock)
    answer = await deployment.refresh(tokens["refresh_token"])
    assert (503, "temporarily_unavailable") == (answer.status_code, answer.json()["error"])
    assert answer.json()["error_description"].endswith("[store_unavailable]")
    assert "192.0.2.1" not in answer.text
    assert "1" == answer.headers["retry-after"]
    assert "store_unavailable" in [line["event"] for line in log]


async def test_a_bug_of_ours_is_a_500_whose_traceback_stays_inside(deployment: Deployment) -> None:
    def stopped() -> int:
        raise RuntimeError("the clock has stopped")

    app = create_app(deployment.app.engine.config, store=deployment.store, clock=stopped)
    transport = httpx2.ASGITransport(app=app)
    with capture_logs() as lines:
        async with httpx2.AsyncClient(transport=transport, base_url=f"{ISSUER}/") as client:
            answer = await client.post("oauth2/token", data={"grant_type": "authorization_code", "client_id": "spa"})
    assert 500 == answer.status_code
    assert {
        "error": "server_error",
        "error_description": "Something went wrong on this server [server_failed]",
    } == answer.json()
    assert "the clock has stopped" in str(lines)
    assert "the clock has stopped" not in answer.text
