"""`proofkey logout`: gives the tokens back to the issuer and forgets them here."""

from __future__ import annotations

import click

from proofkey.cli.json_text import to_json
from proofkey.cli.refused import CommandRefused, refusals_in_words
from proofkey.cli.stored_sign_in import read_sign_in, which_sign_in


@click.command()
@which_sign_in
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def logout(*, issuer: str | None, client_id: str | None, as_json: bool) -> None:
    """Sign out: revoke the tokens at the issuer, and forget them here whether or not it could be reached."""
    with refusals_in_words():
        sign_in = read_sign_in(issuer, client_id)
        farewell = sign_in.logout()
    if as_json:
        shown = {"issuer": sign_in.issuer, "client_id": sign_in.client_id, "revoked": farewell.revoked}
        click.echo(to_json(shown))
    if not farewell.revoked:
        raise CommandRefused(
            "not_revoked",
            f"signed out here, but the issuer has not revoked the tokens: {farewell.why}",
            "logout_not_revoked",
        )
    if not as_json:
        click.echo(f"signed out at {sign_in.issuer}")
