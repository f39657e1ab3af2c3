"""Listening: sockets that are really ours, and several ASGI applications served by one event loop until told to stop.

1. A port is taken before anything else is done, and a taken one is named.
2. Applications start before the first connection is accepted and end after the last one was answered.
3. Stopping takes 3 seconds at most, whatever clients keep open.
4. What a connection may cost is told in `connection.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Generator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import uvicorn

from proofkey.server.connection import Connection, sweep

BACKLOG = 2_048
STOP_WITHIN = 2
KEEP_ALIVE = 30
SWEEP_EVERY = 50
"""Ticks of a tenth of a second between two looks at all connections."""
App: TypeAlias = Callable[..., Any]


class PortTaken(Exception):
    """Somebody else listens there, or the address is not this machine's; the message names address and port."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An application, the sockets it answers on, and TLS where it is spoken."""

    app: App
    sockets: Sequence[socket.socket]
    tls: ssl.SSLContext | None = None


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on a numeric *host*; port 0 picks a free one. Raises `PortTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except (OSError, OverflowError) as failed:
        bound.close()
        why = getattr(failed, "strerror", None) or "not a port"
        raise PortTaken(f"port {port} on {host} cannot be listened on: {why}") from failed
    return bound


def bind_loopback(port: int) -> tuple[socket.socket, ...]:
    """Sockets on 127.0.0.1 and, where the machine has it, ::1, on one and the same port. Raises `PortTaken`."""
    if not _has_ipv6_loopback():
        return (bind("127.0.0.1", port),)
    for attempt in range(20):
        first = bind("127.0.0.1", port)
        try:
            return first, bind("::1", port_of(first))
        except PortTaken:
            first.close()
            if port != 0 or attempt == 19:
                raise
    raise AssertionError("unreachable")


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def port_of(bound: socket.socket) -> int:
    """The port a socket listens on."""
    port: int = bound.getsockname()[1]
    return port


class _Server(uvicorn.Server):
    """One of several servers in a process: signals are not its business, and it tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave SIGTERM and SIGINT to whoever runs the servers."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept."""
        await super().startup(sockets)
        self.answers.set()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; now and then look after the connections."""
        if counter % SWEEP_EVERY == 0:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)


def _server(listener: Listener) -> _Server:
    tls = listener.tls
    return _Server(
        uvicorn.Config(
            listener.app,
            loop="uvloop",
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=True,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_WITHIN,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        )
    )


async def serve(listeners: Sequence[Listener], *, on_ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Serve all *listeners* until *stop* is set; *on_ready* is called once every one of them answers."""
    async with contextlib.AsyncExitStack() as stack:
        for app in {id(listener.app): listener.app for listener in listeners}.values():
            await stack.enter_async_context(lifespan(app))
        servers = [_server(listener) for listener in listeners]
        async with asyncio.TaskGroup() as group:
            for server, listener in zip(servers, listeners, strict=True):
                group.create_task(server.serve(sockets=list(listener.sockets)))
            await asyncio.gather(*(server.answers.wait() for server in servers))
            on_ready()
            await stop.wait()
            for server in servers:
                server.should_exit = True


@contextlib.asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Start *app* and, afterwards, end it (ASGI lifespan protocol 2.0). What it raises at its start is raised here."""
    to_app: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    running = asyncio.ensure_future(app(scope, to_app.get, from_app.put))
    has_lifespan = await _next_word(running, to_app, from_app, "lifespan.startup")
    try:
        yield
    finally:
        if has_lifespan:
            await _next_word(running, to_app, from_app, "lifespan.shutdown")
        await running


async def _next_word(
    running: asyncio.Future[Any],
    to_app: asyncio.Queue[MutableMapping[str, Any]],
    from_app: asyncio.Queue[MutableMapping[str, Any]],
    event: str,
) -> bool:
    """Tell the application of *event* and wait for its answer. False where it has no lifespan and returned."""
    await to_app.put({"type": event})
    answer = asyncio.ensure_future(from_app.get())
    await asyncio.wait({running, answer}, return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        answer.cancel()
        running.result()
        return False
    if answer.result()["type"] == f"{event}.failed":
        raise RuntimeError(answer.result().get("message") or f"the application refused {event}")
    return True
