"""Which sign-in a command is about: `--issuer` and `--client-id`, else their variables, else the only one that is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from proofkey.cli.refused import NOT_SIGNED_IN, CommandRefused
from proofkey.client.sign_in import SignIn, find_sign_in
from proofkey.client.token_store.own_store import OwnStore
from proofkey.protocol.issuer import is_issuer

Command = TypeVar("Command", bound=Callable[..., Any])


def which_sign_in(command: Command) -> Command:
    """The options that say which sign-in is meant."""
    client = click.option("--client-id", envvar="PROOFKEY_CLIENT_ID", help="Who the program is to the issuer.")
    issuer = click.option("--issuer", envvar="PROOFKEY_ISSUER", callback=_check_issuer, help="Whose sign-in.")
    return issuer(client(command))


def _check_issuer(_ctx: click.Context, _param: click.Parameter, issuer: str | None) -> str | None:
    if issuer and not is_issuer(issuer):
        raise click.BadParameter("ISSUER must be an https URL; http is for this machine only")
    return issuer or None


def read_sign_in(issuer: str | None, client_id: str | None) -> SignIn:
    """The sign-in that is meant. Refused with status 3 where there is none."""
    found = find_sign_in(issuer, client_id or None)
    if found is None:
        raise CommandRefused(NOT_SIGNED_IN, "nobody is signed in: run proofkey login", "sign_in_missing")
    return found


def choose_application(issuer: str | None, client_id: str | None) -> tuple[str, str]:
    """Issuer and client to sign in with: as told, completed by the only sign-in that fits."""
    if issuer and client_id:
        return issuer, client_id
    fitting = [pair for pair in OwnStore().find_all() if issuer in (None, pair[0]) and client_id in (None, pair[1])]
    if len(fitting) != 1:
        raise click.UsageError(f"Missing option '{'--client-id' if issuer else '--issuer'}'.")
    return fitting[0]
