"""Sessions and consents: who sits at a browser, and what they allowed a client.

A session lives while it has not ended, is inside both its ends, and its person is enabled and has its epoch.
"""

from __future__ import annotations

from dataclasses import replace

from proofkey.protocol.records import Consent, Session, SignedIn, wire_id
from proofkey.server.store.audit import Recorder, record
from proofkey.server.store.contract import AuditEvent
from proofkey.server.store.rows import (
    CONSENT,
    SESSION,
    USER,
    columns,
    consent_of,
    join_words,
    session_values,
    signed_in_of,
)
from proofkey.server.store.statement import Interrupted, Script, Statement

_LIVES = """s.ended_at IS NULL AND s.idle_until > :now AND s.expires_at > :now"""

FIND_SIGNED_IN = Statement(
    "workspace_id cookie_hash client_id now",
    f"""SELECT {columns(SESSION, "s")}, {columns(USER, "u")}, {columns(CONSENT, "k")}
    FROM sessions s
    JOIN users u ON u.workspace_id = s.workspace_id AND u.id = s.user_id
    LEFT JOIN consents k ON k.workspace_id = s.workspace_id AND k.user_id = s.user_id AND k.client_id = :client_id
    WHERE s.workspace_id = :workspace_id AND s.cookie_hash = :cookie_hash AND {_LIVES}
      AND u.disabled_at IS NULL AND u.epoch = s.user_epoch""",  # noqa: S608 - only names of columns
)
START_SESSION = Statement(
    SESSION + " idle_for",
    f"""INSERT INTO sessions ({", ".join(SESSION.split())}, idle_for)
    VALUES ({", ".join(":" + name for name in SESSION.split())}, :idle_for)
    ON CONFLICT (workspace_id, id) DO NOTHING""",  # noqa: S608 - only names of columns
)
RENEW_SESSION = Statement(
    SESSION + " idle_for now",
    f"""UPDATE sessions AS s
    SET cookie_hash = :cookie_hash, authenticated_at = :authenticated_at, acr = :acr, amr = :amr,
        idle_until = :idle_until, expires_at = :expires_at, chosen_for = :chosen_for, idle_for = :idle_for
    WHERE s.workspace_id = :workspace_id AND s.id = :id AND {_LIVES}
      AND s.user_id = :user_id AND s.user_epoch = :user_epoch
      AND EXISTS (SELECT 1 FROM users u WHERE u.workspace_id = :workspace_id AND u.id = :user_id
                  AND u.disabled_at IS NULL AND u.epoch = :user_epoch)
    RETURNING id""",  # noqa: S608 - only a condition of ours
)
CHOOSE_ACCOUNT = Statement(
    "workspace_id id request_id now",
    f"""UPDATE sessions AS s SET chosen_for = :request_id
    WHERE s.workspace_id = :workspace_id AND s.id = :id AND {_LIVES}
      AND EXISTS (SELECT 1 FROM users u WHERE u.workspace_id = s.workspace_id AND u.id = s.user_id
                  AND u.disabled_at IS NULL AND u.epoch = s.user_epoch)
    RETURNING id""",  # noqa: S608 - only a condition of ours
)
END_SESSION = Statement(
    "workspace_id id now",
    """UPDATE sessions SET ended_at = :now
    WHERE workspace_id = :workspace_id AND id = :id AND ended_at IS NULL RETURNING user_id""",
)
HOLD_CONSENT = Statement(
    "workspace_id user_id client_id request_id given_at",
    f"""UPDATE consents SET request_id = :request_id, given_at = :given_at
    WHERE workspace_id = :workspace_id AND user_id = :user_id AND client_id = :client_id
    RETURNING {columns(CONSENT, "consents")}""",  # noqa: S608 - only names of columns
)
KEEP_CONSENT = Statement(
    CONSENT,
    f"""INSERT INTO consents ({", ".join(CONSENT.split())})
    VALUES ({", ".join(":" + name for name in CONSENT.split())})
    ON CONFLICT (workspace_id, user_id, client_id) DO NOTHING RETURNING id""",  # noqa: S608 - only names of columns
)
WIDEN_CONSENT = Statement(
    "workspace_id user_id client_id resources access claims",
    """UPDATE consents SET resources = :resources, access = :access, claims = :claims
    WHERE workspace_id = :workspace_id AND user_id = :user_id AND client_id = :client_id""",
)
WITHDRAW_CONSENT = Statement(
    "workspace_id user_id client_id",
    """DELETE FROM consents
    WHERE workspace_id = :workspace_id AND user_id = :user_id AND client_id = :client_id RETURNING id""",
)


