"""The sample API and the sample app's server: what they let through, to whom, and what a browser may read of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from proofkey.clock import wall_clock
from proofkey.demo.api import create_demo_api
from proofkey.demo.app import create_demo_app
from tests.guard.sample_issuer import SampleIssuer
from tests.listening import bind, listening, url_of

APP = "http://127.0.0.1:9"


@dataclass
class Notes:
    """The sample API that answers, and the issuer it believes."""

    url: str
    issuer: SampleIssuer

    def ask(
        self, method: str, *, scope: str | None = None, origin: str | None = None, **options: object
    ) -> httpx2.Response:
        headers = {"origin": origin} if origin else {}
        if scope is not None:
            token = self.issuer.token(now=wall_clock(), aud=self.url, scope=scope)
            headers["authorization"] = f"Bearer {token}"
        headers.update(options.pop("headers", {}))  # type: ignore[call-overload]
        with httpx2.Client(trust_env=False) as client:
            return client.request(method, f"{self.url}{options.pop('path', '/notes')}", headers=headers, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def notes() -> Iterator[Notes]:
    listener, api_listener = bind(), bind()
    issuer = SampleIssuer(f"{url_of(listener)}/demo/main")
    api = create_demo_api(issuer=issuer.issuer, audience=url_of(api_listener), app_origin=APP)
    with listening(issuer, listener), listening(api, api_listener) as url:
        yield Notes(url, issuer)


def test_reading_takes_the_first_scope_and_writing_the_second(notes: Notes) -> None:
    statuses = {
        (method, scope): notes.ask(method, scope=scope, json={"text": "milk"} if method == "POST" else None).status_code
        for method in ("GET", "POST")
        for scope in ("notes:read", "notes:write", "notes:read notes:write")
    }
    expected = {
        ("GET", "notes:read"): 200,
        ("GET", "notes:write"): 403,
        ("GET", "notes:read notes:write"): 200,
        ("POST", "notes:read"): 403,
        ("POST", "notes:write"): 201,
        ("POST", "notes:read notes:write"): 201,
    }
    assert expected == statuses


def test_a_note_is_there_afterwards(notes: Notes) -> None:
    notes.ask("POST", scope="notes:write", json={"text": " Grüße \N{SNOWMAN} "})
    assert notes.ask("GET", scope="notes:read").json()["notes"][-1] == "Grüße \N{SNOWMAN}"


def test_the_oldest_notes_go_first(notes: Notes) -> None:
    for number in range(55):
        notes.ask("POST", scope="notes:write", json={"text": f"note {number}"})
    kept = notes.ask("GET", scope="notes:read").json()["notes"]
    assert (50, "note 5", "note 54") == (len(kept), kept[0], kept[-1])


@pytest.mark.parametrize(
    ("status", "content", "media_type"),
    [
        (400, b"", "application/json"),
        (400, b"[]", "application/json"),
        (400, b'{"text": ""}', "application/json"),
        (400, b'{"text": 7}', "application/json"),
        (400, b'{"text": "' + b"a" * 501 + b'"}', "application/json"),
        (400, b"[" * 8_000, "application/json"),
        (400, b'{"text": "\xff"}', "application/json; charset=utf-8"),
        (201, b'{"text": "\\ud800"}', "application/json"),
        (413, b"a" * 9_000, "application/json"),
        (415, b"text=a", "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_note_is_refused(notes: Notes, status: int, content: bytes, media_type: str) -> None:
    answer = notes.ask("POST", scope="notes:write", content=content, headers={"content-type": media_type})
    assert status == answer.status_code
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize(
    "origin", [APP, "http://127.0.0.1:10", "http://localhost:8000", "https://[::1]", "http://localhost"]
)
def test_the_app_and_pages_of_this_machine_may_read_answers_and_refusals(notes: Notes, origin: str) -> None:
    for answer in (notes.ask("GET", scope="notes:read", origin=origin), notes.ask("GET", origin=origin)):
        assert origin == answer.headers["access-control-allow-origin"]
        assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
        assert ("Origin", False) == (answer.headers["vary"], "access-control-allow-credentials" in answer.headers)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://127.0.0.1:9.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1.nip.example:80",
        "http://evil.example",
    ],
)
def test_no_other_origin_may(notes: Notes, origin: str) -> None:
    for method, headers in (("GET", {}), ("OPTIONS", {"access-control-request-method": "GET"})):
        answer = notes.ask(method, scope="notes:read", origin=origin, headers=headers)
        assert [] == [name for name in answer.headers if name.startswith("access-control")]


def test_a_preflight_needs_no_token_and_hears_its_headers_again(notes: Notes) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-trace"}
    answer = notes.ask("OPTIONS", origin=APP, headers=asked)
    told = {name.removeprefix("access-control-allow-"): value for name, value in answer.headers.items()}
    assert (204, APP, "authorization,x-trace", "GET, POST") == (
        answer.status_code,
        told["origin"],
        told["headers"],
        told["methods"],
    )


def test_other_methods_and_paths_have_their_status(notes: Notes) -> None:
    refused = notes.ask("DELETE", scope="notes:read")
    assert (405, "GET, HEAD, POST") == (refused.status_code, refused.headers["allow"])
    assert (200, 404) == tuple(notes.ask("GET", path=path).status_code for path in ("/", "/other"))


@pytest.fixture(scope="module")
def app_url() -> Iterator[str]:
    app = create_demo_app(
        issuer="http://localhost:7/demo/main", api_url="http://127.0.0.1:8", client_id="spa", app_url=f"{APP}/"
    )
    with listening(app, bind()) as url:
        yield url


def get(url: str, method: str = "GET") -> httpx2.Response:
    with httpx2.Client(trust_env=False) as client:
        return client.request(method, url)


def test_the_page_may_talk_to_the_issuer_and_the_api_alone(app_url: str) -> None:
    for path in ("/", "/callback?code=a&state=b"):
        answer = get(app_url + path)
        policy = answer.headers["content-security-policy"]
        assert (200, True) == (
            answer.status_code,
            "connect-src 'self' http://localhost:7 http://127.0.0.1:8;" in policy,
        )
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy


def test_the_page_loads_nothing_foreign_and_everything_it_names(app_url: str) -> None:
    page = get(app_url).text
    named = re.findall(r'<(?:script|link|img)[^>]+?(?:src|href)="([^"]+)"', page)
    scripts = [get(app_url + path).text for path in named if path.endswith(".js")]
    imported = [f"/{name}" for text in scripts for name in re.findall(r'from "\./([^"]+)"', text)]
    assert {"/app.js", "/style.css", "/icon.svg"} == set(named)
    assert {"/spa/proofkey-spa.js", "/steps.js"} == set(imported)
    assert {200} == {get(app_url + path).status_code for path in [*named, *imported]}


def test_the_configuration_says_where_everything_is(app_url: str) -> None:
    expected = {
        "issuer": "http://localhost:7/demo/main",
        "client_id": "spa",
        "redirect_uri": f"{APP}/callback",
        "post_logout_redirect_uri": f"{APP}/",
        "api": "http://127.0.0.1:8",
        "scope": "openid profile email notes:read notes:write",
        "playground": None,
    }
    assert expected == json.loads(get(f"{app_url}/config.json").content)


def test_nothing_else_is_served(app_url: str) -> None:
    statuses = [
        get(app_url + path).status_code for path in ("/app.py", "/static/app.js", "/../api.py", "/%2e%2e/api.py")
    ]
    assert ([404] * 4, 405) == (statuses, get(app_url, "POST").status_code)
