"""Known mistakes are named in the log of `proofkey dev`, and told to no caller (RFC 7636 §4.6, RFC 9700 §4.1)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.attempt import s256
from tests.dev_server import DevServer
from tests.person import Person
from tests.relying_party import RelyingParty

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
LONG = "a-verifier_of.its~own.with-sixty-six-characters-and-no-hash-in-it"
HEX = hashlib.sha256(VERIFIER.encode()).hexdigest()
PLAIN = "dBjftJeZ4CVP+mB92K27uhbUJU1p1r/wW1gFWFOEjXk"

AT_THE_TOKEN_ENDPOINT = {
    "hex digest hashed": (s256(HEX), VERIFIER, "the hex digest of the code_verifier was hashed"),
    "padding kept in what was hashed": (s256(f"{VERIFIER}="), VERIFIER, "the base64 padding was kept on one side"),
    "padding kept in what was sent": (s256(VERIFIER), f"{VERIFIER}=", "the base64 padding was kept on one side"),
    "plain base64 hashed": (s256(PLAIN), VERIFIER, "plain base64 alphabet: use - and _ in place of + and /"),
    "plain base64 sent": (s256(VERIFIER), PLAIN, "plain base64 alphabet: use - and _ in place of + and /"),
    "challenge as verifier": (s256(VERIFIER), s256(VERIFIER), "the challenge was sent as the verifier"),
    "verifier as challenge": (VERIFIER, VERIFIER, "or the verifier as the challenge"),
    "swapped": (VERIFIER, s256(VERIFIER), "verifier and challenge were swapped"),
    "double hash": (s256(s256(VERIFIER)), VERIFIER, "the code_verifier was hashed twice"),
    "double hash of the bytes": (
        base64.urlsafe_b64encode(hashlib.sha256(bytes.fromhex(HEX)).digest()).rstrip(b"=").decode(),
        VERIFIER,
        "the code_verifier was hashed twice",
    ),
    "under 43 characters": (s256("helloworld"), "helloworld", "under 43 characters"),
    "another verifier altogether": (s256(VERIFIER), LONG, ""),
}
AT_THE_AUTHORIZATION_ENDPOINT = {
    "hex digest": (HEX, "the hex digest was sent"),
    "hex digest encoded": (base64.urlsafe_b64encode(HEX.encode()).rstrip(b"=").decode(), "the hex digest was encoded"),
    "padding kept": (f"{s256(VERIFIER)}=", "the base64 padding was kept"),
    "plain base64": ("+/" + s256(VERIFIER)[2:], "plain base64 alphabet"),
    "verifier as challenge": (LONG, "the code_verifier was sent as the code_challenge"),
    "under 43 characters": (s256(VERIFIER)[:42], "under 43 characters"),
}


@contextmanager
def refusals_logged(dev: DevServer) -> Iterator[Callable[[], list[str]]]:
    """What is asked gives the refusals that were logged inside the block."""
    before = len(dev.log)
    yield lambda: [line for line in dev.log[before:].splitlines() if "  refused  " in f"{line}  "]


def headers_and_body(response: httpx2.Response) -> tuple[object, ...]:
    """All of an answer that could tell two refusals apart; the date is the clock's."""
    headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"date"]
    return response.status_code, headers, response.content


async def present(dev: DevServer, challenge: str, verifier: str) -> tuple[httpx2.Response, list[str]]:
    """A sign-in with this challenge, redeemed with this verifier: the answer, and what was logged of it."""
    async with RelyingParty(dev) as spa, Person(dev) as alice:
        attempt = spa.begin(code_verifier=verifier)
        code = (await alice.go_through({**attempt.query, "code_challenge": challenge}))["code"]
        with refusals_logged(dev) as logged:
            return await spa.token(attempt.redemption(code)), logged()


