"""Running servers from the command line: signals, failures in words, and an event loop that ends in time."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvloop

from proofkey.cli.refused import CommandRefused
from proofkey.demo.directory import DirectoryRefused
from proofkey.server.config import ConfigError
from proofkey.server.deployment_key import MasterKeyWrong
from proofkey.server.listen import PortTaken
from proofkey.server.store.contract import StoreUnavailable
from proofkey.server.tenancy.contradiction import ApplyRefused, DeclarationRefused

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
STOP_WITHIN = 4.0
"""Seconds until whatever has not ended by itself is cancelled."""


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def begin() -> None:
    """Until the event loop runs, SIGTERM and SIGINT end the process with status 0."""
    for number in STOP_SIGNALS:
        signal.signal(number, _leave)


def run_until_stopped(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run *work* with an event that the first SIGTERM or SIGINT sets; a second one gives up waiting."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_stopped(work))


async def _until_stopped(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    working = asyncio.ensure_future(work(stop))

    def ask_to_stop() -> None:
        if stop.is_set():
            working.cancel()
        stop.set()
        loop.call_later(STOP_WITHIN, working.cancel)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, ask_to_stop)
    try:
        await working
    except asyncio.CancelledError:
        if not stop.is_set():
            raise


def settle_memory() -> None:
    """Everything alive after the start lives for good: the collector need not look at it again.

    Requests leave few cycles: to look for them at every 700 new objects would be 2.5 % of all work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


_REFUSALS: dict[type[Exception], Callable[[str], CommandRefused]] = {
    PortTaken: lambda text: CommandRefused("start_failed", text, "port_taken"),
    ConfigError: lambda text: CommandRefused("invalid_configuration", text, "setting_invalid"),
    DeclarationRefused: lambda text: CommandRefused("invalid_configuration", text, "declaration_invalid"),
    ApplyRefused: lambda text: CommandRefused("apply_failed", text, "apply_contradicted"),
    MasterKeyWrong: lambda text: CommandRefused("invalid_configuration", text, "master_key_wrong"),
    StoreUnavailable: lambda text: CommandRefused("start_failed", text, "database_unavailable"),
}
"""What a failure becomes in the last line of stderr."""


@contextmanager
def failures_in_words() -> Iterator[None]:
    """Turn what can be mended by whoever starts a server into `CommandRefused`."""
    try:
        yield
    except DirectoryRefused as refused:
        raise CommandRefused("start_failed", str(refused), refused.slug) from None
    except tuple(_REFUSALS) as failed:
        refusal = next(_REFUSALS[kind] for kind in type(failed).__mro__ if kind in _REFUSALS)
        raise refusal(str(failed) or type(failed).__name__) from None
    except ModuleNotFoundError as missing:
        if "asyncpg" not in str(missing):
            raise
        raise CommandRefused("start_failed", str(missing), "asyncpg_missing") from None
