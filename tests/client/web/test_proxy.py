"""The proxy to the application's APIs, by real sockets: what goes on, what comes back, and what does not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
import pytest_asyncio

from proofkey.client.web import Api, SignIn
from tests.client.web.browser import WebBrowser
from tests.client.web.sample_api import Reply, SampleApi, Sent, echo, payload_of, sample_api
from tests.client.web.web_app import browser_of, sign_in_at
from tests.dev_server import DevServer


@pytest.fixture
def notes() -> Iterator[SampleApi]:
    """The API, below a path of its own."""
    with sample_api() as api:
        yield api


@pytest_asyncio.fixture
async def proxied(web_dev: DevServer, notes: SampleApi) -> AsyncIterator[SignIn]:
    """The application in front of it."""
    apis = {"/api": Api(url=f"{notes.url}/v1", resource="http://127.0.0.1:1", max_request=200_000, max_response=50_000)}
    sign_in = sign_in_at(web_dev, apis=apis)
    yield sign_in
    await sign_in.close()


@pytest_asyncio.fixture
async def alice(proxied: SignIn) -> AsyncIterator[WebBrowser]:
    """Somebody who signed in."""
    async with browser_of(proxied) as browser:
        await browser.sign_in()
        yield browser


async def csrf(browser: WebBrowser) -> str:
    token: str = (await browser.session())["csrf"]
    return token


async def test_a_request_goes_on_with_the_token_of_the_api(alice: WebBrowser, notes: SampleApi) -> None:
    answer = await alice.fetch("GET", "/api/notes?q=a%20b&q=%2F", accept="application/json")
    [sent] = notes.sent
    assert (200, {"notes": []}) == (answer.status_code, answer.json())
    assert ("GET", "/v1/notes?q=a%20b&q=%2F") == (sent.method, sent.target)
    claims = json.loads(payload_of(sent.token))
    assert ("http://127.0.0.1:1", ["application/json"]) == (claims["aud"], sent.all("accept"))


async def test_nothing_is_asked_for_that_the_browser_did_not_ask_for(
    proxied: SignIn, alice: WebBrowser, notes: SampleApi
) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in alice.http.cookies.items())
    await raw(proxied, "GET", "/api/notes", "/api/notes", cookie)
    await raw(proxied, "GET", "/api/notes", "/api/notes", cookie, **{"accept-encoding": "br", "user-agent": "mine"})
    first, second = notes.sent
    assert (["identity"], ["br"]) == (first.all("accept-encoding"), second.all("accept-encoding"))
    assert (["proofkey"], ["mine"]) == (first.all("user-agent"), second.all("user-agent"))
    assert {"accept", "accept-encoding", "authorization", "connection", "host", "user-agent"} == {
        n for n, _ in first.headers
    }


async def test_nobody_s_request_stays_here(proxied: SignIn, notes: SampleApi) -> None:
    async with browser_of(proxied) as nobody:
        script = await nobody.fetch("GET", "/api/notes", accept="application/json")
        person = await nobody.go("/api/notes?q=1")
    assert [] == notes.sent
    assert (401, "/auth/login?return_to=%2F") == (script.status_code, script.json()["login"])
    assert (303, "/auth/login?return_to=%2Fapi%2Fnotes%3Fq%3D1") == (person.status_code, person.headers["location"])


async def test_cookies_credentials_and_words_of_other_proxies_stay_here(alice: WebBrowser, notes: SampleApi) -> None:
    smuggled = {
        "authorization": "Bearer mine",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "evil.example",
        "forwarded": "for=10.0.0.1",
        "x-real-ip": "10.0.0.1",
        "x_forwarded_for": "10.0.0.1",
        "connection": "keep-alive, x-private",
        "x-private": "1",
        "te": "trailers",
        "upgrade": "h2c",
        "proxy-authorization": "Basic YTpi",
        "x-http-method-override": "DELETE",
        "dpop": "mine",
        "referer": "https://app.example/secret",
        "host": "evil.example",
        "x-kept": "yes",
    }
    own = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", **smuggled}
    await alice.http.get(alice.at("/api/notes"), headers=own)
    [sent] = notes.sent
    names = {name for name, _ in sent.headers}
    assert set() == names & (set(smuggled) - {"authorization", "host", "connection", "x-kept"} | {"cookie"})
    assert (["yes"], 1) == (sent.all("x-kept"), len(sent.all("authorization")))
    assert (False, [notes.url.removeprefix("http://")]) == (sent.token == "mine", sent.all("host"))


@pytest.mark.parametrize(
    "path",
    [
        "/api/../admin",
        "/api/%2e%2e/admin",
        "/api/%2E./admin",
        "/api/./notes",
        "/api//evil.example/",
        "/api/a%2f..%2fadmin",
        "/api/a%5cb",
        "/api/a%00",
        "/api/a%0d%0aX:%201",
        "/%61pi/notes",
        "/api/a b",
        "/api/@evil.example\\",
        "/api/a\x7f",
    ],
)
async def test_a_path_with_two_readings_goes_nowhere(
    proxied: SignIn, alice: WebBrowser, notes: SampleApi, path: str
) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in alice.http.cookies.items())
    answer = await raw(proxied, "GET", path, unquote(path), cookie)
    assert ([], 400) == (notes.sent, answer["status"])
    assert b"[proxied_path_ambiguous]" in answer["body"]


async def raw(
    app: SignIn, method: str, raw_path: str, path: str, cookie: str, *, messages: Any = (), **more: str
) -> dict[str, Any]:
    """A request as a server hands it over, with a path no client would send."""
    headers = [(b"cookie", cookie.encode()), *((name.encode(), value.encode()) for name, value in more.items())]
    scope = {"type": "http", "method": method, "path": path, "raw_path": raw_path.encode("latin-1"), "headers": headers}
    left = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]
    told: dict[str, Any] = {"status": 0, "body": b"", "headers": []}

    async def receive() -> dict[str, object]:
        return left.pop(0)

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            told.update(status=message["status"], headers=message["headers"])
        else:
            told["body"] = told["body"] + message.get("body", b"")

    await app({**scope, "query_string": b""}, receive, send)  # type: ignore[arg-type]
    return told


async def test_what_changes_something_needs_the_csrf_token(alice: WebBrowser, notes: SampleApi) -> None:
    token = await csrf(alice)
    without = await alice.fetch("POST", "/api/notes", content=b"{}")
    foreign = await alice.fetch("POST", "/api/notes", content=b"{}", x_csrf_token=token, origin="https://evil.example")
    sibling = await alice.fetch("GET", "/api/notes", origin="https://other.app.example")
    opaque = await alice.fetch("DELETE", "/api/notes", x_csrf_token=token, origin="null", sec_fetch_site="")
    marked = await alice.http.get(alice.at("/api/notes"), headers={"sec-fetch-site": "same-site"})
    assert [403] * 5 == [each.status_code for each in (without, foreign, sibling, opaque, marked)]
    assert ("[csrf_token_differs]" in without.text, "[request_from_elsewhere]" in foreign.text) == (True, True)
    assert [] == notes.sent
    good = await alice.fetch("POST", "/api/notes", content=b'{"text": "hello"}', x_csrf_token=token)
    assert (200, b'{"text": "hello"}', []) == (good.status_code, notes.sent[0].body, notes.sent[0].all("x-csrf-token"))


async def test_a_person_may_follow_a_link_to_an_api(alice: WebBrowser, notes: SampleApi) -> None:
    answer = await alice.go("/api/notes/export", sec_fetch_site="cross-site")
    assert (200, 1) == (answer.status_code, len(notes.sent))
    policy = answer.headers["content-security-policy"]
    assert ("sandbox" in policy, "nosniff") == (True, answer.headers["x-content-type-options"])


async def test_large_bodies_are_streamed_and_bounded(alice: WebBrowser, notes: SampleApi) -> None:
    token = await csrf(alice)
    notes.reply = echo
    large = await alice.fetch("PUT", "/api/file", content=b"x" * 150_000, x_csrf_token=token)
    assert {"target": "/v1/file", "size": 150_000} == large.json()
    too_large = await alice.fetch("PUT", "/api/file", content=b"x" * 200_001, x_csrf_token=token)
    assert (413, True) == (too_large.status_code, "[proxied_body_too_large]" in too_large.text)


async def test_a_body_that_breaks_off_is_not_taken_for_whole(
    proxied: SignIn, alice: WebBrowser, notes: SampleApi
) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in alice.http.cookies.items())
    messages = [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]
    told = await raw(
        proxied, "POST", "/api/notes", "/api/notes", cookie, messages=messages, **{"x-csrf-token": await csrf(alice)}
    )
    assert ([], 400, True) == (notes.sent, told["status"], b"[proxied_body_incomplete]" in told["body"])


async def test_an_answer_without_end_is_cut(alice: WebBrowser, notes: SampleApi) -> None:
    notes.reply = lambda _sent: Reply(body=b"x" * 10_000, pieces=5)
    assert 50_000 == len((await alice.fetch("GET", "/api/file")).content)
    notes.reply = lambda _sent: Reply(body=b"x" * 10_000, pieces=6)
    with pytest.raises(ConnectionError):
        await alice.fetch("GET", "/api/file")


async def test_what_would_act_on_our_origin_does_not_come_back(alice: WebBrowser, notes: SampleApi) -> None:
    dangerous = {
        "set-cookie": "a=b",
        "access-control-allow-origin": "https://evil.example",
        "access-control-allow-credentials": "true",
        "clear-site-data": "*",
        "refresh": "0;url=https://evil.example",
        "service-worker-allowed": "/",
        "www-authenticate": "Basic realm=x",
        "content-security-policy": "default-src *",
        "connection": "x-private",
        "x-private": "1",
        "strict-transport-security": "max-age=1",
    }
    notes.reply = lambda _sent: Reply(headers=[*dangerous.items(), ("x-kept", "yes"), ("cache-control", "max-age=5")])
    answer = await alice.fetch("GET", "/api/notes")
    assert {"content-security-policy"} == set(answer.headers) & set(dangerous)
    assert ("yes", "private, max-age=5") == (answer.headers["x-kept"], answer.headers["cache-control"])
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ('Basic realm="a", Bearer error="insufficient_scope", Negotiate', 'Bearer error="insufficient_scope"'),
        ('DPoP realm="a \\"b\\"" ,Basic realm="a", bearer', 'DPoP realm="a \\"b\\"", bearer'),
        ('Bearer realm="é", scope=a', 'Bearer realm="é", scope="a"'),
        ("Negotiate", None),
    ],
)
async def test_no_challenge_comes_back_that_a_browser_would_ask_the_person_about(
    alice: WebBrowser, notes: SampleApi, sent: str, expected: str | None
) -> None:
    notes.reply = lambda _sent: Reply(401, [("www-authenticate", sent)])
    answer = await alice.fetch("GET", "/api/notes")
    assert (401, expected) == (answer.status_code, answer.headers.get("www-authenticate"))


async def test_redirects_come_back_and_take_no_token_along(alice: WebBrowser, notes: SampleApi) -> None:
    locations = {
        "/v1/notes/5?a=b": "/api/notes/5?a=b",
        f"{notes.url}/v1/notes/6": "/api/notes/6",
        "7": "/api/7",
        "https://elsewhere.example/x": "https://elsewhere.example/x",
        "/v2/notes": f"{notes.url}/v2/notes",
        "/v1//evil.example": f"{notes.url}/v1//evil.example",
    }
    for sent, expected in locations.items():
        notes.reply = lambda _sent, sent=sent: Reply(302, [("location", sent)])  # type: ignore[misc]
        answer = await alice.fetch("GET", "/api/notes")
        assert (302, expected) == (answer.status_code, answer.headers["location"])
    assert len(locations) == len(notes.sent), "none of them was followed"


async def test_a_refused_token_is_renewed_once_and_the_body_sent_again(alice: WebBrowser, notes: SampleApi) -> None:
    def refuse_first(sent: Sent) -> Reply:
        return Reply(401, [("www-authenticate", 'Bearer error="invalid_token"')]) if len(notes.sent) == 1 else Reply()

    notes.reply = refuse_first
    answer = await alice.fetch("POST", "/api/notes", content=b"kept", x_csrf_token=await csrf(alice))
    assert (200, [b"kept", b"kept"]) == (answer.status_code, [sent.body for sent in notes.sent])
    assert notes.sent[0].token != notes.sent[1].token


async def test_a_token_refused_twice_is_the_api_s_answer(alice: WebBrowser, notes: SampleApi) -> None:
    challenge = 'Bearer error="invalid_token"'
    notes.reply = lambda _sent: Reply(401, [("www-authenticate", challenge)])
    answer = await alice.fetch("GET", "/api/notes")
    assert (401, challenge, 2) == (answer.status_code, answer.headers["www-authenticate"], len(notes.sent))
    answer = await alice.fetch("GET", "/api/notes")
    assert (401, 3) == (answer.status_code, len(notes.sent)), "not again within a minute"
    assert notes.sent[1].token == notes.sent[2].token


@pytest.mark.parametrize(
    "challenges",
    [
        [],
        ["Basic realm=x"],
        ["Bearer"],
        ['Bearer realm="x", error_description="invalid_token"'],
        ['Bearer error="insufficient_scope", error_description="error=\\"invalid_token\\""'],
        ['Bearer error="invalid_request", error_description="use_dpop_nonce"'],
    ],
)
async def test_a_401_that_is_not_about_the_token_is_the_api_s_answer(
    alice: WebBrowser, notes: SampleApi, challenges: list[str]
) -> None:
    notes.reply = lambda _sent: Reply(401, [("www-authenticate", each) for each in challenges])
    answers = [await alice.fetch("GET", "/api/notes") for _ in range(2)]
    assert ([401, 401], 2) == ([each.status_code for each in answers], len(notes.sent))
    assert notes.sent[0].token == notes.sent[1].token


async def test_a_proxy_of_the_environment_never_sees_a_token(
    monkeypatch: pytest.MonkeyPatch, web_dev: DevServer, notes: SampleApi
) -> None:
    with sample_api() as eavesdropper:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, eavesdropper.url)
        app = sign_in_at(web_dev, apis={"/api": Api(url=notes.url, resource="http://127.0.0.1:1")})
        async with browser_of(app) as alice:
            await alice.sign_in()
            assert 200 == (await alice.fetch("GET", "/api/notes")).status_code
        await app.close()
        assert ([], 1) == (eavesdropper.sent, len(notes.sent))


async def test_an_api_that_is_gone_is_told_as_such(web_dev: DevServer) -> None:
    app = sign_in_at(web_dev, apis={"/api": Api(url="http://127.0.0.1:1")})
    async with browser_of(app) as alice:
        await alice.sign_in()
        answer = await alice.fetch("GET", "/api/notes")
        page = await alice.go("/api/notes")
    await app.close()
    assert (503, "5", False) == (page.status_code, page.headers["retry-after"], "not signed in" in page.text)
    assert (503, True, "5") == (answer.status_code, "[api_unreachable]" in answer.text, answer.headers["retry-after"])


async def test_methods_that_are_not_forwarded_are_refused(alice: WebBrowser, notes: SampleApi) -> None:
    for method in ("TRACE", "CONNECT", "OPTIONS", "PROPFIND"):
        assert 405 == (await alice.fetch(method, "/api/notes")).status_code
    assert [] == notes.sent


async def test_a_websocket_is_refused_clearly(proxied: SignIn) -> None:
    for extensions, expected in (
        ({}, "websocket.close"),
        ({"websocket.http.response": {}}, "websocket.http.response.start"),
    ):
        sent: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            return {"type": "websocket.connect"}

        async def send(message: dict[str, object], sent: list[dict[str, object]] = sent) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/api/feed", "headers": [], "extensions": extensions}
        await proxied(scope, receive, send)  # type: ignore[arg-type]
        assert expected == sent[0]["type"]
        assert b"not forwarded" in json.dumps(sent, default=str).encode()


def test_an_api_must_be_somewhere_safe() -> None:
    for url in ("http://api.example", "https://api.example/?q", "ftp://a", "https://u@api.example", "https://a/%2e"):
        with pytest.raises(ValueError, match="url must be"):
            Api(url=url)
    assert "http://api.internal:8000" == Api(url="http://api.internal:8000", inside=True).origin
