"""Records as rows and back: positional, because these run at every request.

Lists of words lie in one TEXT, a line each: no scope, audience or method holds a line break.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proofkey.protocol.records import Consent, Grant, Session, SignedIn, User
from proofkey.server.store.statement import Row, Values

GRANT = (
    "workspace_id id attempt client_id user_id user_epoch session_id consent_id offline scope resources claims auth_time"
    " acr amr created_at idle_until expires_at refresh_hash refresh_key counter rotated_at access_valid_after"
    " revoked_at revoked_for"
)
USER = "workspace_id id username claims epoch password_hash disabled_at"
SESSION = "workspace_id id cookie_hash user_id user_epoch authenticated_at acr amr idle_until expires_at chosen_for"
CONSENT = "workspace_id user_id client_id id resources access claims request_id given_at"

GRANT_WIDTH = len(GRANT.split())
USER_WIDTH = len(USER.split())
SESSION_WIDTH = len(SESSION.split())

_read_json = msgspec.json.Decoder().decode
_write_json = msgspec.json.Encoder().encode


def columns(names: str, table: str) -> str:
    """The columns *names* as a select list of *table*."""
    return ", ".join(f"{table}.{name}" for name in names.split())


def join_words(words: tuple[str, ...]) -> str:
    """Words as one text."""
    text = "\n".join(words)
    if words and len(text.split("\n")) != len(words):
        raise ValueError("a word holds a line break")
    return text


def split_words(text: str) -> tuple[str, ...]:
    """The words of one text."""
    return tuple(text.split("\n")) if text else ()


def json_text(value: Any) -> str:
    """*value* as JSON. Members keep their order: that of scopes is what a person reads."""
    return _write_json(value).decode()


def grant_values(grant: Grant) -> Values:
    """A grant in the order of `GRANT`."""
    return (
        grant.workspace_id,
        grant.id,
        grant.attempt,
        grant.client_id,
        grant.user_id,
        grant.user_epoch,
        grant.session_id,
        grant.consent_id,
        int(grant.offline),
        join_words(grant.scope),
        join_words(grant.resources),
        grant.claims,
        grant.auth_time,
        grant.acr,
        join_words(grant.amr),
        grant.created_at,
        grant.idle_until,
        grant.expires_at,
        grant.refresh_hash,
        grant.refresh_key,
        grant.counter,
        grant.rotated_at,
        grant.access_valid_after,
        grant.revoked_at,
        grant.revoked_for,
    )


def grant_of(row: Row) -> Grant:
    """The grant whose `GRANT` columns begin *row*."""
    offline, scope, resources, claims, auth_time, acr, amr = row[8:15]
    fields: Values = (
        *row[:8],
        offline == 1,
        split_words(scope),
        split_words(resources),
        claims,
        auth_time,
        acr,
        split_words(amr),
        *row[15:GRANT_WIDTH],
    )
    return Grant(*fields)


def user_of(row: Row) -> User:
    """The person whose `USER` columns are *row*."""
    workspace_id, user_id, username, claims, epoch, password_hash, disabled_at = row
    return User(workspace_id, user_id, username, _read_json(claims), epoch, password_hash, disabled_at)


def session_values(session: Session) -> Values:
    """A session in the order of `SESSION`."""
    return (
        session.workspace_id,
        session.id,
        session.cookie_hash,
        session.user_id,
        session.user_epoch,
        session.authenticated_at,
        session.acr,
        join_words(session.amr),
        session.idle_until,
        session.expires_at,
        session.chosen_for,
    )


def session_of(row: Row) -> Session:
    """The session whose `SESSION` columns begin *row*."""
    fields: Values = (*row[:7], split_words(row[7]), *row[8:SESSION_WIDTH])
    return Session(*fields)


def consent_of(row: Row) -> Consent:
    """The consent whose `CONSENT` columns are *row*."""
    workspace_id, user_id, client_id, consent_id, resources, access, claims, request_id, given_at = row
    return Consent(
        workspace_id,
        user_id,
        client_id,
        consent_id,
        split_words(resources),
        split_words(access),
        split_words(claims),
        request_id,
        given_at,
    )


def signed_in_of(row: Row) -> SignedIn:
    """Session, person and, where there is one, consent, side by side in *row*."""
    user_ends = SESSION_WIDTH + USER_WIDTH
    consent = row[user_ends:]
    return SignedIn(
        session_of(row),
        user_of(row[SESSION_WIDTH:user_ends]),
        None if consent[0] is None else consent_of(consent),
    )
