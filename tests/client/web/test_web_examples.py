"""The examples, run as they are: each framework under its server, in front of a real issuer and a real API."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.web.browser import WebBrowser
from tests.client.web.example_app import EXAMPLES, PASSWORD, Registered, registered, running

UVICORN = ["uvicorn", "app:app", "--port", "PORT", "--log-level", "warning"]
GUNICORN = ["gunicorn", "--preload", "--workers", "2", "--threads", "4", "--bind", "127.0.0.1:PORT", "app:app"]
COMMANDS = {
    "web-starlette": UVICORN,
    "web-fastapi": [*UVICORN, "--workers", "2"],
    "web-django": UVICORN,
    "web-flask": GUNICORN,
}


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    yield from registered(tmp_path_factory.mktemp("examples"), list(COMMANDS))


@pytest.mark.parametrize("name", COMMANDS)
async def test_the_example_signs_in_calls_the_api_and_signs_out(
    at: Registered, name: str, tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    sessions = {"web-fastapi": redis_url, "web-django": postgres_url}.get(name, str(tmp_path / "sessions.db"))
    log = tmp_path / "server.log"
    with running(at, name, COMMANDS[name], sessions, log) as origin:
        async with WebBrowser(None, origin, password=PASSWORD) as alice:
            await walk_through(alice, name)
    said = log.read_text()
    assert "Traceback" not in said, said
    assert "Warning" not in said, said


async def walk_through(alice: WebBrowser, name: str) -> None:
    """What a person does in every one of them."""
    assert "/static/notes.js" in (await alice.go("/")).text
    assert 200 == (await alice.go("/static/notes.js")).status_code
    asked = await alice.fetch("GET", "/profile", accept="application/json")
    assert (401, True) == (asked.status_code, "/auth/login" in asked.text)
    profile = await alice.follow(await alice.go("/profile"))
    assert (200, "Alice Adler") == (profile.status_code, profile.json()["name"])
    token = (await alice.session())["csrf"]
    assert 403 == (await alice.fetch("POST", "/api/notes", content=b"{}")).status_code
    written = await alice.fetch(
        "POST", "/api/notes", content=b'{"text": "Water"}', content_type="application/json", x_csrf_token=token
    )
    assert (201, "Water") == (written.status_code, written.json()["notes"][-1])
    read = await asyncio.gather(*(alice.fetch("GET", "/api/notes") for _ in range(10)))
    assert [200] * 10 == [each.status_code for each in read]
    assert "Water" in read[0].text
    if name in ("web-fastapi", "web-flask"):
        assert (await alice.go("/count")).json() >= 2
    out = await alice.fetch("POST", "/auth/logout", x_csrf_token=token)
    ended = await alice.follow(await alice.go(out.json()["location"]))
    assert (200, {"signed_in": False}) == (ended.status_code, await alice.session())
    assert 401 == (await alice.fetch("GET", "/api/notes", accept="application/json")).status_code


def test_the_example_s_environment_names_what_the_examples_read() -> None:
    given = set(
        re.findall(r"^([A-Z_]+)=", (EXAMPLES / "web-page" / "example.env").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for name in COMMANDS:
        read = set(re.findall(r'environ\["(\w+)"\]', (EXAMPLES / name / "app.py").read_text(encoding="utf-8")))
        assert given == read, name
