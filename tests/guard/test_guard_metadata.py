"""What an API says of itself: protected resource metadata, and the challenges that lead there (RFC 9728)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proofkey.guard import Guard, ResourceServer, protect, require
from proofkey.guard.asgi import read_request
from proofkey.guard.challenge import Answer
from proofkey.guard.request import TokenMissing
from tests.guard.asking import asking

ISSUERS = ["https://issuer.example/acme/main", "https://login.example"]


async def ask(guard: Guard, path: str, method: str = "GET", **scope: Any) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what *guard* answers."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("no body is read")

    asked = {"type": "http", "method": method, "path": path, "headers": [(b"host", b"thief.example")], **scope}
    await guard(asked, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:])


async def nobody(scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError(f"{scope['path']} came through")


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("https://api.example", "/.well-known/oauth-protected-resource"),
        ("https://api.example/", "/.well-known/oauth-protected-resource"),
        ("https://api.example/v1/notes", "/.well-known/oauth-protected-resource/v1/notes"),
        ("https://api.example/v1/", "/.well-known/oauth-protected-resource/v1/"),
    ],
)
async def test_the_metadata_stand_where_rfc_9728_puts_them(resource: str, path: str) -> None:
    server = ResourceServer(ISSUERS, audience=resource, scopes_supported="notes:write notes:read")
    guard = Guard(nobody, server, require("notes:read"))
    status, headers, body = await ask(guard, path)
    assert (200, "application/json", "*") == (status, headers["content-type"], headers["access-control-allow-origin"])
    assert {
        "resource": resource,
        "authorization_servers": ISSUERS,
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["notes:read", "notes:write"],
    } == json.loads(body)


async def test_the_challenge_leads_to_the_metadata_and_not_to_the_host_that_was_asked() -> None:
    guard = protect(nobody, issuer=ISSUERS, audience="https://api.example/v1", scopes=["notes:read"])
    status, headers, _ = await ask(guard, "/v1/notes")
    expected = (
        'Bearer realm="https://api.example/v1", scope="notes:read", '
        'resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1"'
    )
    assert (401, expected) == (status, headers["www-authenticate"])
    assert "thief" not in str(headers)


async def test_a_head_request_is_answered_without_a_body() -> None:
    guard = protect(nobody, issuer=ISSUERS, audience="https://api.example")
    status, headers, body = await ask(guard, "/.well-known/oauth-protected-resource", "HEAD")
    assert (200, b"", True) == (status, body, int(headers["content-length"]) > 0)


async def test_other_methods_and_other_paths_are_guarded() -> None:
    guard = protect(nobody, issuer=ISSUERS, audience="https://api.example/v1")
    for method, path in (
        ("POST", "/.well-known/oauth-protected-resource/v1"),
        ("GET", "/.well-known/oauth-protected-resource"),
        ("GET", "/.well-known/oauth-protected-resource/v1/../../notes"),
    ):
        assert 401 == (await ask(guard, path, method))[0]


async def test_an_api_whose_identifier_is_no_url_has_none() -> None:
    server = ResourceServer(ISSUERS, audience="notes-api")
    assert (None, "") == (server.metadata_path, server.url_of(""))
    with pytest.raises(ValueError, match="identifier"):
        server.metadata()
    refusal = TokenMissing("access_token_missing", "-")
    assert 'Bearer realm="notes-api"' == dict(server.challenge(refusal, asking()).headers)["www-authenticate"]


async def test_a_resource_of_its_own_name_is_announced() -> None:
    server = ResourceServer(ISSUERS, audience="notes-api", resource="https://api.example/notes")
    assert "https://api.example/notes" == json.loads(server.metadata().body)["resource"]
    assert "https://api.example/x" == server.url_of("/x")


@pytest.mark.parametrize("resource", ["http://api.example", "https://api.example#f", "notes", "https://a@b"])
def test_a_resource_is_a_safe_address(resource: str) -> None:
    with pytest.raises(ValueError, match="resource"):
        ResourceServer(ISSUERS, audience="a", resource=resource)


def test_an_answer_is_whole() -> None:
    answer = ResourceServer(ISSUERS, audience="https://api.example").metadata()
    assert isinstance(answer, Answer)
    assert str(len(answer.body)) == dict(answer.headers)["content-length"]


async def test_a_websocket_is_told_why_where_the_server_can() -> None:
    guard = protect(nobody, issuer=ISSUERS, audience="https://api.example")
    status, headers, _ = await ask(guard, "/ws", type="websocket", extensions={"websocket.http.response": {}})
    assert (401, True) == (status, "resource_metadata" in headers["www-authenticate"])


async def test_what_is_required_may_depend_on_the_request() -> None:
    def required(scope: Any) -> Any:
        return require("notes:write" if scope["method"] == "POST" else "notes:read")

    guard = Guard(nobody, ResourceServer(ISSUERS, audience="https://api.example"), required)
    for method, scope in (("GET", "notes:read"), ("POST", "notes:write")):
        assert f'scope="{scope}"' in (await ask(guard, "/notes", method))[1]["www-authenticate"]


@pytest.mark.parametrize(
    ("scope", "url"),
    [
        ({"path": "/a b", "raw_path": b"/a%20b"}, "https://api.example/a%20b"),
        ({"path": "/a/b", "raw_path": b"/a%2Fb"}, "https://api.example/a%2Fb"),
        ({"path": "/é", "raw_path": None}, "https://api.example/%C3%A9"),
        ({"path": "/v1/notes;x=1,2"}, "https://api.example/v1/notes;x=1,2"),
        ({"path": "/notes", "query_string": b"a=b", "raw_path": b"/notes"}, "https://api.example/notes"),
    ],
)
def test_the_address_of_a_request_is_the_public_one_and_the_path_as_sent(scope: dict[str, Any], url: str) -> None:
    server = ResourceServer(ISSUERS, audience="https://api.example")
    sent = {"type": "http", "method": "GET", "headers": [(b"host", b"thief.example")], **scope}
    assert url == read_request(sent, server).url


def test_the_public_address_may_have_a_path_that_a_proxy_takes_off() -> None:
    server = ResourceServer(ISSUERS, audience="notes-api", public_url="https://api.example/v1/")
    assert "https://api.example/v1/notes" == server.url_of("/notes")