@pytest.mark.parametrize("mistake", AT_THE_TOKEN_ENDPOINT)
async def test_the_log_names_the_mistake_behind_a_verifier_that_does_not_match(dev: DevServer, mistake: str) -> None:
    challenge, verifier, words = AT_THE_TOKEN_ENDPOINT[mistake]
    _, (line,) = await present(dev, challenge, verifier)
    reason = re.search(r"reason=(\w+)", line)
    assert reason is not None
    assert reason[1] in {"pkce_mismatch", "pkce_verifier_malformed"}
    assert words in line
    assert ("detail=" in line and not line.endswith("detail=")) is bool(words)
    assert verifier not in line
    assert challenge not in line


@pytest.mark.parametrize("slug", ["pkce_mismatch", "pkce_verifier_malformed"])
async def test_the_caller_cannot_tell_two_mistakes_apart(dev: DevServer, slug: str) -> None:
    answers = []
    for challenge, verifier, _ in AT_THE_TOKEN_ENDPOINT.values():
        response, (line,) = await present(dev, challenge, verifier)
        if f"reason={slug}" in line:
            answers.append(headers_and_body(response))
    assert len(answers) > 2
    assert [answers[0]] * len(answers) == answers


@pytest.mark.parametrize("mistake", AT_THE_AUTHORIZATION_ENDPOINT)
async def test_the_log_names_the_mistake_behind_a_malformed_challenge(dev: DevServer, mistake: str) -> None:
    challenge, words = AT_THE_AUTHORIZATION_ENDPOINT[mistake]
    async with RelyingParty(dev) as spa, Person(dev) as alice:
        with refusals_logged(dev) as logged:
            response = await alice.open({**spa.begin().query, "code_challenge": challenge})
            (line,) = logged()
    assert "error=invalid_request" in response.headers["location"]
    assert f"reason=pkce_challenge_malformed  detail={words}" in line
    assert challenge not in line


async def test_two_malformed_challenges_are_answered_alike(dev: DevServer) -> None:
    async with RelyingParty(dev) as spa, Person(dev) as alice:
        query = spa.begin().query
        await alice.open(query)
        answers = [
            headers_and_body(await alice.open({**query, "code_challenge": challenge}))
            for challenge, _ in AT_THE_AUTHORIZATION_ENDPOINT.values()
        ]
    assert [answers[0]] * len(answers) == answers


@pytest.mark.parametrize(
    ("part", "sent", "registered"),
    [
        ("scheme", "https://127.0.0.1:{port}/callback", "http"),
        ("host", "http://localhost:{port}/callback", "127.0.0.1"),
        ("port", "http://127.0.0.1:1/callback", "{port}"),
        ("path", "http://127.0.0.1:{port}/callback/", "/callback"),
    ],
)
async def test_a_redirect_uri_that_is_not_registered_is_compared_part_by_part(
    dev: DevServer, part: str, sent: str, registered: str
) -> None:
    port = dev.told["app"].rpartition(":")[2]
    redirect_uri, expected = sent.format(port=port), registered.format(port=port)
    async with RelyingParty(dev) as spa, Person(dev) as alice:
        with refusals_logged(dev) as logged:
            page = await alice.open({**spa.begin().query, "redirect_uri": redirect_uri})
            (line,) = logged()
    assert 400 == page.status_code
    assert "location" not in page.headers
    assert "reason=redirect_uri_mismatch" in line
    assert re.search(rf"{part}: requested '.*', registered '{re.escape(expected)}'", line)
    differing = [row for row in re.findall(r"<tr.*?</tr>", page.text, re.DOTALL) if "differs" in row]
    assert 1 == len(differing)
    assert part in differing[0]
    assert expected in differing[0]


async def test_a_differing_query_is_named_but_never_logged(dev: DevServer) -> None:
    async with RelyingParty(dev) as spa, Person(dev) as alice:
        with refusals_logged(dev) as logged:
            page = await alice.open({**spa.begin().query, "redirect_uri": f"{spa.redirect_uri}?secret=hunter2"})
            (line,) = logged()
    assert 400 == page.status_code
    assert "query" in line
    assert "hunter2" not in line
