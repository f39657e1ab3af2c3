"""`proofkey serve`: production, as one process."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from pathlib import Path

import click
import structlog

from proofkey.cli.running import begin, failures_in_words, run_until_stopped, settle_memory
from proofkey.clock import wall_clock
from proofkey.server.entropy import Pool
from proofkey.server.listen import Listener, PortTaken, bind
from proofkey.server.listen import serve as serve_listeners
from proofkey.server.log import configure_logging
from proofkey.server.tenancy.declaration_file import read_declaration_file
from proofkey.server.tenancy.server_settings import ServerSettings, read_server_settings

_log = structlog.get_logger()


@click.command()
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=Path("proofkey.yaml"),
    show_default=True,
)
def serve(*, config: Path) -> None:
    """Serve the deployment whose settings stand under `server:` in the file."""
    begin()
    with failures_in_words():
        settings = read_server_settings(read_declaration_file(config))
        configure_logging(settings.config.log_level, as_text=sys.stderr.isatty())
        sockets = [bind(address, settings.listen.port) for address in _addresses(settings.listen.host)]
        run_until_stopped(lambda stop: _run(settings, sockets, stop))


def _addresses(host: str) -> list[str]:
    """The numeric addresses of *host*. Raises `PortTaken` where it has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as failed:
        raise PortTaken(f"server.listen.host: {host} has no address: {failed.strerror}") from None
    return list(dict.fromkeys(str(address[4][0]) for address in found))


async def _run(settings: ServerSettings, sockets: list[socket.socket], stop: asyncio.Event) -> None:
    from proofkey.server.app import create_app
    from proofkey.server.deployment_key import hold_master_key
    from proofkey.server.master_key import MasterKey
    from proofkey.server.store import open_store

    config, entropy = settings.config, Pool()
    store = open_store(config.database, entropy)
    await store.open()
    try:
        await hold_master_key(store, MasterKey(config.master_key), now=wall_clock(), entropy=entropy)
        app = create_app(config, store=store, entropy=entropy)
        await _serve(Listener(app, sockets, _tls(settings)), stop)
    finally:
        await store.close()


async def _serve(listener: Listener, stop: asyncio.Event) -> None:
    def announce() -> None:
        settle_memory()
        for bound in listener.sockets:
            _log.info("listening", address=bound.getsockname()[0], port=bound.getsockname()[1])

    await serve_listeners([listener], on_ready=announce, stop=stop)


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    if settings.certificate_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(settings.certificate_file, settings.key_file)
    return context
