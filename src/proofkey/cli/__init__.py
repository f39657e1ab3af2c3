"""The `proofkey` command: one module per command group, each imported when it is called.

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 not signed in, 130 interrupted; `curl` ends with curl's own.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import click
from click.exceptions import NoArgsIsHelpError

from proofkey.cli.refused import CommandRefused

COMMANDS = {
    "apply": "proofkey.cli.apply",
    "curl": "proofkey.cli.curl",
    "dev": "proofkey.cli.dev",
    "flow": "proofkey.cli.flow",
    "login": "proofkey.cli.login",
    "logout": "proofkey.cli.logout",
    "serve": "proofkey.cli.serve",
    "token": "proofkey.cli.token",
    "whoami": "proofkey.cli.whoami",
}
"""Command → the module that has it under the same name. Importing all of them would make each start slow."""


_UNWRITABLE = {errno.ENOSPC, errno.EPIPE}
"""Where stdout goes is full, or gone."""


class _Commands(click.Group):
    """A group whose commands are imported when called, and whose failures follow the module's rules."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, without importing anything."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        try:
            command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        except ModuleNotFoundError as missing:
            return _stand_in(cmd_name, _without(missing))
        return command

    def main(self, args: Sequence[str] | None = None, *given: Any, **extra: Any) -> Any:
        """Run, and leave the process with the right exit status.

        structlog imports rich wherever it is installed, for tracebacks that we never print: a tenth of a second per start.
        """
        sys.modules.setdefault("rich", cast("ModuleType", None))
        sys.exit(self._run(args, *given, **{**extra, "standalone_mode": False}))

    def _run(self, args: Sequence[str] | None, *given: Any, **extra: Any) -> int:
        try:
            status = super().main(args, *given, **extra)
        except NoArgsIsHelpError as bare:
            click.echo(bare.format_message(), err=True)
            return _last_words("usage", "a command is needed", "usage", 2)
        except click.UsageError as wrong:
            _show_usage(wrong)
            return _last_words("usage", wrong.format_message(), "usage", 2)
        except click.ClickException as failed:
            return _last_words("failed", failed.format_message(), "failed", 1)
        except CommandRefused as refused:
            print(refused, file=sys.stderr)
            return refused.status
        except (click.Abort, KeyboardInterrupt):
            return 130
        except ModuleNotFoundError as missing:
            print(_without(missing), file=sys.stderr)
            return 1
        except Exception as bug:
            return _say_bug(bug)
        return status if isinstance(status, int) else 0


def _without(missing: ModuleNotFoundError) -> CommandRefused:
    """What to install where *missing* belongs to an extra. Raises it again where it is our own."""
    name = (missing.name or "proofkey").partition(".")[0]
    if name == "proofkey":
        raise missing
    extra = {"asyncpg": "postgres", "keyring": "client"}.get(name, "server")
    return CommandRefused(
        "failed", f"this needs pip install 'proofkey[{extra}]': {name} is not installed", "extra_missing"
    )


def _stand_in(name: str, refused: CommandRefused) -> click.Command:
    """A command that cannot be: listed with what it needs, refused when it is called."""

    def refuse(_arguments: Sequence[str]) -> None:
        raise refused

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["_arguments"], nargs=-1, type=click.UNPROCESSED)],
        short_help=f"Not installed: {refused.args[0].partition(':')[0].removeprefix('this ')}.",
        context_settings={"ignore_unknown_options": True, "help_option_names": []},
    )


def _show_usage(wrong: click.UsageError) -> None:
    """How the command is called; what was wrong about it stands in the last line alone."""
    if wrong.ctx is not None:
        click.echo(f"{wrong.ctx.get_usage()}\nTry '{wrong.ctx.command_path} --help' for help.", err=True)


def _say_bug(bug: Exception) -> int:
    if isinstance(bug, OSError) and bug.errno in _UNWRITABLE:
        # a stdout may have no descriptor
        with suppress(OSError, AttributeError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # what is still to be written is nobody's
        return _last_words("failed", f"nothing can be written: {bug.strerror}", "output_unwritable", 1)
    traceback.print_exception(bug)
    return _last_words("failed", f"something unexpected happened: {type(bug).__name__}", "unexpected", 1)


def _last_words(code: str, text: str, slug: str, status: int) -> int:
    print(CommandRefused(code, " ".join(text.split()), slug), file=sys.stderr)
    return status


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="proofkey", prog_name="proofkey", message="%(prog)s %(version)s")
def main() -> None:
    """Sign people in with the Authorization Code flow and PKCE."""
