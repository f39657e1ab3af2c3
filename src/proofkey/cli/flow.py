"""`proofkey flow ISSUER`: walks the whole flow from a terminal and prints every message with what it proves."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from proofkey import jose
from proofkey.cli.flow_steps import Show, TextShower, show_json
from proofkey.cli.flow_walk import Walk
from proofkey.cli.refused import CommandRefused, refusals_in_words
from proofkey.client.browser import send_browser
from proofkey.client.http import Network
from proofkey.client.loopback import LoopbackListener, is_loopback_redirect_uri
from proofkey.client.messages import Registration
from proofkey.client.protocol import PendingLogin
from proofkey.clock import wall_clock
from proofkey.protocol.issuer import is_issuer

DEFAULT_SCOPE = "openid profile email"
PATIENCE = 600.0
"""Seconds to wait for the person."""


@click.command()
@click.argument("issuer", envvar="PROOFKEY_ISSUER")
@click.option("--client-id", envvar="PROOFKEY_CLIENT_ID", required=True, help="Who we are to the issuer.")
@click.option("--client-secret", envvar="PROOFKEY_CLIENT_SECRET", help="Of a confidential client.")
@click.option("--scope", default=DEFAULT_SCOPE, show_default=True, help="What to ask for.")
@click.option("--redirect-uri", help="As registered.  [default: http://127.0.0.1:PORT/callback, a free port]")
@click.option("--no-browser", is_flag=True, help="Print the address; read the one you came back to from stdin.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Trust this authority.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per message on stdout.")
def flow(
    *,
    issuer: str,
    client_id: str,
    client_secret: str | None,
    scope: str,
    redirect_uri: str | None,
    no_browser: bool,
    ca_file: Path | None,
    as_json: bool,
) -> None:
    """Walk the Authorization Code flow with PKCE at ISSUER, message by message."""
    if not is_issuer(issuer):
        raise click.BadParameter("ISSUER must be an https URL; http is for this machine only", param_hint="ISSUER")
    registration = Registration(client_id, redirect_uri or _free_redirect_uri(), client_secret or None)
    show: Show = show_json if as_json else TextShower()
    with (
        refusals_in_words(),
        _verified_in_words(),
        Network(issuer, ca_file=ca_file) as network,
        _way_back(registration.redirect_uri, no_browser=no_browser) as ask_person,
    ):
        Walk(issuer, registration, scope, network, show, ask_person, os.urandom, wall_clock).run()


def _free_redirect_uri() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/callback"


@contextmanager
def _way_back(redirect_uri: str, *, no_browser: bool) -> Iterator[Callable[[PendingLogin], str]]:
    """How the person's answer reaches us: at a listener of ours, or pasted."""
    if no_browser or not is_loopback_redirect_uri(redirect_uri):
        yield _ask_to_paste
        return
    try:
        listener = LoopbackListener(redirect_uri)
    except OSError:
        raise CommandRefused(
            "start_failed", "the port of the redirect URI is taken: use --no-browser", "redirect_port_taken"
        ) from None
    with listener:
        yield lambda pending: _ask_in_browser(pending, listener)


def _ask_to_paste(pending: PendingLogin) -> str:
    click.echo(f"\nOpen this address, sign in, and paste the address you come back to:\n\n{pending.url}\n", err=True)
    pasted = sys.stdin.readline().strip()
    if not pasted:
        raise CommandRefused("login_abandoned", "no address was pasted", "callback_not_pasted")
    return pasted


def _ask_in_browser(pending: PendingLogin, listener: LoopbackListener) -> str:
    opened = send_browser(pending.url)
    words = "Sign in in your browser. If none has opened, open this address:" if opened else "Open this address:"
    click.echo(f"\n{words}\n\n{pending.url}\n", err=True)
    url = listener.wait(PATIENCE)
    if url is None:
        raise CommandRefused("login_abandoned", "nobody came back in ten minutes", "callback_timeout")
    return url


@contextmanager
def _verified_in_words() -> Iterator[None]:
    """A token that does not verify is the walk's end, too."""
    try:
        yield
    except jose.TokenInvalid as invalid:
        raise CommandRefused("invalid_token", str(invalid), "token_unverifiable") from None
