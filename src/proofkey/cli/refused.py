"""How a command ends without success: one last line on stderr, `error: <code>: <text> [slug]`, and exit status 1 or 3."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from proofkey.protocol.errors import Refusal

NOT_SIGNED_IN = "not_signed_in"
_SLUG = re.compile(r"(.*?)\s*\[([a-z0-9_]+)\]", re.ASCII | re.DOTALL)


class CommandRefused(Exception):
    """A command was refused or failed. `code` is the kind, `slug` the exact reason; the text says what to mend."""

    def __init__(self, code: str, text: str, slug: str) -> None:
        super().__init__(text)
        self.code = code
        self.slug = slug

    @property
    def status(self) -> int:
        """The exit status: 3 where somebody has to sign in first."""
        return 3 if self.code == NOT_SIGNED_IN else 1

    def __str__(self) -> str:
        return f"error: {self.code}: {self.args[0]} [{self.slug}]"


@contextmanager
def refusals_in_words() -> Iterator[None]:
    """Turn every refusal into the command's last line; a server's own slug comes before ours."""
    try:
        yield
    except Refusal as refusal:
        if refusal.detail:
            print(refusal.detail, file=sys.stderr)
        told = _SLUG.fullmatch(refusal.error_description)
        text, slug = told.groups() if told else (refusal.error_description, refusal.reason)
        raise CommandRefused(getattr(refusal, "code", "failed"), text, slug) from None
