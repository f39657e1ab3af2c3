"""Real servers for tests: uvicorn in a thread, on a port of its own, gone when the block ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn


def bind(port: int = 0) -> socket.socket:
    """A listening loopback socket; 0 lets the system choose the port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def url_of(listener: socket.socket) -> str:
    """Where it will answer."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def listening(
    app: Any, listener: socket.socket, *, lifespan: Literal["on", "off"] = "off", **options: Any
) -> Iterator[str]:
    """*app* answers on *listener* inside the block; the socket is closed afterwards. *options* are uvicorn's."""
    server = uvicorn.Server(
        uvicorn.Config(app, lifespan=lifespan, ws="none", log_config=None, timeout_graceful_shutdown=2, **options)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        time.sleep(0.005)
    try:
        yield url_of(listener)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
