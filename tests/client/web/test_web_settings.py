"""What a sign-in is made of: choices that cannot be, and what it makes of those left out."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from proofkey.client.web import Api, MemoryStore, SignIn, require_login
from tests.client.web.web_app import ORIGIN, REDIRECT_URI, greet

NOTES, FILES = "https://notes.example", "https://files.example"


def sign_in_of(**changed: Any) -> SignIn:
    settings = {"issuer": "https://login.example", "client_id": "web", "client_secret": "s", "store": MemoryStore()}
    return SignIn(greet, redirect_uri=REDIRECT_URI, **{**settings, **changed})


def test_the_first_api_that_says_whom_it_is_for_has_the_sign_in_s_token() -> None:
    for apis, expected in (
        ({"/a": Api(url=NOTES), "/b": Api(url=f"{NOTES}/b", resource=NOTES)}, NOTES),
        ({"/a": Api(url=NOTES, resource=NOTES), "/b": Api(url=FILES, resource=FILES)}, NOTES),
        ({"/a": Api(url=NOTES), "/b": Api(url=FILES)}, None),
        ({}, None),
    ):
        assert expected == sign_in_of(apis=apis)._opening.settings.resource


@pytest.mark.parametrize(
    "changed",
    [
        {"apis": {"/a": Api(url=NOTES, resource=NOTES), "/b": Api(url=FILES)}},
        {"apis": {"/a": Api(url=FILES), "/b": Api(url=NOTES, resource=NOTES)}},
        {"apis": {"/a": Api(url=FILES)}, "resource": NOTES},
        {"apis": {"/a": Api(url=NOTES)}, "resource": "urn:notes"},
        {"apis": {"/a": Api(url=f"{NOTES}:8443")}, "resource": NOTES},
    ],
)
def test_no_server_gets_a_token_for_another(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give it a resource"):
        sign_in_of(**changed)


def test_who_gives_no_store_is_told_what_that_means(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "proofkey.client.web")
    sign_in_of()
    assert "" == caplog.text
    sign_in_of(store=None)
    assert "no store is given" in caplog.text


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"issuer": "http://login.example"}, "issuer must be https"),
        ({"issuer": "https://login.example?x"}, "issuer must be https"),
        ({"issuer": ""}, "issuer must be https"),
        ({"client_id": ""}, "client_id"),
        ({"client_secret": ""}, "client_secret"),
        ({"response_mode": "fragment"}, "response_mode must be one of query, form_post"),
        ({"scope": ["openid"]}, "scope must be one text"),
        ({"scope": "profile"}, "holds openid"),
        ({"idle_for": 8 * 3_600}, "idle_for is milliseconds"),
        ({"absolute_for": 59_999}, "absolute_for is milliseconds"),
        ({"transaction_for": 900}, "transaction_for is milliseconds"),
        ({"after_logout": "bye"}, "after_logout must be a path"),
        ({"after_logout": "//evil.example"}, "after_logout must be a path"),
    ],
)
def test_what_could_not_work_stops_the_start(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        sign_in_of(**changed)


def test_an_option_that_there_is_not_is_named() -> None:
    with pytest.raises(TypeError, match="SignIn has no option idle"):
        sign_in_of(idle=5)


async def test_a_path_in_front_of_the_application_that_its_redirect_uri_does_not_have_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = sign_in_of()
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        told.append(message)

    for path in ("/app/notes", "/app/auth/login", "/app/auth/login"):
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": path,
            "root_path": "/app",
            "query_string": b"",
            "headers": [],
        }
        await app(scope, receive, send)
    await app.close()
    assert 1 == caplog.text.count("the application stands below /app, but redirect_uri does not")


async def test_a_websocket_of_nobody_is_closed() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    guarded = SignIn(
        require_login(greet),
        issuer="https://login.example",
        client_id="web",
        client_secret="s",
        redirect_uri=REDIRECT_URI,
        store=MemoryStore(),
    )
    await guarded({"type": "websocket", "path": "/feed", "headers": [(b"origin", ORIGIN.encode())]}, receive, send)
    await guarded.close()
    assert [{"type": "websocket.close", "code": 1008}] == sent


async def test_json_speaks_of_no_pages() -> None:
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        told.append(message)

    app = sign_in_of()
    scope = {"type": "http", "method": "GET", "path": "/auth/callback", "query_string": b"", "headers": []}
    await app(scope, receive, send)
    await app.close()
    assert (400, True) == (told[0]["status"], b'"error": "invalid_request"' in told[1]["body"])
