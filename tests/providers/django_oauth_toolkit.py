"""The foreign provider django-oauth-toolkit as a pytest fixture: a process of its own on a free loopback port.

What it offers: PKCE (S256, required), RS256 ID tokens, opaque access tokens, refresh rotation (a used one again ends the
family), introspection and revocation (announced in RFC 8414's document alone), userinfo, RP-initiated logout, CORS for every
origin, `iss` in answers. No DPoP, no back-channel logout, no `form_post`; its device flow is announced nowhere.

Clients that stand from the start (`provider.clients[NAME]` has their metadata): `spa` and `native` (public; `native` on any
port of 127.0.0.1), `web` (confidential), `api` (confidential, client credentials;
introspects with its secret). Others: `provider.register(...)`, with the members of RFC 7591 that `dot/urls.py` reads.

People: `alice` and `bob`, password `password` (fields `username` and `password`); `sub` is a number. Scopes: openid, profile,
email, notes:read, notes:write.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.providers.foreign import ForeignProvider

ROOT = Path(__file__).parents[2]


class DjangoOAuthToolkit(ForeignProvider):
    """Clients are added at a view of the tests' own."""

    @property
    def metadata(self) -> dict[str, Any]:
        """Its metadata, with that view in it."""
        return super().metadata | {"registration_endpoint": f"{self.issuer}/add-client/"}


@pytest.fixture(scope="session")
def django_oauth_toolkit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignProvider]:
    """One for all tests; register clients of your own where redirect URIs differ."""
    folder = tmp_path_factory.mktemp("django-oauth-toolkit")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.providers.dot", str(folder)]
    provider = DjangoOAuthToolkit(command, folder / "provider.log", environment)
    yield provider
    provider.stop()
