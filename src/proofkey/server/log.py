"""Logs: one structured line per event on stderr, JSON for machines or text for a terminal.

No event holds a code, token, verifier, secret, cookie, sealed blob, hint, state, query string or body (law 7).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(level: str, *, as_text: bool) -> None:
    """Send every logger's lines to stderr from *level* on: as text where a person reads them, else as JSON."""
    renderer = _render_text if as_text else structlog.processors.JSONRenderer()
    first: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*first, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
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
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(from_stdlib)
    logging.root.handlers[:] = [to_stderr]
    logging.root.setLevel(max(_LEVELS[level], logging.INFO))
    for quiet in ("uvicorn.error", "asyncio", "httpx2"):  # httpx2 writes whole addresses, query and all
        logging.getLogger(quiet).setLevel(logging.WARNING)


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
