"""Sign-in for web applications whose browser never sees a token (OAuth 2.0 for Browser-Based Apps §6.1)."""

from __future__ import annotations

from proofkey.client.web.api import Api
from proofkey.client.web.asgi import SignIn
from proofkey.client.web.message import Scope as Scope
from proofkey.client.web.refresh import RefreshTokenMissing, SessionEnded, TokensUnavailable
from proofkey.client.web.require_login import ask_for_login, require_login, session_of
from proofkey.client.web.session import SESSION, Session
from proofkey.client.web.store.contract import SessionStore, StoredSession, StoreUnavailable
from proofkey.client.web.store.memory import MemoryStore
from proofkey.client.web.store.postgres import PostgresStore
from proofkey.client.web.store.redis import RedisStore
from proofkey.client.web.store.sqlite import SqliteStore

__all__ = [
    "SESSION",
    "Api",
    "MemoryStore",
    "PostgresStore",
    "RedisStore",
    "RefreshTokenMissing",
    "Session",
    "SessionEnded",
    "SessionStore",
    "SignIn",
    "SqliteStore",
    "StoreUnavailable",
    "StoredSession",
    "TokensUnavailable",
    "ask_for_login",
    "require_login",
    "session_of",
]
