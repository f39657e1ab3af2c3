"""The page for what must not be redirected: says what to mend, and in development shows what differs."""

from __future__ import annotations

from proofkey.protocol.errors import Refusal
from proofkey.protocol.redirect_uri import RedirectUriMismatch
from proofkey.server.asgi import Headers, Response
from proofkey.server.engine import Engine
from proofkey.server.pages.answer import html
from proofkey.server.pages.render import ErrorPage, ErrorRow, IssuerPage, render_error, render_issuer

_ALWAYS = frozenset({"scheme", "host", "port", "path", "query"})
TITLE = "This sign-in cannot go on"
ADVICE = "Go back to the application and try again. If it happens again, tell whoever runs it:"
_NOTHING = ErrorPage(
    "There is nothing here",
    "Check the address. If a link brought you here, tell whoever runs the page it is on:",
    "This server has nothing at this address",
    "not_found",
    "",
)


def error_page(
    refused: Refusal, workspace: str, *, development: bool, status: int = 400, headers: Headers | None = None
) -> Response:
    """What the person sees, and can read to whoever runs the application."""
    slug = refused.public or refused.reason
    page = ErrorPage(TITLE, ADVICE, refused.description, slug, workspace)
    if development and isinstance(refused, RedirectUriMismatch):
        page = ErrorPage(
            TITLE, ADVICE, refused.description, slug, workspace, _rows(refused), refused.sent, refused.nearest
        )
    return html(render_error(page), status, headers=headers)


def _rows(refused: RedirectUriMismatch) -> tuple[ErrorRow, ...]:
    return tuple(
        ErrorRow(part.name, part.requested, part.registered, part.same)
        for part in refused.parts
        if part.requested or part.registered or part.name in _ALWAYS
    )


async def nothing_here(path: str, engine: Engine) -> Response:
    """The page at an address nobody answers. In development an issuer's own address says what it is.

    Elsewhere nobody learns which issuers there are.
    """
    tenant, _, slug = path.strip("/").partition("/")
    if engine.config.development and slug and "/" not in slug:
        issuer = await engine.directory.find(tenant, slug, engine.clock())
        if issuer is not None:
            return html(render_issuer(IssuerPage(issuer.workspace.name, issuer.url)))
    return html(render_error(_NOTHING), 404)
