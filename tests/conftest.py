"""What every test may ask for."""

from __future__ import annotations

pytest_plugins = [
    "tests.browser",
    "tests.dev_server",
    "tests.postgres",
    "tests.engine",
    "tests.providers.oidc_provider",
    "tests.providers.django_oauth_toolkit",
]
