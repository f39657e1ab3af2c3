"""The figures: how many microseconds of server CPU one flow, refresh, userinfo or introspection takes.

Every figure makes its own fresh tokens before the clock starts, opens its connections, reads the CPU of the server's
processes, works, and reads again. Requests run on several connections at once, as they do in production, so that a
server which gathers writes into one commit has something to gather.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from bench.cpu import read_tree_cpu_us
from bench.evidence import check_sample, check_single_use
from bench.journey import Issued, Journey
from bench.subjects import Running
from bench.wire import Connection, get

CONNECTIONS = 24
SAMPLED = 20
"""How many flows of each round have their tokens verified."""

REFRESHED = 240
"""How many grants a round of refreshes is spread over."""

SETTLE_FOR = 0.05
"""Seconds a server may use to finish what it put off until after its last answer."""

PATIENCE = 300.0
"""Seconds after which a round is given up."""

Sent = TypeVar("Sent")
Got = TypeVar("Got")
Act = Callable[[Connection, Sent], Awaitable[Got]]


async def spread(journey: Journey, act: Act[Sent, Got], work: Iterable[Sent]) -> tuple[float, list[Got]]:
    """Run *act* over *work* on all connections at once; the CPU microseconds the server took, and what came back."""
    connections = [journey.connect() for _ in range(CONNECTIONS)]
    greeting = get(journey.authority, "/", {})
    await asyncio.gather(*(connection.send(greeting) for connection in connections))
    todo, came_back = iter(work), list[Got]()

    async def drain(connection: Connection) -> None:
        for sent in todo:
            came_back.append(await act(connection, sent))

    before = read_tree_cpu_us(journey.running.roots)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as workers:
        for connection in connections:
            workers.create_task(drain(connection))
    await asyncio.sleep(SETTLE_FOR)
    spent = read_tree_cpu_us(journey.running.roots) - before
    for connection in connections:
        connection.close()
    return spent, came_back


class Gauge:
    """Takes the figures of one running server."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.journey = Journey(running, running.application("spa"))
        self.bearer = Journey(running, running.application(running.subject.bearer))

    async def prepare(self) -> None:
        """Sign in with each application, see that a code is spent once, and warm up."""
        await self.journey.sign_in()
        await check_single_use(self.journey)  # some servers end the remembered consent with it
        await self.journey.sign_in()
        await self.bearer.sign_in()
        await self.flow(self.running.subject.warm_up)

    async def flow(self, n: int) -> float:
        """A whole sign-in: GET /authorize with session and consent, POST /token."""
        spent, issued = await spread(self.journey, self.journey.flow, [self.journey.attempt() for _ in range(n)])
        check_sample(self.journey, issued[:: max(1, n // SAMPLED)])
        return spent / n

    async def refresh(self, n: int) -> float:
        """One rotation. The tokens of many grants take turns; each is always the newest of its grant."""
        issued = await self.issue(self.journey, min(n, REFRESHED))
        chains = [[one.tokens.refresh_token] for one in issued]
        lengths = [n // len(chains) + (place < n % len(chains)) for place in range(len(chains))]

        async def rotate(connection: Connection, place: int) -> None:
            for _ in range(lengths[place]):
                chains[place][0] = await self.journey.refresh(connection, chains[place][0])

        spent, _ = await spread(self.journey, rotate, range(len(chains)))
        return spent / n

    async def userinfo(self, n: int) -> float:
        """GET userinfo with a live access token."""
        tokens = [one.tokens.access_token for one in await self.issue(self.bearer, CONNECTIONS)]
        requests = [self.bearer.userinfo_request(token) for token in tokens]
        spent, _ = await spread(self.bearer, self.bearer.userinfo, repeat(requests, n))
        return spent / n

    async def introspection(self, n: int) -> float:
        """POST introspection of a live access token by the confidential client it was issued to."""
        tokens = [one.tokens.access_token for one in await self.issue(self.bearer, CONNECTIONS)]
        spent, _ = await spread(self.bearer, self.bearer.introspect, repeat(tokens, n))
        return spent / n

    @staticmethod
    async def issue(journey: Journey, n: int) -> list[Issued]:
        """Fresh tokens, off the clock."""
        return (await spread(journey, journey.flow, [journey.attempt() for _ in range(n)]))[1]


def repeat(things: Sequence[Sent], n: int) -> list[Sent]:
    """*n* of *things*, in turns."""
    return [things[place % len(things)] for place in range(n)]
