"""Codes and refresh tokens under fifty requests at once: one process or two, on SQLite and on PostgreSQL (laws 2 and 5)."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.dev_server import DevServer, StartDev
from tests.journeys.declaration import write_declaration
from tests.person import Person
from tests.relying_party import RelyingParty, is_active

AT_ONCE = 50
BEHIND_A_PROXY = "http://localhost:8399"
DEAD = (400, "invalid_grant")


@pytest.fixture(params=["one process", "two processes", "one on PostgreSQL", "two on PostgreSQL"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> list[DevServer]:
    """The processes of one deployment: one data directory, one public address, one database."""
    database: tuple[str, ...] = ()
    if request.param.endswith("PostgreSQL"):
        database = ("--database", request.getfixturevalue("postgres_url"))
    start: StartDev = request.getfixturevalue("start_dev")
    count = 2 if request.param.startswith("two") else 1
    return [start("--public-url", BEHIND_A_PROXY, *database, data=tmp_path / "data") for _ in range(count)]


def error_of(response: httpx2.Response) -> tuple[int, str]:
    """Status and error code of a refusal."""
    return response.status_code, response.json().get("error", "")


async def assert_dead(servers: list[DevServer], client: RelyingParty, tokens: dict[str, Any]) -> None:
    """Neither token is worth anything at any process."""
    for server in servers:
        assert not await is_active(server, tokens["access_token"])
        assert not await is_active(server, tokens["refresh_token"])
        assert error_of(await client.userinfo(tokens["access_token"], server)) == (401, "invalid_token")
        assert error_of(await client.refresh(tokens["refresh_token"], server)) == DEAD


async def test_of_fifty_redemptions_of_one_code_one_succeeds_and_what_it_got_is_dead(servers: list[DevServer]) -> None:
    async with RelyingParty(servers[0]) as spa, Person(servers[0]) as alice:
        untouched = await spa.tokens_for(alice)
        for _ in range(3):
            attempt, code = await spa.code_for(alice)
            everywhere = islice(cycle(servers), AT_ONCE)
            answers = await asyncio.gather(*(spa.token(attempt.redemption(code), at) for at in everywhere))

            assert Counter({(200, ""): 1, DEAD: AT_ONCE - 1}) == Counter(error_of(answer) for answer in answers)
            (winner,) = (answer.json() for answer in answers if answer.status_code == 200)
            await assert_dead(servers, spa, winner)
        assert [True] * len(servers) == [await is_active(each, untouched["access_token"]) for each in servers]
        assert (await spa.refresh(untouched["refresh_token"])).status_code == 200


async def test_fifty_refreshes_of_one_token_sign_nobody_out(servers: list[DevServer]) -> None:
    async with RelyingParty(servers[0]) as spa, Person(servers[0]) as alice:
        first = (await spa.tokens_for(alice))["refresh_token"]
        answers = await asyncio.gather(*(spa.refresh(first, at) for at in islice(cycle(servers), AT_ONCE)))

        assert Counter({200: AT_ONCE}) == Counter(answer.status_code for answer in answers)
        (successor,) = {answer.json()["refresh_token"] for answer in answers}
        assert successor != first
        alive = await asyncio.gather(*(is_active(servers[-1], answer.json()["access_token"]) for answer in answers))
        assert [True] * AT_ONCE == alive
        newest = await spa.refresh(successor, servers[-1])
        assert newest.status_code == 200

        assert error_of(await spa.refresh(first)) == DEAD
        await assert_dead(servers, spa, newest.json())


async def test_a_confidential_client_may_refresh_fifty_times_at_once(servers: list[DevServer]) -> None:
    async with RelyingParty(servers[0], "web") as web, Person(servers[0]) as alice:
        token = (await web.tokens_for(alice))["refresh_token"]
        answers = await asyncio.gather(*(web.refresh(token, at) for at in islice(cycle(servers), AT_ONCE)))
        assert Counter({(200, token): AT_ONCE}) == Counter(
            (answer.status_code, answer.json()["refresh_token"]) for answer in answers
        )


@pytest.mark.parametrize(("leeway", "wait"), [("0s", 0.0), ("500ms", 0.6)])
async def test_a_replay_after_the_leeway_kills_the_family(
    start_dev: StartDev, tmp_path: Path, leeway: str, wait: float
) -> None:
    server = start_dev("--config", str(write_declaration(tmp_path, refresh_leeway=leeway)))
    async with RelyingParty(server) as client, Person(server) as alice:
        first = await client.tokens_for(alice)
        second = (await client.refresh(first["refresh_token"])).json()
        assert await is_active(server, second["access_token"])
        await asyncio.sleep(wait)
        assert error_of(await client.refresh(first["refresh_token"])) == DEAD
        await assert_dead([server], client, second)


async def test_a_replay_within_the_leeway_is_a_retry_until_its_successor_is_used(dev: DevServer) -> None:
    async with RelyingParty(dev) as spa, Person(dev) as alice:
        first = (await spa.tokens_for(alice))["refresh_token"]
        successors = [(await spa.refresh(first)).json()["refresh_token"] for _ in range(3)]
        assert [successors[0]] * 3 == successors
        newest = (await spa.refresh(successors[0])).json()
        assert error_of(await spa.refresh(first)) == DEAD
        await assert_dead([dev], spa, newest)
