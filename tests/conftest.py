"""What every test may ask for, and what none depends on: how fast this machine is, and who started the tests."""

from __future__ import annotations

import signal

import hypothesis

pytest_plugins = [
    "tests.browser",
    "tests.dev_server",
    "tests.postgres",
    "tests.engine",
    "tests.providers.oidc_provider",
    "tests.providers.django_oauth_toolkit",
]

hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# A shell that starts something in the background has it ignore Ctrl-C, and its children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
