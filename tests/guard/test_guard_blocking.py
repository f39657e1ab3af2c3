"""The guard for code that cannot await: from many threads, after a fork, beside an event loop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from proofkey.guard import Introspection, IssuerUnavailable, ResourceServer, TokenRejected, TrustedIssuer
from proofkey.guard.steps import Steps, run_blocking
from tests.guard.asking import AUDIENCE, asking, issuers
from tests.guard.sample_issuer import OTHER_KEY, Clock, SampleIssuer
from tests.protocol.refusals import refused


@pytest.fixture
def issuer() -> Iterator[SampleIssuer]:
    with issuers() as (only,):
        yield only


def guarded(issuer: SampleIssuer, clock: Clock) -> ResourceServer:
    trusted = TrustedIssuer(issuer.issuer, introspection=Introspection("api", "secret"))
    return ResourceServer(trusted, audience=AUDIENCE, clock=clock)


def test_many_threads_at_once_fetch_once_and_ask_once(issuer: SampleIssuer) -> None:
    server = guarded(issuer, Clock())
    issuer.known["opaque"] = {"active": True, **issuer.claims()}
    requests = [asking(issuer.token()), asking("opaque")] * 100
    with ThreadPoolExecutor(16) as pool:
        subjects = {access.subject for access in pool.map(server.admit_blocking, requests)}
    assert ({"alice"}, 1, 1) == (subjects, issuer.fetches(), len(issuer.questions))


def test_refusals_reach_the_thread_that_asked(issuer: SampleIssuer) -> None:
    server = guarded(issuer, Clock())
    with refused(TokenRejected, "access_token_key_unknown"):
        server.admit_blocking(asking(issuer.token(OTHER_KEY)))
    issuer.introspection_status = 500
    with refused(IssuerUnavailable, "introspection_failed"):
        server.admit_blocking(asking("opaque"))


def test_with_everything_at_hand_no_other_thread_is_asked(issuer: SampleIssuer) -> None:
    server = guarded(issuer, Clock())
    server.admit_blocking(asking(issuer.token()))
    seen: list[str] = []

    def note() -> int:
        seen.append(threading.current_thread().name)
        return server_clock()

    server_clock = Clock()
    server._clock = note
    server.admit_blocking(asking(issuer.token()))
    assert {threading.current_thread().name} == set(seen)


def admitted_in_a_child(server: ResourceServer, token: str) -> bytes:
    """Who calls, as a forked process sees it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # whatever goes wrong, no process stays behind
        try:
            os.write(writing, server.admit_blocking(asking(token)).subject.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        answer = told.read()
    os.waitpid(child, 0)
    return answer


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_process_asks_for_itself(issuer: SampleIssuer) -> None:
    """As pre-forking servers do it: the object is made, and used, before the fork."""
    server = guarded(issuer, Clock())
    server.admit_blocking(asking(issuer.token()))
    issuer.known |= {name: {"active": True, **issuer.claims()} for name in ("parent", "child")}
    server.admit_blocking(asking("parent"))
    assert b"alice" == admitted_in_a_child(server, "child")
    server.admit_blocking(asking("parent"))
    assert ["parent", "child"] == [token for _, token in issuer.questions]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.parametrize("token", ["", "opaque"])
def test_what_was_under_way_at_a_fork_is_begun_again(issuer: SampleIssuer, token: str) -> None:
    server = guarded(issuer, Clock())
    issuer.known["opaque"] = {"active": True, **issuer.claims()}
    token = token or issuer.token()
    issuer.answers_after = 0.3
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.admit_blocking, asking(token))
        while not any(path.endswith(("jwks", "introspect")) for path in issuer.asked):
            time.sleep(0.01)
        assert b"alice" == admitted_in_a_child(server, token)
        assert "alice" == waiting.result().subject


def test_what_a_wait_raises_is_raised_where_it_was_waited_for() -> None:
    async def fail() -> None:
        raise LookupError("gone")

    def steps() -> Steps[str]:
        try:
            yield fail
        except LookupError as gone:
            return str(gone)
        return "nothing happened"

    assert "gone" == run_blocking(steps())
