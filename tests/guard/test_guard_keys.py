"""Fetching the issuer's keys: seldom, once at a time, and with an issuer that is sometimes away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest

from proofkey import jose
from proofkey.guard import Guard, IssuerUnavailable, ResourceServer, TokenRejected
from proofkey.guard.discovery import Discovery
from proofkey.guard.fetched import COOL_DOWN_FOR, FRESH_FOR, STALE_FOR, Fetched
from proofkey.guard.keys import IssuerKeys
from proofkey.guard.steps import run
from proofkey.protocol.issuer import may_be_of
from proofkey.protocol.records import HOUR, SECOND
from tests.guard.asking import AUDIENCE, asking
from tests.guard.sample_issuer import KEY, OTHER_KEY, Clock, SampleIssuer
from tests.listening import bind, listening, url_of
from tests.protocol.refusals import refused


@pytest.fixture
def issuer() -> Iterator[SampleIssuer]:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(sample, listener):
        yield sample


class Keys(IssuerKeys):
    """The keys of an issuer, asked on the test's event loop."""

    def __init__(self, issuer: str, *, clock: Clock) -> None:
        super().__init__(Discovery(issuer), clock=clock)

    async def verify(self, token: str) -> dict[str, Any]:
        return await run(self.verification(jose.parse_jwt(token)))


async def settle(keys: IssuerKeys) -> None:
    """Let a fetch in the background end."""
    if keys.fetched._is_fetching():
        await keys.fetched.arrive()


async def test_a_thousand_first_requests_at_once_fetch_once(issuer: SampleIssuer) -> None:
    keys = Keys(issuer.issuer, clock=Clock())
    token = issuer.token()
    answers = await asyncio.gather(*(keys.verify(token) for _ in range(1_000)))
    assert ({"alice"}, 1) == ({claims["sub"] for claims in answers}, issuer.fetches())


async def test_a_storm_of_unknown_keys_fetches_once_per_cool_down(issuer: SampleIssuer) -> None:
    clock = Clock()
    keys = Keys(issuer.issuer, clock=clock)
    await keys.verify(issuer.token())
    clock.turn(COOL_DOWN_FOR)
    strange = issuer.token(OTHER_KEY)
    for _ in range(10_000):
        with refused(TokenRejected, "access_token_key_unknown"):
            await keys.verify(strange)
    assert 2 == issuer.fetches()
    clock.turn(COOL_DOWN_FOR)
    await asyncio.gather(*(keys.verify(strange) for _ in range(100)), return_exceptions=True)
    assert 3 == issuer.fetches()


async def test_a_new_key_is_found_when_its_first_token_comes(issuer: SampleIssuer) -> None:
    clock = Clock()
    keys = Keys(issuer.issuer, clock=clock)
    await keys.verify(issuer.token())
    issuer.keys = [OTHER_KEY]
    clock.turn(COOL_DOWN_FOR)
    assert "alice" == (await keys.verify(issuer.token(OTHER_KEY)))["sub"]
    with refused(TokenRejected, "access_token_key_unknown"):
        await keys.verify(issuer.token(KEY))


async def test_old_keys_are_renewed_in_the_background(issuer: SampleIssuer) -> None:
    clock = Clock()
    keys = Keys(issuer.issuer, clock=clock)
    await keys.verify(issuer.token())
    clock.turn(FRESH_FOR)
    await keys.verify(issuer.token())
    await settle(keys)
    assert 2 == issuer.fetches()


async def test_an_issuer_away_at_the_start_is_found_later() -> None:
    listener = bind()
    issuer = SampleIssuer(f"{url_of(listener)}/acme/main")
    clock = Clock()
    keys = Keys(issuer.issuer, clock=clock)
    with refused(IssuerUnavailable, "issuer_unavailable"):
        await keys.verify(issuer.token())
    with listening(issuer, listener):
        with refused(IssuerUnavailable, "issuer_unavailable") as caught:
            await keys.verify(issuer.token())
        assert isinstance(caught.value, IssuerUnavailable)
        clock.turn(caught.value.retry_for)
        assert "alice" == (await keys.verify(issuer.token()))["sub"]


async def test_an_issuer_away_answers_503_with_retry_after() -> None:
    listener = bind()
    issuer = SampleIssuer(f"{url_of(listener)}/acme/main")
    listener.close()
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    clock = Clock()
    guard = Guard(send, ResourceServer(issuer.issuer, audience="a", clock=clock))  # type: ignore[arg-type]
    headers = [(b"authorization", b"Bearer " + issuer.token().encode())]
    await guard({"type": "http", "path": "/", "headers": headers}, send, send)  # type: ignore[arg-type]
    assert (503, b"1") == (sent[0]["status"], dict(sent[0]["headers"])[b"retry-after"])  # type: ignore[call-overload]


async def test_an_issuer_away_later_is_not_missed_for_a_day() -> None:
    listener = bind()
    issuer = SampleIssuer(f"{url_of(listener)}/acme/main")
    clock = Clock()
    keys = Keys(issuer.issuer, clock=clock)
    with listening(issuer, listener):
        await keys.verify(issuer.token())
    for _ in range(23):
        clock.turn(HOUR)
        assert "alice" == (await keys.verify(issuer.token()))["sub"]
        await settle(keys)
    clock.turn(HOUR)
    assert 24 * HOUR == STALE_FOR
    with refused(IssuerUnavailable, "issuer_unavailable"):
        await keys.verify(issuer.token())


