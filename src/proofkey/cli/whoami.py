"""`proofkey whoami`: who is signed in, as the ID token said it."""

from __future__ import annotations

import click

from proofkey.cli.json_text import to_json
from proofkey.cli.refused import CommandRefused, refusals_in_words
from proofkey.cli.stored_sign_in import read_sign_in, which_sign_in


@click.command()
@which_sign_in
@click.option("--json", "as_json", is_flag=True, help="The same on one line.")
def whoami(*, issuer: str | None, client_id: str | None, as_json: bool) -> None:
    """Print the claims of the last ID token as one JSON object. Asks nobody."""
    with refusals_in_words():
        claims = read_sign_in(issuer, client_id).claims
    if not claims:
        raise CommandRefused("no_claims", "the sign-in has no ID token: sign in with scope openid", "claims_missing")
    click.echo(to_json(dict(claims), indent=None if as_json else 2))
