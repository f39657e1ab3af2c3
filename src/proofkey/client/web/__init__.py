"""Sign-in for web applications whose browser never sees a token (OAuth 2.0 for Browser-Based Apps §6.1)."""

from __future__ import annotations

from proofkey.client.web.asgi import SignIn
from proofkey.client.web.message import Scope
from proofkey.client.web.session import SESSION, Session
from proofkey.client.web.store.contract import SessionStore, StoredSession, StoreUnavailable
from proofkey.client.web.store.memory import MemoryStore

__all__ = ["SESSION", "MemoryStore", "Scope", "Session", "SessionStore", "SignIn", "StoreUnavailable", "StoredSession"]
