"""Where the playground is: in the demo, and with a file of one's own that has an application for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, expect

from proofkey.demo.samples import asked_scope, playground_client
from proofkey.demo.seed import DemoSecrets, demo_schema
from proofkey.server.tenancy.declaration import declare
from proofkey.server.tenancy.declared import DeclaredWorkspace
from tests.browser import PHONE, window
from tests.cli.test_dev import free_ports
from tests.demo.reader import Reader
from tests.dev_server import StartDev

pytestmark = pytest.mark.asyncio(loop_scope="session")

APP = "http://127.0.0.1:8401"
FILE = """
tenants:
  acme:
    workspaces:
      main:
        lifetimes: {code: 30s, access_token: 2m, refresh_leeway: 5s}
        apis:
          - audience: https://orders.acme.example
            name: Orders
            scopes: {"orders:read": See orders, "orders:write": Place orders}
        applications:
          playground:
            kind: spa
            client_id: walk
            redirect_uris: ["http://127.0.0.1:PORT/playground/callback"]
            scopes: [openid, offline_access, "orders:read"]
        people:
          alice: {password: correct horse}
"""


def workspace(**changed: Any) -> DeclaredWorkspace:
    """The demo's workspace, its application `playground` changed."""
    secrets = DemoSecrets({"web": "w" * 43, "service": "s" * 43}, {"alice": "correct horse", "bob": "correct horse"})
    schema = demo_schema(secrets, app_url=APP, api_url="http://127.0.0.1:8402")
    applications = schema.tenants["demo"].workspaces["main"].applications
    applications["playground"] = replace(applications["playground"], **changed)
    return declare(schema, resolve=str, development=True).workspaces[0]


async def test_the_demo_has_an_application_for_it() -> None:
    client = playground_client(workspace(), APP)
    assert client is not None
    assert ("playground", "spa", (f"{APP}/playground/callback",)) == (client.id, client.kind, client.redirect_uris)
    assert "openid profile email notes:read" == asked_scope(client)


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uris": [f"{APP}/playground/callback/"]},
        {"redirect_uris": ["http://127.0.0.1:9/playground/callback"]},
        {"disabled": True},
        {"scopes": ["profile", "notes:read"]},
        {"scopes": ["openid", "notes:write"], "default_scope": []},
        {"grant_types": ["authorization_code"]},
    ],
)
async def test_an_application_that_cannot_walk_to_the_end_is_none(changed: dict[str, Any]) -> None:
    assert playground_client(workspace(**changed), APP) is None


async def test_with_a_file_the_walk_is_that_of_its_application(
    browser: Browser, start_dev: StartDev, tmp_path: Path
) -> None:
    port = free_ports()
    file = tmp_path / "proofkey.yaml"
    file.write_text(FILE.replace("PORT", str(port + 1)))
    server = start_dev("--port", str(port), "--config", str(file))
    assert (None, f"http://127.0.0.1:{port + 1}/playground") == (server.told["app"], server.told["playground"])
    async with httpx2.AsyncClient(trust_env=False) as http:
        statuses = [
            (await http.get(f"http://127.0.0.1:{port + 1}{path}")).status_code for path in ("/", "/config.json")
        ]
    assert [404, 404] == statuses
    async with window(browser, width=PHONE) as context:
        reader = await Reader.open(server, context)
        await expect(reader.page.get_by_role("link", name="Sample app")).to_be_hidden()
        await reader.walk_to(11)
        await expect(reader.page.locator("#panel-body .paper li")).to_have_count(1)
        await reader.look_at(8)
        await expect(reader.page.locator("#panel-body")).to_contain_text("issuer's own, and walk asked for it")
        card = await reader.attack("replayed_code")
        told = [await reader.page.locator("#panel-body").inner_text(), await card.inner_text()]
        told += [await (await reader.attack("replayed_refresh_token")).inner_text()]
        for words, expected in zip(
            told, ("younger than 30 seconds", "at most 2 minutes", "within 5 seconds"), strict=True
        ):
            assert expected in words
        assert [] == [words for words in told if re.search(r"\{\w|sixty|ten seconds|five minutes", words)]
        assert [] == reader.complaints


async def test_with_a_file_without_it_there_is_none(start_dev: StartDev, tmp_path: Path) -> None:
    port = free_ports()
    file = tmp_path / "proofkey.yaml"
    file.write_text(FILE.replace("PORT", str(port + 1)).replace("playground:", "spa:"))
    server = start_dev("--port", str(port), "--config", str(file))
    assert (None, None) == (server.told["app"], server.told["playground"])
