"""A process that uses a store beside others: `racer URL redeem ATTEMPT COUNT` or `racer URL until_killed FIRST`."""

from __future__ import annotations

import asyncio
import json
import sys

from proofkey.server.store import open_store
from proofkey.server.store.contract import Redeemed, Store
from tests.store.facts import NOON, code, grant


async def _redeem(store: Store, attempt: str, count: str) -> None:
    numbers = range(int(count))
    answers = await asyncio.gather(*(store.redeem_code(code(n), grant(n, int(attempt)), NOON) for n in numbers))
    print(json.dumps([type(answer).__name__ for answer in answers]), flush=True)


async def _redeem_until_killed(store: Store, first: str) -> None:
    async def redeem_and_say(number: int) -> None:
        answer = await store.redeem_code(code(number), grant(number), NOON)
        assert isinstance(answer, Redeemed)
        print(number, flush=True)

    number = int(first)
    while True:
        await asyncio.gather(*(redeem_and_say(number + n) for n in range(20)))
        number += 20


async def _main(url: str, task: str, *arguments: str) -> None:
    store = open_store(url)
    await store.open()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    if task == "redeem":
        await _redeem(store, *arguments)
    else:
        await _redeem_until_killed(store, *arguments)
    await store.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
