"""Proofs of a real browser, made by the single-page library with a key no script can read, at our guard with nonces."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from proofkey.guard import Dpop, Guard, Nonces, ResourceServer
from tests.browser import window
from tests.guard.sample_issuer import SampleIssuer
from tests.listening import bind, listening, url_of
from tests.spa.bundle import ESBUILD, PATH

pytestmark = pytest.mark.asyncio(loop_scope="session")
ROOT = Path(__file__).parents[2]
READABLE = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-headers", b"authorization, dpop"),
    (b"access-control-expose-headers", b"WWW-Authenticate, DPoP-Nonce"),
]
CALL = """async ([url, token, count]) => {
  const { dpop } = await import("/dpop.js");
  const prover = window.prover ??= dpop();
  let sent = 0;
  const call = () => prover.attempt("GET", url, headers => { sent++; return fetch(url, { headers }); }, token);
  const answers = [];
  for (let done = 0; done < count; done++) answers.push((await call()).status);
  return { answers, sent };
}"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[SampleIssuer]:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(sample, listener):
        yield sample


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The library's DPoP entry as a module."""
    built = tmp_path_factory.mktemp("library") / "dpop.js"
    command = [str(ESBUILD), str(ROOT / "spa/src/dpop.ts"), "--bundle", "--format=esm", f"--outfile={built}"]
    subprocess.run([*command, "--log-level=error"], check=True, env={"PATH": PATH})
    return built.read_bytes()


def serving(library: bytes) -> Any:
    """A page of another origin than the API's, and the library beside it."""

    async def answer(scope: Any, _receive: Any, send: Any) -> None:
        kind, body = (b"text/javascript", library) if scope["path"] == "/dpop.js" else (b"text/html", b"<title>a page")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": body})

    return answer


def with_cors(app: Any) -> Any:
    """Preflights answered, and everything readable: also the nonce, or no page could answer its challenge."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        async def readable(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *READABLE]}
            await send(message)

        if scope["method"] == "OPTIONS":
            await let_in(scope, receive, readable)
        else:
            await app(scope, receive, readable)

    return answer


async def let_in(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_a_browser_answers_the_nonce_once_and_comes_in_ever_after(
    browser: Browser, issuer: SampleIssuer, library: bytes
) -> None:
    listener = bind()
    api = url_of(listener)
    dpop = Dpop(nonces=Nonces(b"n" * 32))
    server = ResourceServer(issuer.issuer, audience="https://api.example", public_url=api, bindings=[dpop])
    with (
        listening(with_cors(Guard(let_in, server)), listener),
        listening(serving(library), bind()) as site,
    ):
        async with window(browser) as context:
            page = await context.new_page()
            await page.goto(site)
            told = await page.evaluate("import('/dpop.js').then(({ dpop }) => dpop().parameters())")
            token = issuer.token(now=time.time_ns() // 1_000_000, cnf={"jkt": told["dpop_jkt"]})
            url = f"{api}/caf%C3%A9/a%2Fb?page=2#top"
            assert {"answers": [204, 204, 204], "sent": 4} == await page.evaluate(CALL, [url, token, 3])
            stolen = issuer.token(now=time.time_ns() // 1_000_000, cnf={"jkt": "A" * 43})
            assert [401] == (await page.evaluate(CALL, [url, stolen, 1]))["answers"]
