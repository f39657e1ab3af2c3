"""`proofkey login`: signs a person in to the command line, with any issuer, and keeps the sign-in."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import click

from proofkey.cli.json_text import to_json
from proofkey.cli.refused import refusals_in_words
from proofkey.cli.stored_sign_in import choose_application, which_sign_in
from proofkey.client.sign_in import SignIn

DEFAULT_SCOPE = "openid profile email offline_access"


@click.command()
@which_sign_in
@click.option("--scope", help=f"What to ask for.  [default: of {DEFAULT_SCOPE}, what the issuer lists]")
@click.option("--resource", help="The API that the access token is for, as its URI.  [default: the issuer's choice]")
@click.option("--redirect-uri", help="As registered.  [default: http://127.0.0.1/callback, on any port]")
@click.option(
    "--port", "ports", type=click.IntRange(0, 65_535), multiple=True, help="Listen here; several: the first free one."
)
@click.option("--no-browser", is_flag=True, help="Print the address; read the one you came back to from stdin.")
@click.option("--device", is_flag=True, help="Sign in with a code at another device.")
@click.option(
    "--client-secret-file",
    type=click.File(),
    help="Holds the secret of an issuer that gives one to programs which cannot keep it.",
)
@click.option("--dpop", is_flag=True, help="Bind the tokens to a key of this machine.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Trust this authority.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def login(
    *,
    issuer: str | None,
    client_id: str | None,
    scope: str | None,
    resource: str | None,
    redirect_uri: str | None,
    ports: tuple[int, ...],
    no_browser: bool,
    device: bool,
    client_secret_file: TextIO | None,
    dpop: bool,
    ca_file: Path | None,
    as_json: bool,
) -> None:
    """Sign in, in the browser, and keep the sign-in for `token`, `whoami` and `curl`."""
    from proofkey.client import native

    with refusals_in_words():
        issuer, client_id = choose_application(issuer, client_id)
        options: native.LoginOptions = {
            "scope": scope or DEFAULT_SCOPE,
            "only_supported": not scope,
            "resource": resource,
            "redirect_uri": redirect_uri or native.REDIRECT_URI,
            "port": ports or None,
            "device": device,
            "client_secret": None if client_secret_file is None else _read_secret(client_secret_file),
            "dpop": dpop,
            "ca_file": ca_file,
        }
        if no_browser:
            options |= {"browser": None, "paste": True}
        _report(native.login(issuer, client_id, **options), as_json=as_json)


def _read_secret(file: TextIO) -> str:
    try:
        secret = file.read().strip()
    except UnicodeDecodeError:
        secret = ""
    if not secret or not secret.isprintable():
        raise click.BadParameter("it holds no secret", param_hint="--client-secret-file")
    return secret


def _report(signed_in: SignIn, *, as_json: bool) -> None:
    from proofkey.client.messages import printable

    claims = signed_in.claims
    if as_json:
        shown = {
            "issuer": signed_in.issuer,
            "client_id": signed_in.client_id,
            "sub": claims.get("sub"),
            "scope": signed_in.scope,
            "resource": signed_in.resource,
            "token_type": signed_in.token_type,
            "access_token_until": signed_in.access_token_until,
        }
        click.echo(to_json(shown))
    else:
        who = next(
            (str(claims[name]) for name in ("name", "preferred_username", "email", "sub") if claims.get(name)), ""
        )
        click.echo(f"signed in{' as ' if who else ''}{printable(who)} at {signed_in.issuer}")
