"""Access tokens that are good now: one refresh at a time per session, whichever worker asks (RFC 6749 §6).

1. Who wants to refresh claims the session in its store; everybody else waits and takes what the claimant brought.
2. An answer that was lost is asked for again with the same refresh token: issuers give the same successor for a while.
3. `invalid_grant` ends the session, unless somebody else renewed it meanwhile. No other failure does.
4. A refresh that was begun is brought to its end even where the request that wanted it is gone: its answer may rotate.
"""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakValueDictionary

from proofkey.client.issuer import SignedIn
from proofkey.client.messages import NoAnswer, ResponseRefused, ServerRefused
from proofkey.client.web.recognise import Recognised, find_by_key
from proofkey.client.web.session import RENEW_BEFORE, HeldToken
from proofkey.client.web.site import Site
from proofkey.protocol.errors import Refusal
from proofkey.protocol.records import MINUTE, SECOND

CLAIM_FOR = 30 * SECOND
TRIES = 3
ATTEMPT_FOR = 8.0
PAUSES = (0.0, *(0.05 * 1.3**step for step in range(16)), *(5.0,) * 4)
"""Seconds between two looks at a session that another worker renews: somewhat longer than a claim in all."""

_log = logging.getLogger("proofkey.client.web")


class SessionEnded(Refusal):
    """The session is over, or has no tokens any more: the person must sign in again.

    >>> from proofkey.client.web import SessionEnded
    >>> SessionEnded.code
    'login_required'
    """

    code = "login_required"


class RefreshTokenMissing(Refusal):
    """The issuer gave no refresh token, and signing in again brings no token for this API either.

    >>> from proofkey.client.web import RefreshTokenMissing
    >>> RefreshTokenMissing.code
    'access_denied'
    """

    code = "access_denied"


class TokensUnavailable(Refusal):
    """The issuer gave no tokens now; the session stays. Try again later.

    >>> from proofkey.client.web import TokensUnavailable
    >>> TokensUnavailable.code
    'temporarily_unavailable'
    """

    code = "temporarily_unavailable"


class TokenRenewal:
    """The access tokens of all sessions of one process."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._running: set[asyncio.Task[str]] = set()

    async def __call__(
        self, site: Site, key: bytes, resource: str | None, *, scope: str | None = None, refused: str | None = None
    ) -> str:
        """A token of the session *key* for *resource*, not *refused*.

        Raises `SessionEnded`, `TokensUnavailable`, `RefreshTokenMissing`.
        """
        wanted = Wanted(resource if resource is not None else site.settings.resource or "", scope, refused)
        found = await find_by_key(site, key)
        if found is not None and (held := wanted.find_in(found, site.clock())) is not None:
            return held.access_token
        lock = self._locks.setdefault(key, asyncio.Lock())
        task = asyncio.ensure_future(_renew(site, key, wanted, lock))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[str]) -> None:
        """Its failure was told to whoever waited; where nobody does any more, it is in the issuer's log and ours."""
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.info("refresh failed: %s", failure)

    async def finish(self) -> None:
        """Wait for refreshes that are under way."""
        await asyncio.gather(*self._running, return_exceptions=True)


class Wanted:
    """Which token is wanted; one that an API refused does not do, however long it would live."""

    def __init__(self, resource: str, scope: str | None, refused: str | None) -> None:
        self.resource, self.scope, self.refused = resource, scope, refused
        self.name = resource if scope is None else f"{resource} {scope}"

    def find_in(self, found: Recognised, now: int) -> HeldToken | None:
        """The token the session has, where it does."""
        held = found.contents.access.get(self.name)
        return held if held is not None and held.access_token != self.refused and held.is_fresh(now) else None


async def _renew(site: Site, key: bytes, wanted: Wanted, lock: asyncio.Lock) -> str:
    async with lock:
        for pause in PAUSES:
            await asyncio.sleep(pause)
            found = await find_by_key(site, key)
            if found is None:
                raise SessionEnded("session_ended", "The session is over: sign in again")
            if (held := wanted.find_in(found, site.clock())) is not None:
                return held.access_token
            token = await _claim_and_refresh(site, found, wanted)
            if token is not None:
                return token
    raise TokensUnavailable("refresh_busy", "Somebody else renews the tokens and does not come to an end")


async def _claim_and_refresh(site: Site, found: Recognised, wanted: Wanted) -> str | None:
    """The new token; None where another worker is at it, or was faster."""
    key, version, now = found.stored.key, found.stored.version, site.clock()
    if found.contents.refresh_token is None:
        if (held := wanted.find_in(found, now - RENEW_BEFORE)) is not None:
            return held.access_token
        raise _without_refresh_token(site, found, wanted)
    if not await site.store.claim_refresh(key, expected_version=version, claimed_until=now + CLAIM_FOR, now=now):
        return None
    try:
        signed_in = await _ask(site, found, wanted, found.contents.refresh_token)
    except ServerRefused as refusal:
        await _refused(site, found, refusal)
        return None
    except (ResponseRefused, TimeoutError) as failure:
        await site.store.release_refresh(key, expected_version=version)
        detail = failure.reason if isinstance(failure, Refusal) else "timeout"
        raise TokensUnavailable("refresh_unanswered", "The issuer gave no tokens", detail=detail) from None
    now = site.clock()
    contents = found.contents.renewed(signed_in.tokens, wanted.name, now)
    sealed = site.sealing.close_session(key, contents)
    kept = await site.store.renew_session(key, expected_version=version, sealed=sealed, now=now)
    return signed_in.tokens.access_token if kept else None


def _without_refresh_token(site: Site, found: Recognised, wanted: Wanted) -> Refusal:
    """Signing in again helps where it brings the token that is wanted, and did not bring it just now."""
    brought = wanted.name == (site.settings.resource or "")
    if brought and site.clock() - found.contents.created_at >= MINUTE:
        return SessionEnded("session_without_refresh_token", "The access token has expired: sign in again")
    return RefreshTokenMissing("refresh_token_not_given", "The issuer gave no refresh token: ask for offline_access")


async def _ask(site: Site, found: Recognised, wanted: Wanted, refresh_token: str) -> SignedIn:
    for attempt in range(1, TRIES + 1):
        conversation = site.issuer.refresh(
            refresh_token,
            subject=found.contents.subject,
            nonce=found.contents.claims.get("nonce"),
            resource=wanted.resource or None,
            scope=wanted.scope,
        )
        try:
            async with asyncio.timeout(ATTEMPT_FOR):
                await site.network.run(site.issuer.prepare())
                return await site.network.run(conversation)
        except (NoAnswer, TimeoutError) as failure:
            if attempt == TRIES:
                raise
            _log.info("refresh answered nothing usable (%s): asking again", getattr(failure, "reason", "timeout"))
            await asyncio.sleep(0.1 * attempt)
    raise AssertionError("unreachable")


async def _refused(site: Site, found: Recognised, refusal: ServerRefused) -> None:
    """Rule 3. Returns where somebody else renewed the session meanwhile."""
    key, version = found.stored.key, found.stored.version
    current = await site.store.find_session(key)
    if current is not None and current.version != version:
        return
    if refusal.code == "invalid_grant":
        await site.store.end_session(key)
        raise SessionEnded("refresh_token_refused", "The issuer ended the session: sign in again")
    await site.store.release_refresh(key, expected_version=version)
    raise TokensUnavailable("refresh_refused", "The issuer refused to renew the tokens", detail=refusal.code)
