"""The listening server and raw bytes: what no client library sends gets a clear answer or a closed connection, never a 500."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from proofkey.server import listen
from tests.engine import Deployment, attempt_of

TOKEN = b"POST /demo/main/oauth2/token HTTP/1.1\r\n"
FORM = b"content-type: application/x-www-form-urlencoded\r\n"
HOST = b"host: x\r\n"
GET = b"GET /demo/main/oauth2/authorize?client_id=spa HTTP/1.1\r\n"
REFUSED = b"grant_type=x&client_id=spa"


@pytest_asyncio.fixture
async def port(deployment: Deployment, log: list[Any], caplog: pytest.LogCaptureFixture) -> AsyncIterator[int]:
    """Where the engine listens; afterwards it must still answer, and nothing may have failed."""
    caplog.set_level(logging.WARNING)
    async with listening(deployment) as listens_at:
        yield listens_at
        [answer] = await answers(listens_at, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert 200 == answer
    assert [] == [line for line in log if line["log_level"] in ("error", "critical")]
    assert [] == [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@asynccontextmanager
async def listening(deployment: Deployment) -> AsyncIterator[int]:
    bound = listen.bind("127.0.0.1", 0)
    ready, stop = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        listen.serve([listen.Listener(deployment.app, [bound])], on_ready=ready.set, stop=stop)
    )
    await asyncio.wait_for(ready.wait(), 10)
    try:
        yield listen.port_of(bound)
    finally:
        stop.set()
        await asyncio.wait_for(serving, 10)


async def talk(port: int, *parts: bytes, pause: float = 0.0, patience: float = 10.0) -> bytes:
    """Send *parts*; everything that came back until the server hung up, or said nothing for *patience* seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        while chunk := await asyncio.wait_for(reader.read(65_536), patience):
            received += chunk
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
        with_error = await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        assert 1 == len(with_error)
    return received


