"""Failures of ours: a page for a person, JSON for a client, the traceback in the log, and nothing outside."""

from __future__ import annotations

from typing import Any

import pytest

from proofkey.server.store.contract import StoreUnavailable
from tests.engine import Deployment, attempt_of, credentials


def break_store(deployment: Deployment, failure: Exception) -> None:
    async def broken(*_: Any) -> Any:
        raise failure

    for name in ("find_client", "find_signed_in", "begin_grant"):
        setattr(deployment.store, name, broken)


@pytest.mark.parametrize(
    ("failure", "status", "error"),
    [
        (StoreUnavailable("disk"), 503, "temporarily_unavailable"),
        (RuntimeError("secret-in-the-message"), 500, "server_error"),
    ],
)
async def test_a_failure_is_answered_in_the_way_of_who_asked(
    deployment: Deployment, log: list[Any], failure: Exception, status: int, error: str
) -> None:
    break_store(deployment, failure)
    page = await deployment.browser().ask(attempt_of().query)
    assert (status, "text/html; charset=utf-8") == (page.status_code, page.headers["content-type"])
    form = {"grant_type": "client_credentials", **credentials("service")}
    answer = await deployment.token(form)
    assert (status, error) == (answer.status_code, answer.json()["error"])
    for said in (page, answer):
        assert "secret-in-the-message" not in said.text
        assert "Traceback" not in said.text
        assert ("1" if status == 503 else None) == said.headers.get("retry-after")
    assert {"store_unavailable" if status == 503 else "failed"} == {line["event"] for line in log}


async def test_the_log_of_a_failure_holds_no_local_variable(deployment: Deployment, log: list[Any]) -> None:
    break_store(deployment, RuntimeError("broken"))
    await deployment.token({"grant_type": "client_credentials", "client_id": "x", "client_secret": "the-very-secret"})
    [line] = log
    assert "RuntimeError: broken" in line["exception"]
    assert "exc_info" not in line
    assert "the-very-secret" not in str(line)


async def test_a_database_that_is_away_makes_the_server_unready(deployment: Deployment) -> None:
    async def broken(_: str) -> Any:
        raise StoreUnavailable("away")

    deployment.store.find_keys = broken  # type: ignore[method-assign,assignment]
    assert 503 == (await deployment.client().get("https://login.example/readyz")).status_code
    assert 200 == (await deployment.client().get("https://login.example/healthz")).status_code
    deployment.clock.turn(11_000)
    assert 503 == (await deployment.client().get(".well-known/jwks.json")).status_code
