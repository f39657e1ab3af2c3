"""`proofkey token`: prints one access token, renewed where it has to be, for a shell to pass on."""

from __future__ import annotations

import click

from proofkey.cli.json_text import to_json
from proofkey.cli.refused import refusals_in_words
from proofkey.cli.stored_sign_in import read_sign_in, which_sign_in


@click.command()
@which_sign_in
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the token, its type, scope and end.")
def token(*, issuer: str | None, client_id: str | None, as_json: bool) -> None:
    """Print an access token, renewed first where it is about to expire."""
    with refusals_in_words():
        sign_in = read_sign_in(issuer, client_id)
        access_token = sign_in.access_token()
    shown = {
        "access_token": access_token,
        "token_type": sign_in.token_type,
        "access_token_until": sign_in.access_token_until,
        "scope": sign_in.scope,
    }
    click.echo(to_json(shown) if as_json else access_token)