async def answers(port: int, *parts: bytes, patience: float = 10.0) -> list[int]:
    """The statuses of everything that was answered."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3})", await talk(port, *parts, patience=patience))]


def close(head: bytes, body: bytes = b"") -> bytes:
    """A whole request after which the server hangs up."""
    return head + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"host:\r\n",
        b"host: \xff\xfe\r\n",
        b"host: [::1\r\n",
        b"host: a b c\r\n",
        b"host: x:99999999\r\n",
        b"host: x\r\nhost: y\r\n",
        b"host: " + b"x" * 5000 + b"\r\n",
        b"host: http://evil.example/\r\n",
    ],
)
async def test_a_malformed_host_header_changes_nothing(port: int, host: bytes) -> None:
    received = await talk(port, close(GET + host))
    assert re.match(rb"HTTP/1\.1 (400) ", received)
    received = await talk(port, close(b"GET /demo/main/.well-known/openid-configuration HTTP/1.1\r\n" + host))
    assert b"evil" not in received
    assert b'"issuer":"https://login.example/demo/main"' in received or received.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        (GET + b"x: " + b"y" * 200_000 + b"\r\n", {400, 431}),
        (GET + b"".join(b"x-%d: y\r\n" % number for number in range(20_000)), {400, 431}),
        (b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n", {400, 404, 414, 431}),
        (GET + b"cookie: " + b"a=b; " * 10_000 + b"\r\n", {400}),
        (GET + b"cookie: \xff\xfe=\x80; ;;;==\r\n", {400}),
        (GET + b"authorization: \xff\r\nauthorization: Basic\r\n", {400}),
        (GET + b"bad header\r\n", {400}),
        (GET + b"na\x00me: x\r\n", {400}),
        (GET + b" folded: x\r\n", {400}),
        (b"GET /demo/main/oauth2/authorize?\xff\xfe=\xff HTTP/1.1\r\n", {400}),
        (b"GET /demo/main/oauth2/authorize?a=\x00 HTTP/1.1\r\n", {400}),
        (b"GET /%ff/%00/%2e%2e HTTP/1.1\r\n", {404}),
        (b"GET /\xff\xfe HTTP/1.1\r\n", {400, 404}),
        (b"GET //evil.example/x HTTP/1.1\r\n", {404}),
        (b"GET http://evil.example/demo/main/oauth2/authorize HTTP/1.1\r\n", {400, 404}),
        (b"BREW / HTTP/1.1\r\n", {400}),
        (b"GET\r\n", {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
        (b"PRI * HTTP/2.0\r\n", {400, 404}),
        (b"OPTIONS * HTTP/1.1\r\n", {204, 400, 404}),
        (b"CONNECT evil.example:443 HTTP/1.1\r\n", {400, 404, 405}),
        (b"GET / HTTP/9.9\r\n", {400, 404}),
        (b"GET /demo/main/oauth2/token HTTP/1.1\r\n", {405}),
        (b"TRACE /demo/main/oauth2/token HTTP/1.1\r\n", {405}),
    ],
)
async def test_a_strange_head_is_refused_clearly(port: int, head: bytes, statuses: set[int]) -> None:
    found = await answers(port, close(head if HOST in head else head + HOST))
    assert found == [] or set(found) <= statuses


@pytest.mark.parametrize(
    ("parts", "statuses"),
    [
        ([TOKEN + HOST + FORM + b"content-length: 100\r\n\r\ngrant_type=x"], []),
        ([TOKEN + HOST + FORM + b"content-length: 10\r\ncontent-length: 20\r\n\r\n" + b"x" * 20], [400]),
        ([TOKEN + HOST + FORM + b"content-length: -5\r\n\r\n"], [400]),
        ([TOKEN + HOST + FORM + b"content-length: 99999999999999999999999\r\n\r\n"], [400]),
        ([TOKEN + HOST + FORM + b"content-length: 1000000\r\n\r\n" + b"x" * 1000], [413]),
        ([TOKEN + HOST + FORM + b"transfer-encoding: chunked\r\n\r\nZZ\r\nx\r\n0\r\n\r\n"], [400]),
        ([TOKEN + HOST + FORM + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n"], [400]),
        ([TOKEN + HOST + FORM + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"], [400]),
    ],
)
async def test_a_length_that_lies_is_never_acted_upon(port: int, parts: list[bytes], statuses: list[int]) -> None:
    found = await answers(port, *parts, patience=1)
    assert found in ([], statuses)


async def test_a_chunked_body_over_the_limit_is_413(port: int) -> None:
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    found = await answers(
        port, TOKEN + HOST + FORM + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 64, b"0\r\n\r\n"
    )
    assert [413] == found


async def test_a_chunked_form_is_read(port: int) -> None:
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(REFUSED), REFUSED)
    head = TOKEN + HOST + FORM + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    assert b"unsupported_grant_type" in await talk(port, head, body[:5], body[5:], pause=0.02)


async def test_pipelined_requests_are_answered_in_their_order(port: int) -> None:
    token = TOKEN + HOST + FORM + b"content-length: %d\r\n\r\n" % len(REFUSED) + REFUSED
    health = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    missing = b"GET /nothing/here/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    assert [400, 200, 400, 200, 404] == await answers(port, (token + health) * 2 + missing)


async def test_a_body_may_come_byte_by_byte(port: int) -> None:
    raw = close(TOKEN + HOST + FORM, REFUSED)
    assert [400] == await answers(port, *(raw[at : at + 1] for at in range(len(raw))))


async def test_whoever_hangs_up_early_harms_nobody(port: int) -> None:
    whole = close(TOKEN + HOST + FORM, REFUSED)
    for cut in range(0, len(whole), 7):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(whole[:cut])
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.mark.parametrize("seed", range(3))
async def test_random_bytes_and_broken_requests_get_no_500(port: int, seed: int) -> None:
    dice = random.Random(seed)
    query = b"&".join(f"{name}={value}".encode() for name, value in attempt_of().query.items())
    sound = [
        close(b"GET /demo/main/oauth2/authorize?" + query + b" HTTP/1.1\r\n" + HOST),
        close(TOKEN + HOST + FORM, REFUSED),
        close(TOKEN + HOST + FORM + b"authorization: Basic c3BhOg==\r\n", REFUSED),
    ]

    async def once() -> list[int]:
        raw = bytearray(dice.choice([*sound, dice.randbytes(200)]))
        for _ in range(dice.randrange(1, 6)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        return await answers(port, bytes(raw), patience=1)

    for _ in range(4):
        for found in await asyncio.gather(*(once() for _ in range(25))):
            assert all(status < 500 for status in found), found


async def test_a_client_that_sends_a_mebibyte_can_read_the_refusal(port: int) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/demo/main/", trust_env=False) as http:
        for path in ("oauth2/token", "login", "oauth2/userinfo", "oauth2/authorize"):
            answer = await http.post(path, content=b"x" * 1_048_576, headers={"content-type": FORM.decode()[14:-2]})
            assert 413 == answer.status_code
        answer = await http.post("oauth2/token", content=b"{" * 1_048_576, headers={"content-type": "application/json"})
        assert 415 == answer.status_code
