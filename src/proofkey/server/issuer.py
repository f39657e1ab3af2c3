"""One authorization server at run time: a snapshot of its configuration and keys, and the directory that keeps it fresh.

1. A snapshot is read through a bounded age; one request refreshes it while the others use the one they have.
2. Workspaces load lazily, and what does not exist is never cached, so that nobody can fill memory by asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from proofkey import jose
from proofkey.protocol.discovery import metadata
from proofkey.protocol.records import SECOND, Client, Workspace
from proofkey.seal import Seal
from proofkey.server.config import Config, is_slug
from proofkey.server.cookie import cookie_name
from proofkey.server.entropy import Entropy
from proofkey.server.keys import CELL, KeyRing, active_key
from proofkey.server.master_key import MasterKey
from proofkey.server.sealed import RefreshTokens
from proofkey.server.store.contract import ConfigurationStore, StoredKey

MAX_AGE_FOR = 10 * SECOND


@dataclass(frozen=True, slots=True)
class Issuer:
    """Everything one workspace needs to answer a request without reading its configuration."""

    url: str
    workspace: Workspace
    origins: frozenset[str]
    signers: Mapping[str, jose.SigningKey]
    verifying: jose.KeySet
    request_seal: Seal
    code_seal: Seal
    ticket_seal: Seal
    refresh_tokens: RefreshTokens
    metadata_json: bytes
    jwks_json: bytes
    session_cookie: str
    browser_cookie: str
    secure: bool
    loaded_at: int
    clients: dict[str, Client] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path of the issuer's address, which its pages and cookies live under."""
        return "/" + self.url.split("://", 1)[1].partition("/")[2]


class Directory:
    """Finds issuers by tenant and workspace, and their clients."""

    def __init__(self, config: Config, store: ConfigurationStore, master_key: MasterKey, entropy: Entropy) -> None:
        self._config = config
        self._store = store
        self._ring = KeyRing(store, master_key, entropy)
        self._issuers: dict[tuple[str, str], Issuer] = {}
        self._refreshing = asyncio.Lock()

    async def find(self, tenant: str, slug: str, now: int) -> Issuer | None:
        """The issuer at this address, at most `MAX_AGE_FOR` behind the database."""
        known = self._issuers.get((tenant, slug))
        if known is not None and 0 <= now - known.loaded_at < MAX_AGE_FOR:
            return known
        if known is not None and self._refreshing.locked() and now - known.loaded_at < 2 * MAX_AGE_FOR:
            return known
        if not (is_slug(tenant) and is_slug(slug)):
            return None
        return await self._load(tenant, slug, now)

    async def find_client(self, issuer: Issuer, client_id: str) -> Client | None:
        """The enabled client with that id."""
        client = issuer.clients.get(client_id)
        if client is None:
            client = await self._store.find_client(issuer.workspace.id, client_id)
            if client is None or client.id_token_signed_response_alg not in issuer.signers:
                return None  # registered a moment ago for an algorithm whose key comes with the next snapshot
            issuer.clients[client_id] = client
        return client

    @property
    def loaded(self) -> tuple[Issuer, ...]:
        """The issuers this process has served."""
        return tuple(self._issuers.values())

    async def _load(self, tenant: str, slug: str, now: int) -> Issuer | None:
        async with self._refreshing:
            known = self._issuers.get((tenant, slug))
            if known is not None and 0 <= now - known.loaded_at < MAX_AGE_FOR:
                return known
            workspace = await self._store.find_workspace(tenant, slug)
            if workspace is None:
                self._issuers.pop((tenant, slug), None)
                return None
            issuer = await self._build(workspace, now)
            self._issuers[tenant, slug] = issuer
            return issuer

    async def _build(self, workspace: Workspace, now: int) -> Issuer:
        url = self._config.issuer_for(workspace.tenant, workspace.slug)
        seals = await self._ring.rotate(CELL, "seal", now)
        refresh = await self._ring.rotate(CELL, "refresh", now)
        signing = {alg: await self._ring.rotate(workspace.id, alg, now) for alg in await self._algorithms(workspace.id)}
        published = [self._ring.signing_key(key) for keys in signing.values() for key in keys]
        jwks = jose.jwk_set(published)
        return Issuer(
            url=url,
            workspace=workspace,
            origins=await self._store.list_origins(workspace.id),
            signers={alg: self._ring.signing_key(active_key(keys, now)) for alg, keys in signing.items()},
            verifying=jose.KeySet.from_jwks(jwks),
            request_seal=self._seal(seals, workspace, url, "request", now),
            code_seal=self._seal(seals, workspace, url, "code", now),
            ticket_seal=self._seal(seals, workspace, url, "ticket", now),
            refresh_tokens=RefreshTokens(
                {key.generation: self._ring.unwrap(key) for key in refresh},
                active_key(refresh, now).generation,
                workspace.id,
                url,
            ),
            metadata_json=msgspec.json.encode(metadata(url, workspace)),
            jwks_json=msgspec.json.encode(jwks),
            session_cookie=cookie_name("session", url),
            browser_cookie=cookie_name("browser", url),
            secure=url.startswith("https:"),
            loaded_at=now,
        )

    async def _algorithms(self, workspace_id: str) -> tuple[jose.Algorithm, ...]:
        """ES256 always; RS256 once a client asks for it, and from then on, because its tokens outlive the wish."""
        needed = await self._store.list_signing_algorithms(workspace_id)
        kept = {key.use for key in await self._store.find_keys(workspace_id)}
        return ("ES256", "RS256") if "RS256" in needed | kept else ("ES256",)

    def _seal(self, keys: tuple[StoredKey, ...], workspace: Workspace, url: str, purpose: str, now: int) -> Seal:
        secrets = {key.generation: self._ring.unwrap(key) for key in keys}
        return Seal(secrets, active_key(keys, now).generation, f"{purpose}\0{workspace.id}\0{url}")
