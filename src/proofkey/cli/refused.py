"""How a command ends without success: one last line on stderr, `error: <code>: <text> [slug]`, and exit status 1."""

from __future__ import annotations


class CommandRefused(Exception):
    """A command was refused or failed. `code` is the kind, `slug` the exact reason; the text says what to mend."""

    def __init__(self, code: str, text: str, slug: str) -> None:
        super().__init__(text)
        self.code = code
        self.slug = slug

    def __str__(self) -> str:
        return f"error: {self.code}: {self.args[0]} [{self.slug}]"
