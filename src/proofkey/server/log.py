"""Logs: one structured line per event on stderr, JSON for machines or text for a terminal.

No event holds a code, token, verifier, secret, cookie, sealed blob, hint, state, query string or body (law 7).
"""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class NeverWaiting:
    """A stream for logs that is written to while its reader reads, and loses lines (and says so) when it does not.

    Otherwise whoever starts a server with a pipe and forgets to read it stops the server after 64 KiB of log.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)
        self._lock = threading.Lock()
        self._lost = 0

    def write(self, text: str) -> int:
        """Write *text* whole, or not at all, or, where it is longer than a pipe takes at once, its beginning."""
        with self._lock:
            if self._lost and self._put(f"{self._lost} lines of the log were lost: nobody read them\n".encode()):
                self._lost = 0
            encoded = text.encode("utf-8", "backslashreplace")
            chunks = (encoded[start : start + select.PIPE_BUF] for start in range(0, len(encoded), select.PIPE_BUF))
            if not all(map(self._put, chunks)):
                self._lost += 1
        return len(text)

    def flush(self) -> None:
        """Nothing waits here."""

    def _put(self, chunk: bytes) -> bool:
        """At most PIPE_BUF bytes, which a pipe that is ready takes without waiting (pipe(7))."""
        try:
            is_ready = any(event & select.POLLOUT for _, event in self._ready.poll(0))
            return is_ready and os.write(self._descriptor, chunk) == len(chunk)
        except OSError:
            return False


def configure_logging(level: str, *, as_text: bool) -> None:
    """Send every logger's lines to stderr from *level* on: as text where a person reads them, else as JSON."""
    stream = cast("TextIO", NeverWaiting(sys.stderr.fileno()))
    renderer = _render_text if as_text else structlog.processors.JSONRenderer()
    first: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*first, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    from_stdlib = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=first,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    to_stderr = logging.StreamHandler(stream)
    to_stderr.setFormatter(from_stdlib)
    logging.root.handlers[:] = [to_stderr]
    logging.root.setLevel(max(_LEVELS[level], logging.INFO))
    for quiet in ("asyncio", "httpx2"):  # httpx2 writes whole addresses, query and all
        logging.getLogger(quiet).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns of each stranger's every nonsense


def _render_text(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> str:
    """`12:00:00 warning  what happened  key=value …`, and a traceback below it."""
    moment = str(event.pop("timestamp", ""))[11:19]
    level, what = str(event.pop("level", "")), str(event.pop("event", ""))
    traceback = event.pop("exception", None)
    rest = "".join(f"  {key}={_printable(value)}" for key, value in event.items())
    return f"{moment} {level:<8} {_printable(what)}{rest}" + (f"\n{traceback}" if traceback else "")


def _printable(value: Any) -> str:
    """A value on one line: whatever a stranger sent cannot forge a line or move the cursor."""
    text = str(value)
    return text if text.isprintable() else ascii(text)