async def test_a_clock_that_was_put_back_makes_keys_old(issuer: SampleIssuer) -> None:
    clock = Clock()
    clock.turn(7 * 365 * 24 * HOUR)
    keys = Keys(issuer.issuer, clock=clock)
    await run(keys.fetched.current())
    clock.turn(-7 * 365 * 24 * HOUR)
    issuer.keys = [OTHER_KEY]
    assert "alice" == (await keys.verify(issuer.token(OTHER_KEY)))["sub"]
    with refused(TokenRejected, "access_token_key_unknown"):
        await keys.verify(issuer.token())


async def test_an_unknown_key_while_the_issuer_is_away_is_nobodys_fault() -> None:
    listener = bind()
    issuer = SampleIssuer(f"{url_of(listener)}/acme/main")
    clock = Clock()
    keys = Keys(issuer.issuer, clock=clock)
    with listening(issuer, listener):
        await keys.verify(issuer.token())
    clock.turn(COOL_DOWN_FOR)
    with refused(IssuerUnavailable, "issuer_keys_not_renewed"):
        await keys.verify(issuer.token(OTHER_KEY))


async def test_strange_tokens_wait_only_a_moment_for_an_issuer_that_is_slow(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofkey.guard.fetched.NEWER_WITHIN", 0.3)
    clock = Clock()
    keys = Keys(issuer.issuer, clock=clock)
    await keys.verify(issuer.token())
    clock.turn(COOL_DOWN_FOR)
    issuer.keys, issuer.answers_after = [KEY, OTHER_KEY], 1.0
    strange = issuer.token(OTHER_KEY)
    for _ in range(5):
        with refused(IssuerUnavailable, "issuer_keys_not_renewed"):
            await keys.verify(strange)
    assert "alice" == (await keys.verify(issuer.token()))["sub"]
    await settle(keys)
    assert ("alice", 2) == ((await keys.verify(strange))["sub"], issuer.fetches())


async def test_an_issuer_that_is_too_slow_is_away(issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many answers one fetch takes."""
    monkeypatch.setattr("proofkey.guard.fetched.FETCHED_WITHIN", 1.0)
    issuer.answers_after = 0.6
    with refused(IssuerUnavailable, "issuer_unavailable"):
        await Keys(issuer.issuer, clock=Clock()).verify(issuer.token())


async def test_failures_are_retried_ever_more_slowly(issuer: SampleIssuer) -> None:
    clock = Clock()
    issuer.metadata = {}
    keys = Keys(issuer.issuer, clock=clock)
    rests = []
    for _ in range(7):
        with pytest.raises(IssuerUnavailable) as caught:
            await keys.verify(issuer.token())
        rests.append(caught.value.retry_for // SECOND)
        clock.turn(caught.value.retry_for)
    assert [1, 2, 4, 8, 16, 30, 30] == rests


async def test_a_bug_in_fetching_does_not_make_every_request_fetch() -> None:
    tries = []

    async def fail() -> str:
        tries.append(1)
        raise LookupError("a bug")

    fetched = Fetched(fail, what="nothing", clock=Clock())
    for _ in range(100):
        with refused(IssuerUnavailable, "issuer_unavailable"):
            await run(fetched.current())
    assert 1 == len(tries)


async def test_metadata_only_under_the_openid_address_do(issuer: SampleIssuer) -> None:
    issuer.only_openid = True
    assert "alice" == (await Keys(issuer.issuer, clock=Clock()).verify(issuer.token()))["sub"]
    assert ["/.well-known/oauth-authorization-server/acme/main", "/acme/main/.well-known/openid-configuration"] == list(
        issuer.asked
    )[:2]


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "http://127.0.0.1/other"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "http://keys.example/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 7},
    ],
)
async def test_metadata_that_are_not_this_issuers_give_no_keys(
    issuer: SampleIssuer, changed: dict[str, object]
) -> None:
    issuer.metadata.update(changed)
    with refused(IssuerUnavailable, "issuer_unavailable"):
        await Keys(issuer.issuer, clock=Clock()).verify(issuer.token())
    assert 0 == issuer.fetches()


@pytest.mark.parametrize("host", ["u@127.0.0.1", "0.0.0.0"])
async def test_an_address_that_answers_and_is_not_safe_is_not_asked(issuer: SampleIssuer, host: str) -> None:
    issuer.metadata["jwks_uri"] = issuer.metadata["jwks_uri"].replace("127.0.0.1", host)
    with refused(IssuerUnavailable, "issuer_unavailable"):
        await Keys(issuer.issuer, clock=Clock()).verify(issuer.token())
    assert 0 == issuer.fetches()


class Catching:
    """A host that answers every path it does not know with its one page."""

    def __init__(self, inner: SampleIssuer) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if "oauth-authorization-server" not in scope["path"]:
            await self.inner(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<!doctype html><div id=app>"})


async def test_a_page_at_the_first_address_of_metadata_hides_nothing() -> None:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(Catching(sample), listener):
        keys = Keys(sample.issuer, clock=Clock())
        assert "alice" == (await keys.verify(sample.token()))["sub"]


@pytest.mark.parametrize(
    ("issuer", "address", "expected"),
    [
        ("https://login.example", "https://keys.example/jwks", True),
        ("https://login.example", "http://127.0.0.1:6379/jwks", False),
        ("https://login.example", "http://localhost/jwks", False),
        ("http://127.0.0.1:8400/main", "http://localhost:8401/jwks", True),
        ("http://127.0.0.1:8400/main", "http://login.example/jwks", False),
        ("https://login.example", 'https://keys.example/"&calc&"', False),
        ("https://login.example", "https://keys.example/\x7f", False),
    ],
)
def test_an_issuer_elsewhere_names_no_address_of_this_machine(issuer: str, address: str, expected: bool) -> None:
    assert expected == may_be_of(address, issuer)


async def test_two_event_loops_share_one_fetch(issuer: SampleIssuer) -> None:
    issuer.answers_after = 0.2
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=Clock())
    request = asking(issuer.token())
    waiting: list[Awaitable[Any]] = []
    for _ in range(20):
        waiting += [server.admit(request), asyncio.to_thread(server.admit_blocking, request)]
    assert {"alice"} == {access.subject for access in await asyncio.gather(*waiting)}
    assert 1 == issuer.fetches()


async def test_a_fetch_that_is_over_at_once_is_over() -> None:
    """Among busy threads, where the guard's own thread may be faster than whoever asks it."""
    asked, clock = 0, Clock()

    async def fetch() -> int:
        nonlocal asked
        asked += 1
        return asked

    stop = threading.Event()
    busy = [threading.Thread(target=lambda: [sum(range(500)) for _ in iter(stop.is_set, True)]) for _ in range(3)]
    for thread in busy:
        thread.start()
    try:
        fetched = Fetched(fetch, what="a number", clock=clock)
        for round_number in range(1, 200):
            await fetched.arrive()
            assert round_number == asked
            clock.turn(COOL_DOWN_FOR)
    finally:
        stop.set()
        for thread in busy:
            thread.join()


def test_a_loop_that_ends_takes_its_fetch_with_it_and_nobody_waits_for_ever(issuer: SampleIssuer) -> None:
    issuer.answers_after = 0.3
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=Clock())

    async def begin_and_leave() -> None:
        asking_once = asyncio.create_task(server.admit(asking(issuer.token())))
        await asyncio.sleep(0.1)
        asking_once.cancel()

    asyncio.run(begin_and_leave())
    assert "alice" == server.admit_blocking(asking(issuer.token())).subject


async def test_a_slash_more_is_another_issuer(issuer: SampleIssuer) -> None:
    with refused(IssuerUnavailable, "issuer_unavailable"):
        await Keys(f"{issuer.issuer}/", clock=Clock()).verify(issuer.token())


async def test_an_endless_key_set_is_not_read_to_its_end(issuer: SampleIssuer) -> None:
    issuer.padding = 300_000
    with refused(IssuerUnavailable, "issuer_unavailable"):
        await Keys(issuer.issuer, clock=Clock()).verify(issuer.token())


async def test_a_websocket_without_a_token_is_closed_before_it_opens(issuer: SampleIssuer) -> None:
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    guard = Guard(send, ResourceServer(issuer.issuer, audience="a", clock=Clock()))  # type: ignore[arg-type]
    await guard({"type": "websocket", "path": "/", "headers": []}, send, send)  # type: ignore[arg-type]
    assert [{"type": "websocket.close", "code": 1008, "reason": "invalid_token"}] == sent


async def test_the_applications_own_start_and_end_pass_through_and_keys_are_fetched_meanwhile(
    issuer: SampleIssuer,
) -> None:
    ended = asyncio.Event()
    seen: list[str] = []

    async def app(scope: dict[str, str], _receive: object, _send: object) -> None:
        seen.append(scope["type"])
        await ended.wait()

    server = ResourceServer(issuer.issuer, audience="https://api.example", clock=Clock())
    running = asyncio.create_task(Guard(app, server)({"type": "lifespan"}, app, app))  # type: ignore[arg-type]
    while issuer.fetches() == 0:
        await asyncio.sleep(0.01)
    await server.admit(asking(issuer.token()))
    ended.set()
    await running
    assert (["lifespan"], 1) == (seen, issuer.fetches())


@pytest.mark.parametrize("kind", ["webtransport", "http.stream", "HTTP", ""])
async def test_a_connection_of_a_kind_that_is_unknown_here_reaches_no_application(kind: str) -> None:
    reached: list[str] = []

    async def app(scope: dict[str, str], _receive: object, _send: object) -> None:
        reached.append(scope["type"])

    guard = Guard(app, ResourceServer("https://issuer.example", audience=AUDIENCE))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="http, websocket and lifespan"):
        await guard({"type": kind, "path": "/", "headers": []}, app, app)  # type: ignore[arg-type]
    assert [] == reached
