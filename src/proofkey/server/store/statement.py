"""What passes between the store, which knows SQL, and a driver, which knows a database.

1. A `Statement` names its parameters in the order they are given, so that a call costs a tuple and not a mapping.
2. A script is a generator: it yields statements, is sent their rows, and returns an answer. It holds no database, so one
   text runs in SQLite's writer thread and over PostgreSQL's wire.
3. One script is one transaction. A driver may run it again from the start, even after a commit whose answer was lost:
   every script must recognise its own earlier work, and leave a repeated run without effect. (The throttle alone may then
   have counted one attempt twice.)
4. `{live …}` in a statement's text is the one definition of what *live* means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

Values: TypeAlias = tuple[Any, ...]
Row: TypeAlias = Sequence[Any]
Answer = TypeVar("Answer")

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_MACRO = re.compile(r"\{(live|live_here) (\S+?)\}")

_SESSION_LIVES = """(@session_id IS NULL OR EXISTS (
    SELECT 1 FROM sessions live_session
    WHERE live_session.workspace_id = @workspace_id AND live_session.id = @session_id
      AND live_session.user_id = @user_id AND live_session.user_epoch = @user_epoch
      AND live_session.ended_at IS NULL AND live_session.idle_until > :now AND live_session.expires_at > :now))"""

_STANDS = """(EXISTS (
    SELECT 1 FROM clients live_client
    WHERE live_client.workspace_id = @workspace_id AND live_client.id = @client_id
      AND live_client.disabled_at IS NULL AND live_client.grants_since < @created_at)
  AND (@user_id IS NULL OR EXISTS (
    SELECT 1 FROM users live_user
    WHERE live_user.workspace_id = @workspace_id AND live_user.id = @user_id
      AND live_user.disabled_at IS NULL AND live_user.epoch = @user_epoch))
  AND (@consent_id IS NULL OR EXISTS (
    SELECT 1 FROM consents live_consent
    WHERE live_consent.workspace_id = @workspace_id AND live_consent.user_id = @user_id
      AND live_consent.client_id = @client_id AND live_consent.id = @consent_id)))"""

_MEANINGS = {
    "live": "(@revoked_at IS NULL AND " + _STANDS + " AND (@offline = 1 OR " + _SESSION_LIVES + "))",
    "live_here": "(" + _STANDS + " AND " + _SESSION_LIVES + ")",
}


def _spell_out(macro: re.Match[str]) -> str:
    """`{live g.}` speaks of the row `g`; `{live_here :}` of the parameters, before there is a row, browser included."""
    return _MEANINGS[macro[1]].replace("@", macro[2])


class Statement:
    """One SQL text for both databases. *names* lists the parameters in the order of their values; each occurs as `:name`.

    *types* names the type of parameters that are compared with NULL, which PostgreSQL cannot guess.
    """

    __slots__ = ("names", "text", "types")

    def __init__(self, names: str, text: str, types: Mapping[str, str] | None = None) -> None:
        self.names = tuple(names.split())
        self.types = types or {}
        # Without its line breaks: SQLite finds a prepared statement by its whole text, so each byte is read at each run.
        self.text = " ".join(_MACRO.sub(_spell_out, text).split())
        used = set(_PARAMETER.findall(self.text))
        if used != set(self.names):
            raise ValueError(f"a statement names {sorted(self.names)} and uses {sorted(used)}")

    def numbered(self, mark: str, *, typed: bool = False) -> str:
        """The text with `:name` as *mark* and the parameter's number, counted from 1; *typed* where a type is named."""

        def spell(found: re.Match[str]) -> str:
            number = f"{mark}{self.names.index(found[1]) + 1}"
            return f"CAST({number} AS {self.types[found[1]]})" if typed and found[1] in self.types else number

        return _PARAMETER.sub(spell, self.text)


Step: TypeAlias = tuple[Statement, Values]
Script: TypeAlias = Generator[Step, list[Row], Answer]


class Interrupted(Exception):
    """Someone wrote between two statements of a script: undo it and run it again."""


class Database(Protocol):
    """What a driver gives the store."""

    async def open(self) -> None:
        """Connect, and migrate forward under a lock."""

    async def close(self) -> None:
        """Finish what is under way; what comes later is `StoreUnavailable`."""

    async def read(self, statement: Statement, values: Values) -> list[Row]:
        """Run one statement that only reads. A value no row can hold finds no row."""

    async def write(self, script: Callable[..., Script[Answer]], *arguments: Any) -> Answer:
        """Run `script(*arguments)` as one durable transaction, again where the database asks for it."""

    async def check(self, counts: Mapping[str, Statement]) -> tuple[str, ...]:
        """What the database finds wrong with its files, and every statement of *counts* that counts more than nothing."""
