"""The rows an Authlib server needs, in SQLite: as durable as ours (WAL, `synchronous=FULL`), one commit a write."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin  # type: ignore[import-untyped]
from authlib.oidc.core import AuthorizationCodeMixin  # type: ignore[import-untyped]

SCHEMA = """
CREATE TABLE IF NOT EXISTS clients (client_id TEXT PRIMARY KEY, client_secret TEXT, metadata TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS people (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS codes (
    code TEXT PRIMARY KEY, client_id TEXT NOT NULL, user_id TEXT NOT NULL, redirect_uri TEXT, scope TEXT NOT NULL,
    nonce TEXT, auth_time INTEGER NOT NULL, code_challenge TEXT, code_challenge_method TEXT);
CREATE INDEX IF NOT EXISTS codes_by_nonce ON codes (client_id, nonce);
CREATE TABLE IF NOT EXISTS tokens (
    access_token TEXT PRIMARY KEY, refresh_token TEXT UNIQUE, client_id TEXT NOT NULL, user_id TEXT NOT NULL,
    scope TEXT NOT NULL, issued_at INTEGER NOT NULL, expires_in INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);
"""


@dataclass
class Person:
    """Who signs in."""

    id: str
    name: str
    email: str

    def get_user_id(self) -> str:
        return self.id


@dataclass
class Application(ClientMixin):  # type: ignore[misc]
    """A registered client."""

    client_id: str
    client_secret: str | None
    client_metadata: dict[str, Any]
    id_token_signed_response_alg: str = "ES256"

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return str(self.client_metadata["redirect_uris"][0])

    def get_allowed_scope(self, scope: str) -> str:
        allowed = set(self.client_metadata["scope"].split())
        return " ".join(word for word in scope.split() if word in allowed)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.client_metadata["redirect_uris"]

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.client_secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002
        return bool(method == ("client_secret_basic" if self.client_secret else "none"))

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


@dataclass
class Code(AuthorizationCodeMixin):  # type: ignore[misc]
    """An authorization code."""

    code: str
    client_id: str
    user_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    auth_time: int
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time


class Token(TokenMixin):  # type: ignore[misc]
    """An access token with its refresh token."""

    def __init__(self, store: Store, row: Sequence[Any]) -> None:
        self.store = store
        self.access_token, self.refresh_token, self.client_id, self.user_id, self.scope = row[:5]
        self.issued_at, self.expires_in, self.revoked = row[5:]

    def check_client(self, client: Application) -> bool:
        return bool(self.client_id == client.client_id)

    def get_scope(self) -> str:
        return str(self.scope)

    def get_expires_in(self) -> int:
        return int(self.expires_in)

    def is_expired(self) -> bool:
        return bool(self.issued_at + self.expires_in < time.time())

    def is_revoked(self) -> bool:
        return bool(self.revoked)

    def get_user(self) -> Person | None:
        return self.store.find_person(self.user_id)

    def get_client(self) -> Application | None:
        return self.store.find_client(self.client_id)


class Store:
    """One SQLite file; one connection for each thread."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.of_thread = threading.local()
        self.connection().executescript(SCHEMA)

    def connection(self) -> sqlite3.Connection:
        opened: sqlite3.Connection | None = getattr(self.of_thread, "connection", None)
        if opened is None:
            opened = self.of_thread.connection = sqlite3.connect(self.path, isolation_level=None, timeout=30)
            opened.execute("PRAGMA journal_mode=WAL")
            opened.execute("PRAGMA synchronous=FULL")
        return opened

    def write(self, statement: str, *values: Any) -> None:
        self.connection().execute(statement, values)

    def read(self, statement: str, *values: Any) -> Any:
        return self.connection().execute(statement, values).fetchone()

    def find_person(self, user_id: str) -> Person | None:
        row = self.read("SELECT id, name, email FROM people WHERE id = ?", user_id)
        return Person(*row) if row else None

    def find_client(self, client_id: str) -> Application | None:
        row = self.read("SELECT client_id, client_secret, metadata FROM clients WHERE client_id = ?", client_id)
        return Application(row[0], row[1], json.loads(row[2])) if row else None

    def find_code(self, code: str, client_id: str) -> Code | None:
        row = self.read("SELECT * FROM codes WHERE code = ? AND client_id = ?", code, client_id)
        return Code(*row) if row else None

    def knows_nonce(self, nonce: str, client_id: str) -> bool:
        return self.read("SELECT 1 FROM codes WHERE client_id = ? AND nonce = ?", client_id, nonce) is not None

    def find_token(self, access_token: str) -> Token | None:
        row = self.read("SELECT * FROM tokens WHERE access_token = ?", access_token)
        return Token(self, row) if row else None

    def find_refresh_token(self, refresh_token: str) -> Token | None:
        row = self.read("SELECT * FROM tokens WHERE refresh_token = ?", refresh_token)
        return Token(self, row) if row else None