class Sessions(Recorder):
    """The part of the `PeopleStore` that is about browsers and consents."""

    async def find_signed_in(self, workspace_id: str, cookie_hash: bytes, client_id: str, now: int) -> SignedIn | None:
        """Session, person and consent in one statement."""
        found = await self._database.read(FIND_SIGNED_IN, (workspace_id, cookie_hash, client_id, now))
        return signed_in_of(found[0]) if found else None

    async def start_session(self, session: Session, ends: bytes | None, now: int) -> None:
        """Write a new session and end the one before it."""
        event = self._event(
            session.workspace_id, "session_started", now, user_id=session.user_id, subject=wire_id(session.id)
        )
        await self._database.write(self._start, session, ends, event, now)

    def _start(self, session: Session, ends: bytes | None, event: AuditEvent, now: int) -> Script[None]:
        yield START_SESSION, (*session_values(session), session.idle_until - now)
        yield from record(event)
        if ends is not None and ends != session.id:
            yield from self._end(session.workspace_id, ends, now)

    async def renew_session(self, session: Session, now: int) -> bool:
        """The same person proved themselves again."""
        event = self._event(
            session.workspace_id, "session_renewed", now, user_id=session.user_id, subject=wire_id(session.id)
        )
        return await self._database.write(_renew, session, event, now)

    async def choose_account(self, workspace_id: str, session_id: bytes, request_id: bytes, now: int) -> bool:
        """The person chose this session's account for that request."""
        return await self._database.write(_choose, workspace_id, session_id, request_id, now)

    async def end_session(self, workspace_id: str, session_id: bytes, now: int) -> None:
        """Sign out."""
        await self._database.write(self._end, workspace_id, session_id, now)

    def _end(self, workspace_id: str, session_id: bytes, now: int) -> Script[None]:
        ended = yield END_SESSION, (workspace_id, session_id, now)
        if ended:
            event = self._event(workspace_id, "session_ended", now, user_id=ended[0][0], subject=wire_id(session_id))
            yield from record(event)

    async def give_consent(self, consent: Consent, now: int) -> Consent:
        """Add to what the person allowed this client."""
        event = self._event(
            consent.workspace_id, "consent_given", now, user_id=consent.user_id, client_id=consent.client_id
        )
        return await self._database.write(_give, consent, event)

    async def withdraw_consent(self, workspace_id: str, user_id: str, client_id: str, now: int) -> None:
        """Remove the consent, and with it every grant that names it."""
        event = self._event(workspace_id, "consent_withdrawn", now, user_id=user_id, client_id=client_id)
        await self._database.write(_withdraw, workspace_id, user_id, client_id, event)


def _renew(session: Session, event: AuditEvent, now: int) -> Script[bool]:
    renewed = yield RENEW_SESSION, (*session_values(session), session.idle_until - now, now)
    if renewed:
        yield from record(event)
    return bool(renewed)


def _choose(workspace_id: str, session_id: bytes, request_id: bytes, now: int) -> Script[bool]:
    chosen = yield CHOOSE_ACCOUNT, (workspace_id, session_id, request_id, now)
    return bool(chosen)


def _give(consent: Consent, event: AuditEvent) -> Script[Consent]:
    yield from record(event)
    place = (consent.workspace_id, consent.user_id, consent.client_id)
    kept = yield KEEP_CONSENT, _consent_values(consent)
    if kept:
        return consent
    # Writing what is new in any case makes whoever else adds to this row wait until we have added, too.
    held = yield HOLD_CONSENT, (*place, consent.request_id, consent.given_at)
    if not held:
        raise Interrupted
    old = consent_of(held[0])
    whole = replace(
        old,
        resources=_union(old.resources, consent.resources),
        access=_union(old.access, consent.access),
        claims=_union(old.claims, consent.claims),
    )
    yield WIDEN_CONSENT, (*place, join_words(whole.resources), join_words(whole.access), join_words(whole.claims))
    return whole


def _withdraw(workspace_id: str, user_id: str, client_id: str, event: AuditEvent) -> Script[None]:
    withdrawn = yield WITHDRAW_CONSENT, (workspace_id, user_id, client_id)
    if withdrawn:
        yield from record(event)


def _union(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    return (*old, *(word for word in new if word not in old))


def _consent_values(consent: Consent) -> tuple[object, ...]:
    return (
        consent.workspace_id,
        consent.user_id,
        consent.client_id,
        consent.id,
        join_words(consent.resources),
        join_words(consent.access),
        join_words(consent.claims),
        consent.request_id,
        consent.given_at,
    )
