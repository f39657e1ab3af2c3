"""A token of a real sign-in opens the sample API, over http and over TLS, as far as its scope reaches and no further."""

from __future__ import annotations

import httpx2

from tests.dev_server import DevServer, StartDev
from tests.person import Person, client_of
from tests.relying_party import RelyingParty


async def statuses(server: DevServer, scope: str) -> tuple[httpx2.Response, httpx2.Response]:
    """What reading and writing lead to with a token of that scope."""
    async with Person(server) as alice, RelyingParty(server, "spa") as app, client_of(server) as http:
        tokens = await app.tokens_for(alice, scope=scope)
        headers = {"authorization": f"Bearer {tokens['access_token']}"}
        url = server.told["resource"]["url"]
        return await http.get(url, headers=headers), await http.post(url, headers=headers, json={"text": "hello"})


async def test_the_first_scope_reads_and_the_second_writes(dev: DevServer) -> None:
    reading, refused = await statuses(dev, "openid notes:read")
    assert (200, 403) == (reading.status_code, refused.status_code)
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    refused, writing = await statuses(dev, "openid notes:write")
    assert (403, 201, "hello") == (refused.status_code, writing.status_code, writing.json()["notes"][-1])


async def test_over_tls_the_api_trusts_the_local_authority(start_dev: StartDev) -> None:
    reading, writing = await statuses(start_dev("--tls"), "notes:read notes:write")
    assert (200, 201) == (reading.status_code, writing.status_code)


async def test_an_id_token_opens_nothing(dev: DevServer) -> None:
    async with Person(dev) as alice, RelyingParty(dev, "spa") as app, client_of(dev) as http:
        tokens = await app.tokens_for(alice)
        url = dev.told["resource"]["url"]
        answers = [
            await http.get(url, headers={"authorization": f"Bearer {tokens[name]}"})
            for name in ("id_token", "refresh_token")
        ]
    assert [401, 401] == [answer.status_code for answer in answers]
