"""`proofkey dev`: everything on one machine, nothing to configure."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click
import structlog

from proofkey.cli.running import begin, failures_in_words, run_until_stopped, settle_memory
from proofkey.clock import wall_clock
from proofkey.demo.deployment import Options, Prepared, apply_declaration, listeners, prepare
from proofkey.demo.description import describe, render_summary
from proofkey.protocol.issuer import is_loopback
from proofkey.server.config import ConfigError, check_public_url
from proofkey.server.listen import serve
from proofkey.server.log import configure_logging

_log = structlog.get_logger()
LAST_PORT = 65_533
"""The app and the API take the next two."""


@click.command()
@click.option("--host", help="Loopback address to listen on.  [default: 127.0.0.1 and ::1]")
@click.option("--port", type=click.IntRange(0, LAST_PORT), default=8400, show_default=True, help="0: free ports.")
@click.option("--public-url", metavar="URL", help="Where browsers reach the issuer; several processes may share it.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=Path(".proofkey"), show_default=True)
@click.option("--fresh", is_flag=True, help="Forget everything that is kept in the data directory.")
@click.option("--database", metavar="URL", help="sqlite:///PATH or postgresql://…  [default: in the data directory]")
@click.option("--tls", is_flag=True, help="Speak https, with a certificate authority of the data directory.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Serve this file, not the demo.",
)
def dev(
    *,
    host: str | None,
    port: int,
    public_url: str | None,
    data: Path,
    fresh: bool,
    database: str | None,
    tls: bool,
    as_json: bool,
    config: Path | None,
) -> None:
    """Run an issuer with people, applications, a sample app and a sample API on this machine."""
    if host is not None and not is_loopback(host):
        raise click.UsageError("--host must be a loopback address: proofkey dev is for this machine only")
    if fresh and database is not None:
        raise click.UsageError("--fresh empties the data directory and cannot empty a --database elsewhere")
    begin()
    configure_logging("info", as_text=True)
    options = Options(data, host, port, _sound(public_url), fresh, database, tls, config)
    with failures_in_words():
        prepared = prepare(options, os.urandom)
        run_until_stopped(lambda stop: _run(prepared, stop, as_json=as_json))


def _sound(public_url: str | None) -> str | None:
    if public_url is None:
        return None
    try:
        check_public_url(public_url.rstrip("/"), setting="--public-url")
    except ConfigError as wrong:
        raise click.UsageError(str(wrong)) from None
    return public_url.rstrip("/")


async def _run(prepared: Prepared, stop: asyncio.Event, *, as_json: bool) -> None:
    await apply_declaration(prepared, clock=wall_clock, entropy=os.urandom)
    await serve(
        listeners(prepared),
        on_ready=lambda: _announce(prepared, as_json=as_json),
        stop=stop,
    )


def _announce(prepared: Prepared, *, as_json: bool) -> None:
    settle_memory()
    for bound in prepared.sockets.issuer:
        _log.info("listening", address=bound.getsockname()[0], port=bound.getsockname()[1], owner=prepared.is_owner)
    description = describe(prepared)
    if as_json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode(description) + b"\n")
        sys.stdout.buffer.flush()
    else:
        print(render_summary(description), flush=True)
