"""Spent proofs in Redis, for many processes: of any number of requests at once one comes in; an outage lets nobody in."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from redis import Redis

from proofkey.guard import Dpop, RedisReplay
from proofkey.guard.replay import ReplayUnavailable
from proofkey.guard.steps import arrival, begin, run
from proofkey.protocol.dpop import ProvenProof
from proofkey.protocol.errors import InvalidDpopProof, OAuthError
from proofkey.protocol.records import SECOND
from tests.guard.bound import BoundClient
from tests.guard.sample_issuer import NOON, Clock, SampleIssuer
from tests.listening import bind, listening, url_of
from tests.protocol.refusals import refused
from tests.redis_server import RedisServer, running_redis

SPENDER = """
import asyncio, sys
from proofkey.guard import RedisReplay
from proofkey.guard.steps import run
from proofkey.protocol.dpop import ProvenProof

async def spend():
    replay = RedisReplay(sys.argv[1])
    now = 1_800_000_000_000
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(100):
        proof = ProvenProof("key", str(number), now, None)
        first = await run(replay.spend(proof, owner="alice", until=now + 60_000, now=now))
        print(int(first), end="", flush=True)
    await replay.aclose()

asyncio.run(spend())
"""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def issuer() -> Iterator[SampleIssuer]:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(sample, listener):
        yield sample


Replays: TypeAlias = Callable[..., RedisReplay]


@pytest.fixture
async def replays() -> AsyncIterator[Replays]:
    """Makes stores whose connections are closed at the end."""
    made: list[RedisReplay] = []

    def make(*given: Any, **more: Any) -> RedisReplay:
        made.append(RedisReplay(*given, **more))
        return made[-1]

    yield make
    for replay in made:
        await replay.aclose()


def proof(jti: str) -> ProvenProof:
    return ProvenProof("key", jti, NOON, None)


async def test_of_fifty_requests_at_once_with_one_proof_one_comes_in(
    redis: RedisServer, issuer: SampleIssuer, replays: Replays
) -> None:
    client = BoundClient(issuer, Dpop(replays(redis.url)), Clock())
    sent = client.proof()
    answers = await asyncio.gather(*(client.send(sent) for _ in range(50)), return_exceptions=True)
    came = Counter(answer.reason if isinstance(answer, OAuthError) else "came in" for answer in answers)  # type: ignore[union-attr]
    assert {"came in": 1, "dpop_replayed": 49} == came


def test_of_fifty_threads_at_once_with_one_proof_one_comes_in(
    redis: RedisServer, issuer: SampleIssuer, replays: Replays
) -> None:
    client = BoundClient(issuer, Dpop(replays(redis.url)), Clock())
    request = client.request(client.proof())

    def call(_: int) -> str:
        try:
            return client.server.admit_blocking(request).subject
        except OAuthError as refusal:
            return refusal.reason

    with ThreadPoolExecutor(50) as threads:
        assert {"alice": 1, "dpop_replayed": 49} == Counter(threads.map(call, range(50)))


async def test_two_processes_let_each_proof_in_once_between_them(redis: RedisServer) -> None:
    command = [sys.executable, "-c", SPENDER, redis.url]
    pipe = asyncio.subprocess.PIPE
    spenders = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe) for _ in range(2)]
    for spender in spenders:
        assert spender.stdout is not None
        assert b"ready\n" == await spender.stdout.readline()
    answers = await asyncio.gather(*(spender.communicate(b"go\n") for spender in spenders))
    first, second = (list(map(int, out.decode())) for out, _ in answers)
    assert [1] * 100 == [one + other for one, other in zip(first, second, strict=True)]


async def test_a_mark_ends_when_its_proof_is_too_old_anyway(redis: RedisServer, replays: Replays) -> None:
    replay = replays(redis.url)
    assert await run(replay.spend(proof("brief"), owner="alice", until=NOON + 50, now=NOON))
    assert not await run(replay.spend(proof("brief"), owner="alice", until=NOON + 50, now=NOON))
    await asyncio.sleep(0.1)
    assert await run(replay.spend(proof("brief"), owner="alice", until=NOON + 50, now=NOON))


async def test_apis_with_prefixes_of_their_own_do_not_meet(redis: RedisServer, replays: Replays) -> None:
    for prefix in ("one:", "other:"):
        replay = replays(redis.url, prefix=prefix)
        assert await run(replay.spend(proof("shared"), owner="alice", until=NOON + SECOND, now=NOON))


async def test_an_outage_lets_nobody_in_and_ends_by_itself(
    tmp_path: Path, issuer: SampleIssuer, replays: Replays
) -> None:
    server = RedisServer(tmp_path)
    client = BoundClient(issuer, Dpop(replays(server.url, timeout_for=300)), Clock())
    with refused(ReplayUnavailable, "dpop_replay_unavailable") as caught:
        await client.send(client.proof())
    assert isinstance(caught.value, OAuthError)
    status, headers = client.answer(caught.value, client.request())
    assert (503, "1") == (status, headers["retry-after"])
    for _ in range(2):
        server.start()
        try:
            assert "alice" == (await client.send(client.proof())).subject
        finally:
            server.stop()
        with refused(ReplayUnavailable, "dpop_replay_unavailable"):
            await client.send(client.proof())


async def test_a_redis_that_hangs_is_waited_for_no_longer_than_told(issuer: SampleIssuer, replays: Replays) -> None:
    silent = bind()
    silent.listen()
    client = BoundClient(
        issuer, Dpop(replays(f"redis://127.0.0.1:{silent.getsockname()[1]}", timeout_for=200)), Clock()
    )
    began = asyncio.get_running_loop().time()
    with refused(ReplayUnavailable, "dpop_replay_unavailable"):
        await client.send(client.proof())
    assert asyncio.get_running_loop().time() - began < 2
    silent.close()


async def test_a_redis_without_room_lets_nobody_in(tmp_path: Path, issuer: SampleIssuer, replays: Replays) -> None:
    with running_redis(tmp_path, "--maxmemory", "100kb", "--maxmemory-policy", "noeviction") as full:
        client = BoundClient(issuer, Dpop(replays(full.url)), Clock())
        with refused(ReplayUnavailable, "dpop_replay_unavailable"):
            await client.send(client.proof())


async def test_a_replay_is_refused_by_name(redis: RedisServer, issuer: SampleIssuer, replays: Replays) -> None:
    client = BoundClient(issuer, Dpop(replays(redis.url)), Clock())
    sent = client.proof()
    await client.send(sent)
    with refused(InvalidDpopProof, "dpop_replayed"):
        await client.send(sent)


async def taken(replay: RedisReplay, owner: str, jti: str) -> str:
    """`True` or `False` as the store says, or why it says nothing."""
    try:
        return str(await run(replay.spend(proof(jti), owner=owner, until=NOON + 90 * SECOND, now=NOON)))
    except ReplayUnavailable as refusal:
        return refusal.reason


async def test_one_persons_requests_fill_a_share_of_redis_and_lock_nobody_else_out(
    redis: RedisServer, replays: Replays
) -> None:
    one, other = (replays(redis.url, prefix="share:", capacity=200, share=20) for _ in range(2))
    flood = [await taken(replay, "mallory", f"{number}") for number in range(17) for replay in (one, other)]
    assert ["True", "False"] * 17 == flood  # 20 of 200, less what is not free any more
    assert "dpop_replay_share_full" == await taken(other, "mallory", "further")
    assert "False" == await taken(other, "mallory", "1")
    for account in range(20):
        for number in range(21):
            if "True" != await taken(one, f"mallory{account}", f"{account} {number}"):
                break
    came = [await taken(other, f"person {person}", f"p{person} {number}") for person in range(5) for number in range(2)]
    assert ["True"] * 10 == came


async def test_a_redis_with_as_many_proofs_as_it_may_have_lets_nobody_in(redis: RedisServer, replays: Replays) -> None:
    replay = replays(redis.url, prefix="full:", capacity=3, share=1_000)
    answers = [await taken(replay, f"person {number}", f"{number}") for number in range(4)]
    assert ["True", "True", "True", "dpop_replay_full"] == answers


async def test_shares_are_counted_anew_after_a_while(
    redis: RedisServer, replays: Replays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.guard.replay.COUNTED_FOR", 100)
    replay = replays(redis.url, prefix="anew:", capacity=1_000, share=1)
    assert ["True", "dpop_replay_share_full"] == [await taken(replay, "alice", jti) for jti in ("1", "2")]
    await asyncio.sleep(0.15)
    assert "True" == await taken(replay, "alice", "2")


async def test_a_redis_that_lost_the_script_is_told_it_again(redis: RedisServer, replays: Replays) -> None:
    async def flush() -> None:
        await replay._client().script_flush()

    replay = replays(redis.url, prefix="script:")
    assert "True" == await taken(replay, "alice", "1")
    await arrival(begin(flush()))
    assert ["False", "True"] == [await taken(replay, "alice", jti) for jti in ("1", "2")]


def test_event_loops_that_come_and_go_leave_no_connections(redis: RedisServer) -> None:
    """As Django's async views under WSGI make them: one for each request."""
    replay = RedisReplay(redis.url, prefix="loops:")

    async def ask(jti: int) -> str:
        return await taken(replay, "alice", str(jti))

    assert ["True"] * 20 == [asyncio.run(ask(number)) for number in range(20)]
    with Redis.from_url(redis.url) as watching:
        connected = [each for each in watching.client_list() if each["cmd"].startswith("eval")]
    assert 1 == len(connected)
    asyncio.run(replay.aclose())
    with Redis.from_url(redis.url) as watching:
        assert [] == [each for each in watching.client_list() if each["cmd"].startswith("eval")]
