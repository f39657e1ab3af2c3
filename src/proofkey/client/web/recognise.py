"""Who is there: the live session of the browser that sent a request.

1. Use by the person moves the idle lifetime on, at most once in a tenth of it; nothing moves the absolute one.
2. A session whose contents do not open (the key was taken away, or the row altered) is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from proofkey.client.web.message import Request
from proofkey.client.web.session import Contents, Session
from proofkey.client.web.site import Site
from proofkey.client.web.store.contract import StoredSession
from proofkey.client.web.transaction import hash_cookie

SLIDE_EVERY = 10
"""An idle lifetime is moved on once this part of it went by: a write for each request would be waste."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A live session: its row and what was sealed in it."""

    stored: StoredSession
    contents: Contents

    def is_csrf_token(self, site: Site, sent: str | None) -> bool:
        """True where *sent* is what this session's pages were told."""
        return sent is not None and site.sealing.is_csrf_token(self.stored.key, sent)


def session_key(site: Site, request: Request) -> bytes | None:
    """The row that the request's session cookie names; None where there is no such cookie."""
    value = request.cookies.get(site.session_cookie.name)
    return hash_cookie(value) if value else None


async def recognise(site: Site, request: Request) -> Recognised | None:
    """The session of the request's browser, as it is now."""
    key = session_key(site, request)
    return None if key is None else await find_by_key(site, key)


async def find_by_key(site: Site, key: bytes) -> Recognised | None:
    """The live session in that row."""
    stored = await site.store.find_session(key)
    if stored is None or not stored.is_live(site.clock()):
        return None
    contents = site.sealing.open_session(key, stored.sealed, Contents)
    return None if contents is None else Recognised(stored, contents)


async def slide(site: Site, stored: StoredSession) -> None:
    """Note that the session was used."""
    now, idle_for = site.clock(), site.settings.idle_for
    idle_until = min(now + idle_for, stored.until)
    if idle_until - stored.idle_until >= idle_for // SLIDE_EVERY:
        await site.store.slide_session(stored.key, idle_until=idle_until, now=now)


def told(site: Site, recognised: Recognised) -> Session:
    """What the application gets to see."""
    stored, contents = recognised.stored, recognised.contents

    async def fetch_token(resource: str | None) -> str:
        return await site.renewal(site, stored.key, resource)

    return Session(
        issuer=site.issuer.issuer,
        subject=contents.subject,
        claims=contents.claims,
        created_at=contents.created_at,
        expires_at=min(stored.idle_until, stored.until),
        csrf=site.sealing.csrf_token(stored.key),
        _fetch_token=fetch_token,
    )
