"""One `proofkey dev` process: from its options to listeners, in the order that leaves nothing half done.

1. Files, locks and ports come first: what cannot be had is said before a database is touched.
2. The first process on a data directory owns the sample app and API; others only add a listener to the same issuer.
3. What is declared is applied before anything answers.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import msgspec

from proofkey.clock import Clock
from proofkey.demo.directory import Directory, Remembered
from proofkey.demo.seed import demo_schema
from proofkey.server.config import DEVELOPMENT_THROTTLE, Config, Throttle
from proofkey.server.entropy import Entropy
from proofkey.server.listen import Listener, PortTaken, bind, bind_loopback, port_of
from proofkey.server.tenancy.declaration import declare
from proofkey.server.tenancy.declared import Declaration, DeclaredWorkspace

if TYPE_CHECKING:
    from proofkey.guard.asgi import App
    from proofkey.server.local_ca import LocalAuthority

Ports: TypeAlias = tuple[int, int, int]
"""Of the issuer, the sample app and the sample API."""
FREE_PORTS: Ports = (0, 0, 0)
NAMED_HOSTS = frozenset({None, "localhost", "127.0.0.1", "::1"})
"""Hosts whose issuer is called `localhost`: passkeys need a name (WebAuthn §5.1.2, RP ID)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `proofkey dev` was asked for. `host` None: both loopback addresses; `port` 0: free ports."""

    data: Path
    host: str | None = None
    port: int = 8400
    public_url: str | None = None
    fresh: bool = False
    database: str | None = None
    tls: bool = False
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class Sockets:
    """The listening sockets; those of app and API only in the process that owns the data directory."""

    issuer: tuple[socket.socket, ...]
    app: socket.socket | None
    api: socket.socket | None

    @property
    def ports(self) -> Ports:
        """The three ports; 0 for what does not listen."""
        app, api = (port_of(bound) if bound else 0 for bound in (self.app, self.api))
        return port_of(self.issuer[0]), app, api


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything a process needs to serve. `starting` is to be closed once the declaration is applied."""

    options: Options
    directory: Directory
    remembered: Remembered
    sockets: Sockets
    authority: LocalAuthority | None
    app_url: str
    api_url: str
    config: Config
    declaration: Declaration
    starting: ExitStack

    @property
    def is_owner(self) -> bool:
        """Whether this process has the sample app and API."""
        return self.sockets.app is not None

    @property
    def first(self) -> DeclaredWorkspace:
        """The workspace that is described to whoever started us."""
        return self.declaration.workspaces[0]

    @property
    def server_tls(self) -> ssl.SSLContext | None:
        """TLS of all listeners."""
        return self.authority.server_context if self.authority else None


def prepare(options: Options, entropy: Entropy) -> Prepared:
    """Take directory, locks and ports, and read what is declared.

    Raises `DirectoryRefused`, `PortTaken`, `ConfigError`, `DeclarationRefused`.
    """
    directory = Directory(options.data)
    with ExitStack() as starting:
        starting.enter_context(directory.starting())
        owner = directory.own()
        if options.fresh:
            directory.check_may_empty()
        last = None if options.fresh else directory.remembered(entropy)
        sockets = _bind(options, last.ports if last else FREE_PORTS, owner=owner)
        if options.fresh:
            directory.empty()
        remembered = last or directory.remembered(entropy)
        app_url, api_url = _sample_urls(options, remembered, sockets)
        public_url = _public_url(options, remembered, sockets)
        declaration, throttle = _declare(options, remembered, app_url, api_url)
        config = Config(
            public_url=public_url,
            database=options.database or directory.database,
            master_key=directory.master_key(entropy),
            development=True,
            throttle=throttle,
        )
        workspaces = [declared.workspace for declared in declaration.workspaces]
        issuers = [config.issuer_for(workspace.tenant, workspace.slug) for workspace in workspaces]
        return Prepared(
            options,
            directory,
            remembered,
            sockets,
            _authority(options, directory, issuers),
            app_url,
            api_url,
            config,
            declaration,
            starting.pop_all(),
        )


def _bind(options: Options, last_ports: Ports, *, owner: bool) -> Sockets:
    """All sockets or none. With port 0, the ports of the last start are taken again where they are free."""
    if options.port:
        return _bind_three(options.host, (options.port, options.port + 1, options.port + 2), owner=owner)
    if owner and all(last_ports):
        try:
            return _bind_three(options.host, last_ports, owner=owner)
        except PortTaken:
            pass
    return _bind_three(options.host, FREE_PORTS, owner=owner)


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _bind_three(host: str | None, ports: Ports, *, owner: bool) -> Sockets:
    issuer = bind_loopback(ports[0]) if host is None or not _is_numeric(host) else (bind(host, ports[0]),)
    if not owner:
        return Sockets(issuer, None, None)
    bound: list[socket.socket] = [*issuer]
    try:
        for port in ports[1:]:
            bound.append(bind("127.0.0.1", port))  # noqa: PERF401 - what was bound must be known when one fails
    except PortTaken:
        for one in bound:
            one.close()
        raise
    return Sockets(issuer, bound[-2], bound[-1])


