"""Several workers of one application, with an issuer behind a wire that loses answers and an API in front of which they stand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofkey.client.web import Api, SessionStore, SignIn
from tests.client.web.browser import WebBrowser
from tests.client.web.clock import ForwardClock
from tests.client.web.sample_api import SampleApi, sample_api
from tests.client.web.web_app import REDIRECT_URI, declaration, sign_in_at
from tests.dev_server import DevServer, StartDev
from tests.spa.lossy_wire import LossyWire, lossy_wire

KEY = bytes(range(32))


@dataclass
class Workers:
    """An issuer behind a wire that loses answers, an API, and as many workers of one application as are wanted."""

    server: DevServer
    wire: LossyWire
    api: SampleApi
    clock: ForwardClock
    started: list[SignIn] = field(default_factory=list)

    def worker(self, store: SessionStore, **changed: Any) -> SignIn:
        """One more process of the application, as far as it can tell."""
        apis = {"/api": Api(url=self.api.url, resource="http://127.0.0.1:1")}
        self.started.append(sign_in_at(self.server, store=store, key=KEY, apis=apis, clock=self.clock, **changed))
        return self.started[-1]


@asynccontextmanager
async def workers_at(start_dev: StartDev, folder: Path, **lifetimes: str) -> AsyncIterator[Workers]:
    """With refresh tokens that rotate, and ID tokens that outlive the turns of the clock."""
    async with AsyncExitStack() as stack:
        port, wire = await stack.enter_async_context(lossy_wire())
        lived = {"id_token": "1d", "access_token": "1h", **lifetimes}
        file = folder / "proofkey.yaml"
        file.write_text(declaration([REDIRECT_URI], rotate=True, lifetimes=lived), encoding="utf-8")
        server = await asyncio.to_thread(start_dev, "--config", str(file), "--public-url", f"http://localhost:{port}")
        wire.to_port = server.port
        workers = Workers(server, wire, stack.enter_context(sample_api()), ForwardClock())
        yield workers
        for each in workers.started:
            await each.close()
        await asyncio.sleep(0.1)  # the wire lets go of connections that were closed just now


async def ask(browser: WebBrowser, times: int) -> list[int]:
    """That many requests at once; their statuses."""
    answers = await asyncio.gather(*(browser.fetch("GET", "/api/notes") for _ in range(times)))
    return [answer.status_code for answer in answers]
