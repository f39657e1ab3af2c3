"""The foreign provider npm `oidc-provider` as a pytest fixture: a process of its own on a free loopback port.

What it offers: PKCE (S256), refresh rotation for public clients (a used one again ends the grant), resource indicators,
introspection, revocation, userinfo (signed, too), DPoP, device flow, back-channel and RP-initiated logout, `acr_values` and
`max_age`, CORS for the origins of a client's redirect URIs, registration without a token, `form_post`, `iss` in answers; and,
added by oidc_provider_exchange.mjs, token exchange (RFC 8693) of an opaque access token for one of another API.

Clients that stand from the start (`provider.clients[NAME]` has their metadata):

- `spa`: public, ES256 ID tokens. `native`: public, `http://127.0.0.1:ANY/callback` or `[::1]`, and the device grant.
- `web`, `web-post`: confidential by Basic, and in the body; RS256 ID tokens. `api`: confidential, for introspection alone.

Others, with redirect URIs of the test's own: `provider.register(...)`, which takes RFC 7591 metadata and
`dpop_nonce_required=True` (every proof at the token endpoint must then hold the server's nonce).

People: any name signs in with any password (`person.visit`, or `sign_in` in a real browser); `alice` is `Alice Example`,
`alice@example.test`, `sub` alice. Access tokens hold `auth_time` and `acr`: `urn:example:password`, or
`urn:example:two-factors` where `acr_values` asked for it.

Resources: any absolute URI, with scopes `notes:read notes:write`; a URI with `opaque` in it gets opaque tokens, with `rs256`
RS256 JWTs, else ES256 JWTs. Tokens for a resource are refused at userinfo: ask without a resource there. `offline_access`
is dropped unless `prompt=consent`; refresh tokens are issued without it, and end with the session.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.providers.foreign import ForeignProvider

HERE = Path(__file__).parent
NODE = Path(__file__).parents[2] / ".venv" / "bin" / "node"


class StartOidcProvider(Protocol):
    """Starts one more; *options*: accessTokenTTL, idTokenTTL, refreshTokenTTL in seconds, and more `clients`."""

    def __call__(self, **options: Any) -> ForeignProvider: ...


def _starting(folder: Path) -> Iterator[StartOidcProvider]:
    started: list[ForeignProvider] = []

    def start(**options: Any) -> ForeignProvider:
        command = [str(NODE), str(HERE / "oidc_provider.mjs"), json.dumps(options)]
        started.append(ForeignProvider(command, folder / f"oidc-provider{len(started)}.log"))
        return started[-1]

    yield start
    for provider in reversed(started):
        provider.stop()


@pytest.fixture
def start_oidc_provider(tmp_path: Path) -> Iterator[StartOidcProvider]:
    """Providers of the test's own, with lifetimes of its own."""
    yield from _starting(tmp_path)


@pytest.fixture(scope="session")
def oidc_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignProvider]:
    """One for all tests; register clients of your own where redirect URIs or options differ."""
    for start in _starting(tmp_path_factory.mktemp("oidc-provider")):
        yield start()
