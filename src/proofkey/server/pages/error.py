"""The page for what must not be redirected: says what to mend, and in development shows what differs."""

from __future__ import annotations

from proofkey.protocol.errors import Refusal
from proofkey.protocol.redirect_uri import RedirectUriMismatch, compare_parts
from proofkey.server.asgi import Headers, Response
from proofkey.server.pages.answer import html
from proofkey.server.pages.render import ErrorPage, ErrorRow, render_error

_ALWAYS = frozenset({"scheme", "host", "port", "path", "query"})
TITLE = "This sign-in cannot go on"


def error_page(
    refused: Refusal, workspace: str, *, development: bool, status: int = 400, headers: Headers | None = None
) -> Response:
    """What the person sees, and can read to whoever runs the application."""
    rows: tuple[ErrorRow, ...] = ()
    if development and isinstance(refused, RedirectUriMismatch):
        parts = compare_parts(refused.sent, refused.nearest)
        rows = tuple(
            ErrorRow(part, sent, registered, sent == registered)
            for part, sent, registered in parts
            if sent or registered or part in _ALWAYS
        )
    slug = refused.public or refused.reason
    page = ErrorPage(TITLE, refused.description, slug, workspace, rows)
    return html(render_error(page), status, headers=headers)
