"""`proofkey apply`: make a deployment equal to a file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from proofkey.cli.running import failures_in_words
from proofkey.clock import wall_clock
from proofkey.server.config import Config
from proofkey.server.tenancy.declaration_file import read_declaration_file
from proofkey.server.tenancy.declared import Declaration
from proofkey.server.tenancy.server_settings import read_server_settings

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("-f", "--file", type=_FILE, required=True, help="Whose part `tenants:` is applied.")
@click.option(
    "-c", "--config", type=_FILE, help="Whose part `server:` says which deployment.  [default: the same file]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per change.")
def apply(*, file: Path, config: Path | None, as_json: bool) -> None:
    """Write what differs from the file, and print each change; a second time there is none."""
    with failures_in_words():
        declaration = read_declaration_file(file).declare()
        settings = read_server_settings(read_declaration_file(config or file))
        changes = asyncio.run(_apply(declaration, settings.config))
    for in_text, in_json in changes:
        click.echo(in_json if as_json else in_text)
    if not changes:
        click.echo("nothing to change", err=True)


async def _apply(declaration: Declaration, config: Config) -> list[tuple[str, str]]:
    import msgspec

    from proofkey.server.deployment_key import hold_master_key
    from proofkey.server.master_key import MasterKey
    from proofkey.server.store import open_store
    from proofkey.server.tenancy.apply import apply as apply_to

    store = open_store(config.database)
    await store.open()
    try:
        key = MasterKey(config.master_key)
        await hold_master_key(store, key, now=wall_clock())
        changes = await apply_to(declaration, store, master_key=key, now=wall_clock(), entropy=os.urandom)
    finally:
        await store.close()
    return [(str(change), msgspec.json.encode(change).decode()) for change in changes]
