"""Opening a sign-in: its store, its network and its APIs, once in each process and event loop that answers requests."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from proofkey.client.http import AsyncNetwork
from proofkey.client.issuer import Issuer
from proofkey.client.web.addresses import Addresses
from proofkey.client.web.api import Api
from proofkey.client.web.refresh import TokenRenewal
from proofkey.client.web.sealing import Sealing
from proofkey.client.web.site import Settings, Site
from proofkey.client.web.store.contract import SessionStore
from proofkey.client.web.upstream import Upstream

ANSWERED_WITHIN = 30.0
"""Seconds for one answer of the issuer: whoever gives up on a new refresh token too early has lost it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open sign-in, and where: connections belong to one process and one event loop."""

    site: Site
    upstreams: Mapping[str, Upstream]
    process: int
    loop: asyncio.AbstractEventLoop

    async def close(self) -> None:
        """Bring refreshes to their end, then close every connection."""
        await self.site.renewal.finish()
        await self.site.network.close()
        for upstream in self.upstreams.values():
            await upstream.close()
        await self.site.store.close()


@dataclass(slots=True)
class Opening:
    """All that is needed to open it."""

    settings: Settings
    addresses: Addresses
    issuer: Issuer
    store: SessionStore
    sealing: Sealing = field(repr=False)
    ca_file: Path | None
    clock: Callable[[], int]
    entropy: Callable[[int], bytes]
    apis: Mapping[str, Api]
    _opened: Opened | None = None
    _turn: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    async def open(self) -> Opened:
        """The open sign-in of this process and loop. What a parent process opened, or a loop that ended, is left alone.

        Raises `RuntimeError` where it is open in another loop that runs: connections serve one at a time.
        """
        loop = asyncio.get_running_loop()
        if self._is_open_in(loop) and self._opened is not None:
            return self._opened
        if self._is_open_elsewhere(loop):
            raise RuntimeError("this SignIn is open in another event loop: make one for each, with a store of its own")
        if self._turn is None or self._turn[0] is not loop:
            self._turn = loop, asyncio.Lock()
        async with self._turn[1]:
            if not self._is_open_in(loop) or self._opened is None:
                self._opened = await self._open(loop)
            return self._opened

    def _is_open_in(self, loop: asyncio.AbstractEventLoop) -> bool:
        opened = self._opened
        return opened is not None and opened.loop is loop and opened.process == os.getpid()

    def _is_open_elsewhere(self, loop: asyncio.AbstractEventLoop) -> bool:
        opened = self._opened
        if opened is None or opened.process != os.getpid():
            return False
        return opened.loop is not loop and opened.loop.is_running()

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Opened:
        await self.store.open()
        renewal = TokenRenewal()
        site = Site(
            settings=self.settings,
            addresses=self.addresses,
            issuer=self.issuer,
            store=self.store,
            sealing=self.sealing,
            network=AsyncNetwork(self.issuer.issuer, ca_file=self.ca_file, timeout=ANSWERED_WITHIN),
            clock=self.clock,
            entropy=self.entropy,
            renewal=renewal,
        )
        upstreams = {prefix: Upstream(api, renewal) for prefix, api in self.apis.items()}
        return Opened(site, upstreams, os.getpid(), loop)

    async def close(self) -> None:
        """Close what is open; `open` opens it again."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()