def _sample_urls(options: Options, remembered: Remembered, sockets: Sockets) -> tuple[str, str]:
    """Where the sample app and API are: ours, or those of the process that owns them."""
    if sockets.app is None or sockets.api is None:
        return remembered.app_url, remembered.api_url
    scheme = "https" if options.tls else "http"
    return f"{scheme}://127.0.0.1:{port_of(sockets.app)}", f"{scheme}://127.0.0.1:{port_of(sockets.api)}"


def _public_url(options: Options, remembered: Remembered, sockets: Sockets) -> str:
    if options.public_url is not None:
        return options.public_url
    if sockets.app is None and remembered.public_url:
        return remembered.public_url
    host = "localhost" if options.host in NAMED_HOSTS else str(options.host)
    return f"{'https' if options.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port_of(sockets.issuer[0])}"


def _declare(options: Options, remembered: Remembered, app_url: str, api_url: str) -> tuple[Declaration, Throttle]:
    if options.config is None:
        schema = demo_schema(remembered.secrets, app_url=app_url, api_url=api_url)
        return declare(schema, resolve=str, development=True), DEVELOPMENT_THROTTLE
    from proofkey.server.tenancy.declaration_file import read_declaration_file
    from proofkey.server.tenancy.server_settings import throttle_of

    file = read_declaration_file(options.config)
    declaration = file.declare(development=True)
    if not declaration.workspaces:
        raise file.refusal(("tenants",), "declare at least one tenant with one workspace")
    return declaration, throttle_of(file.schema.server, DEVELOPMENT_THROTTLE)


def _authority(options: Options, directory: Directory, issuers: Iterable[str]) -> LocalAuthority | None:
    if not options.tls:
        return None
    from proofkey.server.local_ca import open_local_authority

    hosts = [urlsplit(issuer).hostname for issuer in issuers]
    names = ["localhost", "127.0.0.1", "::1", *(host for host in (*hosts, options.host) if host)]
    return open_local_authority(directory.certificates, tuple(dict.fromkeys(names)))


async def apply_declaration(prepared: Prepared, *, clock: Clock, entropy: Entropy) -> None:
    """Make the database equal to what is declared, remember it, and let the next process start.

    Raises `MasterKeyWrong` for a database of another deployment, before anything is written to it.
    """
    from proofkey.server.deployment_key import hold_master_key
    from proofkey.server.master_key import MasterKey
    from proofkey.server.store import open_store
    from proofkey.server.tenancy.apply import apply

    with prepared.starting:
        store, master_key = open_store(prepared.config.database), MasterKey(prepared.config.master_key)
        await store.open()
        try:
            await hold_master_key(store, master_key, now=clock(), entropy=entropy)
            await apply(prepared.declaration, store, master_key=master_key, now=clock(), entropy=entropy)
        finally:
            await store.close()
        if prepared.is_owner:
            prepared.directory.remember(
                msgspec.structs.replace(
                    prepared.remembered,
                    public_url=prepared.config.public_url,
                    app_url=prepared.app_url,
                    api_url=prepared.api_url,
                    ports=prepared.sockets.ports,
                )
            )


def listeners(prepared: Prepared) -> Sequence[Listener]:
    """The issuer and, in the process that owns them, the sample app and API."""
    from proofkey.server.app import create_app

    tls = prepared.server_tls
    issuer = create_app(prepared.config)
    return [Listener(issuer, prepared.sockets.issuer, tls), *_samples(prepared, tls)]


def _samples(prepared: Prepared, tls: ssl.SSLContext | None) -> Sequence[Listener]:
    if prepared.sockets.app is None or prepared.sockets.api is None:
        return []
    from proofkey.demo.api import create_demo_api
    from proofkey.demo.samples import sample_api

    issuer = issuer_of(prepared)
    app = _pages(prepared, issuer)
    found = [] if app is None else [Listener(app, [prepared.sockets.app], tls)]
    api = sample_api(prepared.first)
    if api is not None:
        sample = create_demo_api(
            issuer=issuer,
            audience=api.audience,
            app_origin=prepared.app_url,
            scopes=api.scopes,
            keys_url_context=_trusting(prepared.authority),
        )
        found.append(Listener(sample, [prepared.sockets.api], tls))
    return found


def _pages(prepared: Prepared, issuer: str) -> App | None:
    """What the sample app's origin serves: the sample app and the playground, as far as they are registered."""
    from proofkey.demo.app import create_demo_app
    from proofkey.demo.playground import create_playground
    from proofkey.demo.samples import asked_scope, playground_client, sample_client

    here = {"issuer": issuer, "api_url": prepared.api_url, "app_url": prepared.app_url}
    client, player = (find(prepared.first, prepared.app_url) for find in (sample_client, playground_client))
    app: App | None = None
    if client is not None:
        has_playground = player is not None
        app = create_demo_app(**here, client_id=client.id, scope=asked_scope(client), has_playground=has_playground)
    if player is not None:
        lifetimes = prepared.first.workspace.lifetimes
        app = create_playground(
            **here, client_id=player.id, scope=asked_scope(player), lifetimes=lifetimes, otherwise=app
        )
    return app


def _trusting(authority: LocalAuthority | None) -> ssl.SSLContext | None:
    if authority is None:
        return None
    from proofkey.server.local_ca import trusting

    return trusting(authority.ca_file)


def issuer_of(prepared: Prepared) -> str:
    """The issuer of the first workspace."""
    workspace = prepared.first.workspace
    return prepared.config.issuer_for(workspace.tenant, workspace.slug)
