"""Access tokens that are good now: one refresh at a time per session, whichever worker asks (RFC 6749 §6).

1. Who wants to refresh claims the session in its store; everybody else waits and takes what the claimant brought.
2. A refresh token is sent again only as long as issuers give the same successor, by whichever worker; a late answer is waited
   for, and what came is kept even if the store is away for a moment.
3. `invalid_grant` ends the session, unless somebody else renewed it meanwhile. No other failure does.
4. A refresh that was begun is brought to its end even where the request that wanted it is gone: its answer may rotate.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from weakref import WeakValueDictionary

from proofkey.client.conversation import Conversation
from proofkey.client.issuer import SignedIn
from proofkey.client.messages import ResponseRefused, ServerRefused
from proofkey.client.protocol import Tokens
from proofkey.client.web.recognise import Recognised, find_by_key
from proofkey.client.web.revoke import revoke
from proofkey.client.web.session import HeldToken
from proofkey.client.web.site import Site
from proofkey.client.web.store.contract import StoreUnavailable
from proofkey.protocol.errors import Refusal
from proofkey.protocol.records import MINUTE, SECOND

CLAIM_FOR = 7 * SECOND
"""If the claimant dies, whoever takes over asks within the time in which issuers give the same successor once more."""
HELD_FOR = 45 * SECOND
"""A claimant that waits for a slow issuer says so before `CLAIM_FOR` is over: nobody else may ask any more."""
KEPT_WITHIN = 20.0
"""Seconds for which what came is offered to a store that does not answer: there is no other copy of it."""
FINISHED_WITHIN = 4.0
"""Seconds that the end of the process waits; another worker takes over what is then under way."""
PAUSES = (0.0, *(min(0.05 * 1.3**step, 0.5) for step in range(68)))
"""Seconds between two looks at a session that another worker renews: half a minute in all."""

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
    """The access tokens of all sessions of one process. Who wants the same at the same time waits for the same."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._running: dict[tuple[bytes, str, str | None], asyncio.Task[str]] = {}

    async def __call__(
        self, site: Site, key: bytes, resource: str | None, *, scope: str | None = None, refused: str | None = None
    ) -> str:
        """A token of the session *key* for *resource*, not *refused*.

        Raises `SessionEnded`, `TokensUnavailable`, `RefreshTokenMissing`.
        """
        wanted = Wanted(resource if resource is not None else site.settings.resource or "", scope, refused)
        found = await find_by_key(site, key)
        if found is not None and (held := wanted.find_in(found)) is not None and held.is_fresh(site.clock()):
            return held.access_token
        asked = key, wanted.name, refused
        task = self._running.get(asked)
        if task is None:
            lock = self._locks.setdefault(key, asyncio.Lock())
            task = self._running[asked] = asyncio.ensure_future(_renew(site, key, wanted, lock))
            task.add_done_callback(lambda done: self._ended(asked, done))
        return await asyncio.shield(task)

    def _ended(self, asked: tuple[bytes, str, str | None], task: asyncio.Task[str]) -> None:
        """Its failure was told to whoever waited; where nobody does any more, it is in the issuer's log and ours."""
        del self._running[asked]
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.info("refresh failed: %s", failure)

    async def finish(self) -> None:
        """Wait for refreshes that are under way, and give up those that take too long."""
        tasks = set(self._running.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=FINISHED_WITHIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


class Wanted:
    """Which token is wanted; one that an API refused does not do, however long it would live."""

    def __init__(self, resource: str, scope: str | None, refused: str | None) -> None:
        self.resource, self.scope, self.refused = resource, scope, refused
        self.name = resource if scope is None else f"{resource} {scope}"

    def find_in(self, found: Recognised) -> HeldToken | None:
        """The token the session has, where it does."""
        held = found.contents.access.get(self.name)
        return None if held is None or held.access_token == self.refused else held


async def _renew(site: Site, key: bytes, wanted: Wanted, lock: asyncio.Lock) -> str:
    async with lock:
        for pause in PAUSES:
            await asyncio.sleep(pause)
            found = await find_by_key(site, key)
            if found is None:
                raise SessionEnded("session_ended", "The session is over: sign in again")
            if (held := wanted.find_in(found)) is not None and held.is_fresh(site.clock()):
                return held.access_token
            token = await _claim_and_refresh(site, found, wanted)
            if token is not None:
                return token
    raise TokensUnavailable("refresh_busy", "Somebody else renews the tokens and does not come to an end")


async def _claim_and_refresh(site: Site, found: Recognised, wanted: Wanted) -> str | None:
    """The new token; None where another worker is at it, or was faster."""
    key, version = found.stored.key, found.stored.version
    if found.contents.refresh_token is None:
        if (held := wanted.find_in(found)) is not None and held.is_live(site.clock()):
            return held.access_token
        raise _without_refresh_token(site, found, wanted)
    try:
        await site.network.run_patiently(site.issuer.prepare)
    except ResponseRefused as failure:
        raise _unanswered(failure) from None
    now = site.clock()
    try:
        if not await site.store.claim_refresh(key, expected_version=version, claimed_until=now + CLAIM_FOR, now=now):
            return None
        signed_in = await _ask(site, found, wanted, found.contents.refresh_token, claimed_at=now)
    except ServerRefused as refusal:
        await _refused(site, found, refusal)
        return None
    except ResponseRefused as failure:
        await site.store.release_refresh(key, expected_version=version)
        raise _unanswered(failure) from None
    return signed_in.tokens.access_token if await _keep(site, found, wanted, signed_in.tokens) else None


async def _ask(site: Site, found: Recognised, wanted: Wanted, refresh_token: str, claimed_at: int) -> SignedIn:
    key, version = found.stored.key, found.stored.version

    async def stay() -> None:
        """Hold what was claimed, where nobody has taken over."""
        until = claimed_at + HELD_FOR
        with suppress(StoreUnavailable):
            await site.store.claim_refresh(
                key, expected_version=version, claimed_until=until, now=claimed_at + CLAIM_FOR
            )

    def begin() -> Conversation[SignedIn]:
        return site.issuer.refresh(
            refresh_token,
            subject=found.contents.subject,
            nonce=found.contents.claims.get("nonce"),
            resource=wanted.resource or None,
            scope=wanted.scope,
        )

    try:
        return await site.network.run_patiently(begin, while_waiting=stay)
    except asyncio.CancelledError:  # the process ends: whoever takes over still asks in time
        await site.store.release_refresh(key, expected_version=version)
        raise


async def _keep(site: Site, found: Recognised, wanted: Wanted, tokens: Tokens) -> bool:
    """Whether the session has them now. Where it ended meanwhile, they go back; where somebody was faster, theirs count."""
    key, version, now = found.stored.key, found.stored.version, site.clock()
    time = asyncio.get_running_loop().time
    sealed = site.sealing.close_session(key, found.contents.renewed(tokens, wanted.name, now))
    offered_until = time() + KEPT_WITHIN
    while True:
        try:
            if await site.store.renew_session(key, expected_version=version, sealed=sealed, now=now):
                return True
            if await site.store.find_session(key) is None:
                await revoke(site, tokens.refresh_token or found.contents.refresh_token)
            return False
        except StoreUnavailable:
            if time() > offered_until:
                raise
        await asyncio.sleep(0.1)


def _unanswered(failure: ResponseRefused) -> Refusal:
    return TokensUnavailable("refresh_unanswered", "The issuer gave no tokens", detail=failure.reason)


def _without_refresh_token(site: Site, found: Recognised, wanted: Wanted) -> Refusal:
    """Signing in again helps where it brings the token that is wanted, and did not bring it just now."""
    brought = wanted.name == (site.settings.resource or "")
    if brought and site.clock() - found.contents.created_at >= MINUTE:
        return SessionEnded("session_without_refresh_token", "The access token has expired: sign in again")
    return RefreshTokenMissing("refresh_token_not_given", "The issuer gave no refresh token: ask for offline_access")


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
