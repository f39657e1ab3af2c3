"""Methods, types, sizes and origins: what is decided before, and added after, any protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engine import APP, ISSUER, PUBLIC_URL, Deployment, credentials, reasons

CLIENT_PATHS = ["oauth2/token", "oauth/token", "oauth2/revoke", "oauth2/introspect", "oauth2/userinfo"]
PERSON_PATHS = ["oauth2/authorize", "authorize", "login", "consent", "oauth2/logout"]
METADATA_PATHS = [
    ".well-known/openid-configuration",
    ".well-known/oauth-authorization-server",
    ".well-known/jwks.json",
]
SHARED = ["oauth2/token", "oauth/token", "oauth2/revoke", "oauth2/userinfo"]


# --- methods -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize("path", [*CLIENT_PATHS, *PERSON_PATHS, *METADATA_PATHS])
async def test_another_method_is_405_and_says_which_are_allowed(deployment: Deployment, path: str, method: str) -> None:
    answer = await deployment.client().request(method, path)
    assert 405 == answer.status_code
    assert answer.headers["allow"].endswith("OPTIONS")
    if path in CLIENT_PATHS:
        assert "This address does not answer that method [method_not_allowed]" == answer.json()["error_description"]
    if path in PERSON_PATHS:
        assert "text/html; charset=utf-8" == answer.headers["content-type"]


@pytest.mark.parametrize("path", ["oauth2/token", "oauth2/revoke", "oauth2/introspect"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_get_on_a_post_endpoint_is_405(deployment: Deployment, method: str, path: str) -> None:
    answer = await deployment.client().request(method, path, params={"grant_type": "authorization_code"})
    assert (405, "POST, OPTIONS") == (answer.status_code, answer.headers["allow"])


@pytest.mark.parametrize("path", [*CLIENT_PATHS, *PERSON_PATHS, *METADATA_PATHS])
async def test_options_says_what_is_allowed(deployment: Deployment, path: str) -> None:
    answer = await deployment.client().options(path)
    assert (204, b"") == (answer.status_code, answer.content)
    assert "OPTIONS" in answer.headers["allow"]


@pytest.mark.parametrize(
    "address",
    [
        f"{PUBLIC_URL}/",
        f"{PUBLIC_URL}/demo",
        f"{PUBLIC_URL}/demo/main",
        f"{ISSUER}/",
        f"{ISSUER}/oauth2",
        f"{ISSUER}/oauth2/token/",
        f"{ISSUER}/oauth2/Token",
        f"{PUBLIC_URL}/demo/other/oauth2/token",
        f"{PUBLIC_URL}/Demo/main/oauth2/token",
        f"{PUBLIC_URL}//main/oauth2/token",
        f"{PUBLIC_URL}/de%00mo/main/oauth2/token",
        f"{PUBLIC_URL}/demo/ma%0Ain/oauth2/token",
        f"{PUBLIC_URL}/%ff/main/oauth2/token",
        f"{PUBLIC_URL}/.well-known/openid-configuration",
        f"{PUBLIC_URL}/.well-known/openid-configuration/demo",
        f"{PUBLIC_URL}/.well-known/openid-configuration/demo/main/more",
        f"{PUBLIC_URL}/{'x' * 5000}/main/oauth2/token",
    ],
)
async def test_an_address_where_nothing_is_is_404(deployment: Deployment, address: str) -> None:
    for method in ("GET", "POST"):
        answer = await deployment.client().request(method, address)
        assert (404, "application/json", "not_found") == (
            answer.status_code,
            answer.headers["content-type"],
            answer.json()["error"],
        )


async def test_that_no_metadata_are_there_may_be_read_from_anywhere(deployment: Deployment) -> None:
    """An app whose issuer lacks its tenant is told so, instead of hearing of CORS."""
    for path in ("/main/.well-known/openid-configuration", "/.well-known/openid-configuration/main"):
        answer = await deployment.client().get(f"{PUBLIC_URL}{path}", headers={"origin": "https://app.example"})
        assert (404, "*") == (answer.status_code, answer.headers.get("access-control-allow-origin"))
    elsewhere = await deployment.client().get(
        f"{PUBLIC_URL}/main/oauth2/token", headers={"origin": "https://app.example"}
    )
    assert (404, False) == (elsewhere.status_code, "access-control-allow-origin" in elsewhere.headers)


async def test_a_name_no_workspace_can_have_never_reaches_the_database(deployment: Deployment) -> None:
    asked: list[str] = []
    find = deployment.store.find_workspace

    async def watched(tenant: str, slug: str) -> Any:
        asked.append(tenant)
        return await find(tenant, slug)

    deployment.app.engine.directory._store.find_workspace = watched  # type: ignore[method-assign]
    for tenant in ("de%00mo", "DEMO", "%ff", "x" * 64, "-", "a_b"):
        assert 404 == (await deployment.client().get(f"{PUBLIC_URL}/{tenant}/main/.well-known/jwks.json")).status_code
    assert [] == asked


async def test_health_answers_outside_any_issuer(deployment: Deployment) -> None:
    for path, body in (("/healthz", {"status": "ok"}), ("/readyz", {"status": "ready"})):
        answer = await deployment.client().get(f"{PUBLIC_URL}{path}")
        assert (200, body) == (answer.status_code, answer.json())


# --- types and sizes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["oauth2/token", "oauth2/revoke", "oauth2/introspect", "login", "consent", "authorize"]
)
@pytest.mark.parametrize(
    "content_type", [None, "application/json", "multipart/form-data; boundary=x", "text/plain", ";"]
)
async def test_a_body_that_is_no_form_is_415(deployment: Deployment, path: str, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await deployment.client().post(path, content=json.dumps({"grant_type": "x"}), headers=headers)
    assert 415 == answer.status_code
    assert b"body_not_a_form" in answer.content


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded;charset=UTF-8",
        "application/x-www-form-urlencoded ; charset=utf-8",
        "APPLICATION/X-WWW-FORM-URLENCODED",
    ],
)
async def test_a_form_is_known_by_its_type_whatever_follows(deployment: Deployment, content_type: str) -> None:
    answer = await deployment.token(b"grant_type=x&client_id=spa", content_type=content_type)
    assert "unsupported_grant_type" == answer.json()["error"]


@pytest.mark.parametrize("path", ["oauth2/token", "oauth2/userinfo", "oauth2/authorize", "login", "oauth2/logout"])
@pytest.mark.parametrize("declares", [True, False])
async def test_a_body_over_the_limit_is_413(deployment: Deployment, path: str, declares: bool) -> None:
    async def chunks() -> Any:
        for _ in range(16):
            yield b"x" * 65_536

    headers = {"content-type": "application/x-www-form-urlencoded"}
    body: Any = b"x" * 1_048_576 if declares else chunks()
    answer = await deployment.client().post(path, content=body, headers=headers)
    assert 413 == answer.status_code
    assert "close" == answer.headers["connection"]
    assert b"body_too_large" in answer.content


async def test_one_chunk_over_the_limit_is_413_too(deployment: Deployment) -> None:
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": b"grant_type=x&" + b"y" * 65_536, "more_body": False}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    await deployment.app(_scope("POST", "/demo/main/oauth2/token"), receive, send)
    assert 413 == sent[0]["status"]


@pytest.mark.parametrize("length", [b"-1", b"x", b"1e3", b"9" * 5000, "\u0663".encode(), b""])
async def test_a_content_length_that_is_no_number_is_refused(deployment: Deployment, length: bytes) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = _scope("POST", "/demo/main/oauth2/token")
    scope["headers"].append((b"content-length", length))
    await deployment.app(scope, receive, send)
    assert sent[0]["status"] in (400, 413)


async def test_a_form_whose_sender_hung_up_halfway_is_not_acted_upon(deployment: Deployment, log: list[Any]) -> None:
    body = "&".join(f"{name}={value}" for name, value in credentials("service").items()).encode()
    messages = iter(
        [
            {"type": "http.request", "body": b"grant_type=client_credentials&" + body, "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    await deployment.app(_scope("POST", "/demo/main/oauth2/token"), receive, send)
    assert 400 == sent[0]["status"]
    assert ["body_incomplete"] == reasons(log)


def _scope(method: str, path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
        "client": ("192.0.2.7", 1),
    }


@pytest.mark.parametrize("path", ["oauth2/authorize", "oauth2/logout"])
async def test_a_query_over_the_limit_is_refused_on_a_page(deployment: Deployment, path: str) -> None:
    answer = await deployment.client().get(path, params={"x": "y" * 8192})
    assert (400, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert b"query_too_long" in answer.content


@pytest.mark.parametrize("path", ["oauth2/authorize", "login", "consent", "oauth2/logout"])
async def test_too_many_parameters_are_refused_on_a_page(deployment: Deployment, path: str) -> None:
    form = b"a=1&" * 300
    browser = deployment.browser()
    await browser.ask({})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await browser.http.post(path, content=form, headers=headers, follow_redirects=True)
    assert (400, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])


# --- origins (Fetch, CORS protocol) --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHARED)
@pytest.mark.parametrize("asked", ["auth0-client,content-type", "dpop", "authorization", "x-anything-1"])
async def test_a_preflight_echoes_the_requested_headers(deployment: Deployment, path: str, asked: str) -> None:
    headers = {"origin": APP, "access-control-request-method": "POST", "access-control-request-headers": asked}
    answer = await deployment.client().options(path, headers=headers)
    assert (204, APP, asked) == (
        answer.status_code,
        answer.headers["access-control-allow-origin"],
        answer.headers["access-control-allow-headers"],
    )
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("path", SHARED)
async def test_errors_can_be_read_from_a_registered_origin(deployment: Deployment, path: str) -> None:
    http = deployment.client()
    for answer in (
        await http.post(path, data={"x": "y"}, headers={"origin": APP}),
        await http.post(path, content=b"{}", headers={"origin": APP, "content-type": "application/json"}),
        await http.put(path, headers={"origin": APP}),
    ):
        assert answer.status_code >= 400
        assert (APP, "WWW-Authenticate") == (
            answer.headers["access-control-allow-origin"],
            answer.headers["access-control-expose-headers"],
        )


@pytest.mark.parametrize("path", SHARED)
@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://app.example.evil.example", "https://APP.example", f"{APP}/", "*"],
)
async def test_an_unregistered_origin_gets_nothing(deployment: Deployment, path: str, origin: str) -> None:
    headers = {"origin": origin, "access-control-request-method": "POST"}
    for answer in (
        await deployment.client().options(path, headers=headers),
        await deployment.client().post(path, data={}, headers=headers),
    ):
        assert "access-control-allow-origin" not in answer.headers
        assert "access-control-allow-credentials" not in answer.headers
        assert "Origin" == answer.headers["vary"]


async def test_credentials_are_allowed_at_the_token_endpoint_alone(deployment: Deployment) -> None:
    allowed = {}
    for path in [*CLIENT_PATHS, *PERSON_PATHS, *METADATA_PATHS]:
        answer = await deployment.client().options(path, headers={"origin": APP})
        allowed[path] = answer.headers.get("access-control-allow-credentials")
    assert {"oauth2/token": "true", "oauth/token": "true"} == {path: said for path, said in allowed.items() if said}


@pytest.mark.parametrize("path", METADATA_PATHS)
async def test_metadata_are_for_everybody(deployment: Deployment, path: str) -> None:
    headers = {"origin": "https://anybody.example", "access-control-request-headers": "mcp-protocol-version"}
    assert "*" == (await deployment.client().get(path, headers=headers)).headers["access-control-allow-origin"]
    preflight = await deployment.client().options(path, headers=headers)
    assert ("*", "mcp-protocol-version") == (
        preflight.headers["access-control-allow-origin"],
        preflight.headers["access-control-allow-headers"],
    )


@pytest.mark.parametrize("path", [*PERSON_PATHS, "oauth2/introspect"])
async def test_pages_and_introspection_are_for_nobody(deployment: Deployment, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = await deployment.client().request(method, path, headers={"origin": APP})
        assert [] == [name for name in answer.headers if name.startswith("access-control-")]
