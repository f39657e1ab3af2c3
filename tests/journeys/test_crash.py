"""`kill -9` twenty times under load: what was acknowledged survives, and no code succeeds twice (laws 2 and 9)."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from proofkey.server.store import open_store
from tests.attempt import Attempt
from tests.dev_server import DevServer, StartDev
from tests.person import Person
from tests.relying_party import RelyingParty
from tests.wire import Answer, Connection, get, post_form

CRASHES = 20
CLIENTS = 6
FAMILIES_EACH = 25
"""Sign-ins of one client between two crashes, at most; after them it only refreshes."""
PUBLIC_URL = "http://localhost:8398"
SEED = 20261121


@dataclass(slots=True)
class Family:
    """One sign-in. `refresh_token` is the newest that was acknowledged; None where the code's answer never came."""

    attempt: Attempt
    code: str
    refresh_token: str | None = None


@dataclass(slots=True)
class Clients:
    """Public clients of one signed-in person, and everything they were ever told."""

    spa: RelyingParty
    cookies: str
    chance: random.Random
    families: list[Family] = field(default_factory=list)
    stopped: bool = False

    async def work(self, server: DevServer) -> None:
        """Sign in and refresh until the server is gone, or all are told to stop."""
        connection, own = Connection(server.here), list[Family]()
        try:
            while not self.stopped:
                family = await self._begin(connection, server, own)
                if family.refresh_token is None:
                    family.refresh_token = self._token_in(await self.redeem(connection, server, family))
                for _ in range(self.chance.randrange(4)):
                    family.refresh_token = self._token_in(await self.refresh(connection, server, family))
        except OSError:
            assert server.process.poll() is not None, "a server that lives hung up"
        finally:
            connection.close()

    async def _begin(self, connection: Connection, server: DevServer, own: list[Family]) -> Family:
        if len(own) == FAMILIES_EACH:
            return self.chance.choice(own)
        attempt, at = self.spa.begin(), urlsplit(server.here)
        target = f"{at.path}/oauth2/authorize?{urlencode(attempt.query)}"
        answer = await connection.send(get(at.netloc, target, {"Cookie": self.cookies}))
        family = Family(attempt, parse_qs(urlsplit(answer.header("location")).query)["code"][0])
        own.append(family)
        self.families.append(family)
        return family

    def _token_in(self, answer: Answer) -> str:
        assert answer.status == 200, answer.body
        token: str = json.loads(answer.body)["refresh_token"]
        return token

    async def redeem(self, connection: Connection, server: DevServer, family: Family) -> Answer:
        """Present the code."""
        return await self._post(connection, server, family.attempt.redemption(family.code))

    async def refresh(self, connection: Connection, server: DevServer, family: Family) -> Answer:
        """Present the newest refresh token that was acknowledged, whether or not it was presented before."""
        form = {"grant_type": "refresh_token", "client_id": family.attempt.client_id}
        return await self._post(connection, server, {**form, "refresh_token": family.refresh_token or ""})

    async def _post(self, connection: Connection, server: DevServer, form: dict[str, str]) -> Answer:
        at = urlsplit(server.here)
        return await connection.send(post_form(at.netloc, f"{at.path}/oauth2/token", form, {}))

    async def check(self, server: DevServer, families: list[Family]) -> Counter[str]:
        """What was acknowledged can be refreshed; a code whose answer was lost succeeds once more at most."""
        connection, found = Connection(server.here), Counter[str]()
        for family in families:
            if family.refresh_token is not None:
                family.refresh_token = self._token_in(await self.refresh(connection, server, family))
                found["acknowledged"] += 1
            else:
                first = await self.redeem(connection, server, family)
                again = await self.redeem(connection, server, family)
                assert first.status in (200, 400)
                assert again.status == 400
                found["never redeemed" if first.status == 200 else "redeemed, answer lost"] += 1
        connection.close()
        return found

    async def replay(self, server: DevServer, families: list[Family]) -> None:
        """A code that was redeemed before a crash is a replay after it."""
        connection = Connection(server.here)
        for family in families:
            assert (await self.redeem(connection, server, family)).status == 400
            assert (await self.refresh(connection, server, family)).status == 400
        connection.close()


async def _signed_in(server: DevServer, chance: random.Random) -> Clients:
    async with RelyingParty(server) as spa, Person(server) as alice:
        await spa.tokens_for(alice)
        return Clients(spa, "; ".join(f"{name}={value}" for name, value in alice.http.cookies.items()), chance)


async def _crash(clients: Clients, server: DevServer, after: float) -> None:
    working = [asyncio.create_task(clients.work(server)) for _ in range(CLIENTS)]
    await asyncio.sleep(after)
    server.kill()
    await asyncio.gather(*working)


async def _findings(data: Path) -> tuple[str, ...]:
    store = open_store(f"sqlite://{data / 'proofkey.db'}")
    await store.open()
    try:
        return await store.check_integrity()
    finally:
        await store.close()


async def test_twenty_crashes_lose_nothing_that_was_acknowledged(start_dev: StartDev, tmp_path: Path) -> None:
    chance, data, found = random.Random(SEED), tmp_path / "data", Counter[str]()
    server = start_dev("--public-url", PUBLIC_URL, data=data)
    clients = await _signed_in(server, chance)
    for _ in range(CRASHES):
        known = len(clients.families)
        await _crash(clients, server, chance.uniform(0.02, 0.5))
        assert await _findings(data) == ()
        server = start_dev("--public-url", PUBLIC_URL, data=data)
        found += await clients.check(server, clients.families[known:])

    acknowledged = [family for family in clients.families if family.refresh_token is not None]
    assert len(acknowledged) > CRASHES * CLIENTS
    assert found["redeemed, answer lost"] + found["never redeemed"] > 0
    assert (await clients.check(server, acknowledged))["acknowledged"] == len(acknowledged)
    await clients.replay(server, acknowledged[::10])


async def test_of_two_processes_one_may_die_and_the_other_knows_all_it_promised(
    start_dev: StartDev, tmp_path: Path
) -> None:
    chance, data = random.Random(SEED), tmp_path / "data"
    mortal, other = (start_dev("--public-url", PUBLIC_URL, data=data) for _ in range(2))
    clients = await _signed_in(other, chance)
    for _ in range(4):
        known, clients.stopped = len(clients.families), False
        beside = [asyncio.create_task(clients.work(other)) for _ in range(CLIENTS)]
        await _crash(clients, mortal, chance.uniform(0.1, 0.5))
        await asyncio.sleep(0.2)
        clients.stopped = True
        await asyncio.gather(*beside)
        found = await clients.check(other, clients.families[known:])
        assert found["acknowledged"] > CLIENTS
        mortal = start_dev("--public-url", PUBLIC_URL, data=data)
    assert await _findings(data) == ()
