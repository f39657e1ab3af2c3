"""What every test of a web application may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from proofkey.client.web import SignIn
from tests.client.web.redis_server import redis_port, redis_url
from tests.client.web.web_app import REDIRECT_URI, declaration, sign_in_at
from tests.dev_server import DevServer, _starting


@pytest.fixture(scope="session")
def web_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """A server on which the application of these tests is registered."""
    folder = tmp_path_factory.mktemp("web-dev")
    (folder / "proofkey.yaml").write_text(declaration([REDIRECT_URI]), encoding="utf-8")
    for start in _starting(folder):
        yield start("--config", str(folder / "proofkey.yaml"))


@pytest_asyncio.fixture
async def app(web_dev: DevServer) -> AsyncIterator[SignIn]:
    """The application with sessions in memory."""
    sign_in = sign_in_at(web_dev)
    yield sign_in
    await sign_in.close()


__all__ = ["app", "redis_port", "redis_url", "web_dev"]
