"""The manual of the commands names the options there are, and their defaults."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from proofkey.cli import main
from proofkey.cli.flow_walk import VISIT
from proofkey.cli.login import DEFAULT_SCOPE

MANUAL = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["dev", "serve", "apply", "flow", "login", "logout", "token", "whoami", "curl"])
def test_every_option_is_in_its_table(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    section = re.search(rf"^## `proofkey {name}`\n(.*?)(?=^## |\Z)", MANUAL, re.DOTALL | re.MULTILINE)
    assert section is not None
    written = re.findall(r"^\| `--([\w-]+)` \|", section[1], re.MULTILINE)
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert written == [option.opts[-1].removeprefix("--") for option in options]


def test_the_default_scope_of_login_is_as_written() -> None:
    assert f"| `--scope` | `{DEFAULT_SCOPE}`, as far as the issuer lists them |" in MANUAL


def test_the_defaults_of_dev_are_as_written() -> None:
    command = main.get_command(click.Context(main), "dev")
    assert command is not None
    defaults = {option.opts[-1]: option.default for option in command.params}
    assert [f"| `--port` | `{defaults['--port']}` |", f"| `--data` | `{defaults['--data']}` |"] == re.findall(
        r"^\| `--(?:port|data)` \| `[^`]*` \|", MANUAL, re.MULTILINE
    )


def test_the_variables_and_steps_of_flow_are_as_written() -> None:
    command = main.get_command(click.Context(main), "flow")
    assert command is not None
    section = MANUAL.split("## `proofkey flow`")[1].split("\n## ")[0]
    assert {str(option.envvar) for option in command.params if option.envvar} == set(
        re.findall(r"`(PROOFKEY_\w+)`", section)
    )
    named = section.split("The steps are")[1].split("With `--json`")[0]
    assert list(VISIT) == re.findall(r"`(\w+)`", named)
