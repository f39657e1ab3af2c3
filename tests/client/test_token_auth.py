"""Tokens in httpx2: to the API alone, renewed before and after they expire, proven where they are bound."""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from proofkey.client import DpopKey, MemoryStore, SignIn, StoredSignIn, TokenAuth, login
from tests.dev_server import DevServer
from tests.visitor import sign_in as visit

Answers = Callable[[int, BaseHTTPRequestHandler], tuple[int, dict[str, str]]]


class Api:
    """An API that answers as told, and remembers the headers it got."""

    def __init__(self, answers: Answers) -> None:
        self.seen: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        api = self

        class Visit(BaseHTTPRequestHandler):
            def answer(self) -> None:
                api.seen.append({name.lower(): value for name, value in self.headers.items()})
                api.bodies.append(self.rfile.read(int(self.headers.get("content-length", 0))))
                status, headers = answers(len(api.seen), self)
                self.send_response(status)
                for name, value in {"content-length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST = answer  # noqa: N815 - the names http.server calls

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Visit)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def tokens(self) -> list[str | None]:
        return [seen.get("authorization") for seen in self.seen]


@pytest.fixture
def start_api() -> Iterator[Callable[[Answers], Api]]:
    started: list[Api] = []

    def start(answers: Answers) -> Api:
        started.append(Api(answers))
        return started[-1]

    yield start
    for api in started:
        api.close()


StartApi = Callable[[Answers], Api]


@pytest.fixture
def me(dev: DevServer) -> SignIn:
    password = dev.password_of("alice")
    return login(dev.issuer, "native", browser=lambda url: visit(url, "alice", password), store=MemoryStore())


def fine(_number: int, _visit: BaseHTTPRequestHandler) -> tuple[int, dict[str, str]]:
    return 200, {}


def stale_once(number: int, _visit: BaseHTTPRequestHandler) -> tuple[int, dict[str, str]]:
    if number > 1:
        return 200, {}
    return 401, {"www-authenticate": 'Bearer realm="x", error="invalid_token", error_description="expired"'}


def test_the_token_goes_to_the_api_and_to_nobody_else(me: SignIn, start_api: StartApi) -> None:
    api, other = start_api(fine), start_api(fine)
    with httpx2.Client(auth=me.auth(api.url)) as client:
        client.get(f"{api.url}/notes")
        client.get(f"{other.url}/notes")
    assert [f"Bearer {me.access_token()}"] == api.tokens
    assert [None] == other.tokens


def test_a_redirect_to_another_origin_gets_no_token(me: SignIn, start_api: StartApi) -> None:
    other = start_api(fine)
    api = start_api(lambda _number, _visit: (307, {"location": f"{other.url}/steal"}))
    with httpx2.Client(auth=me.auth(api.url), follow_redirects=True) as client:
        assert 200 == client.post(f"{api.url}/notes", content=b"x").status_code
    assert ([True], [None]) == ([token is not None for token in api.tokens], other.tokens)


@pytest.mark.parametrize("error", ["invalid_token", "use_dpop_nonce"])
def test_what_another_origin_answers_neither_renews_nor_repeats(me: SignIn, start_api: StartApi, error: str) -> None:
    evil = start_api(
        lambda _number, _visit: (401, {"www-authenticate": f'Bearer error="{error}"', "dpop-nonce": "evil"})
    )
    api = start_api(lambda _number, _visit: (307, {"location": f"{evil.url}/steal"}))
    first, auth = me.access_token(), me.auth(api.url)
    with httpx2.Client(auth=auth, follow_redirects=True) as client:
        assert 401 == client.get(f"{api.url}/notes").status_code
    assert (1, 1, first, {}) == (len(api.seen), len(evil.seen), me.access_token(), auth._nonces)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1:1/",
        "https://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
    ],
)
def test_what_only_looks_like_the_origin_is_another(me: SignIn, url: str) -> None:
    auth = me.auth("http://127.0.0.1")
    request = next(auth.sync_auth_flow(httpx2.Request("GET", url)))
    assert "authorization" not in request.headers


def test_an_origin_is_one_with_or_without_its_usual_port(me: SignIn) -> None:
    auth = me.auth("https://API.example:443/some/path")
    request = next(auth.sync_auth_flow(httpx2.Request("GET", "https://api.example/notes")))
    assert request.headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize("claims", ["[" * 200_000, "{", "7", '{"aud": 7}', '{"aud": [{}]}'])
def test_a_token_that_names_no_api_goes_nowhere_by_itself(me: SignIn, claims: str) -> None:
    token = f"e30.{urlsafe_b64encode(claims.encode()).decode().rstrip('=')}.s"
    assert () == SignIn(replace(me._kept, access_token=token), MemoryStore()).audiences


def test_without_a_resource_the_token_goes_to_the_api_it_names(me: SignIn, dev: DevServer) -> None:
    assert (None, (dev.told["resource"]["audience"],)) == (me.resource, me.audiences)
    answer = httpx2.get(dev.told["resource"]["url"], auth=me.auth())  # it got there: all it lacks is a scope
    assert (403, True) == (answer.status_code, "insufficient_scope" in answer.headers["www-authenticate"])


@pytest.mark.parametrize("audience", ['"notes"', '["notes", "http://api.example"]', "7", "null", '{"a": 1}'])
def test_a_token_that_names_no_address_goes_nowhere_by_itself(me: SignIn, audience: str) -> None:
    payload = urlsafe_b64encode(f'{{"aud": {audience}}}'.encode()).decode().rstrip("=")
    for token in (f"e30.{payload}.c2ln", "opaque", "a.b.c", "a.W10.c"):
        with pytest.raises(ValueError, match="login\\(resource="):
            SignIn(replace(me._kept, access_token=token), MemoryStore()).auth()


@pytest.mark.parametrize("origins", [("http://api.example",), ("api.example",), ("ftp://api.example",)])
def test_a_token_is_never_sent_in_clear(me: SignIn, origins: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="origins"):
        TokenAuth(me, *origins)


def test_a_token_that_the_api_calls_invalid_is_renewed_once(me: SignIn, start_api: StartApi) -> None:
    api = start_api(stale_once)
    first = me.access_token()
    assert 200 == httpx2.post(f"{api.url}/notes", content=b"note", auth=me.auth(api.url)).status_code
    assert [f"Bearer {first}", f"Bearer {me.access_token()}"] == api.tokens
    assert (True, [b"note", b"note"]) == (first != me.access_token(), api.bodies)


async def test_an_event_loop_does_the_same(me: SignIn, start_api: StartApi) -> None:
    api = start_api(stale_once)
    first = me.access_token()
    async with httpx2.AsyncClient(auth=me.auth(api.url)) as client:
        assert 200 == (await client.get(f"{api.url}/notes")).status_code
    assert [f"Bearer {first}", f"Bearer {me.access_token()}"] == api.tokens


@pytest.mark.parametrize(
    "challenge",
    [
        'Bearer error="insufficient_scope"',
        'Bearer error="insufficient_user_authentication"',
        'Bearer error_description="invalid_token"',
        'Bearer error_description="with error=invalid_token"',
        'Basic error="invalid_token"',
        "Bearer",
        "",
    ],
)
def test_any_other_refusal_is_the_caller_s(me: SignIn, start_api: StartApi, challenge: str) -> None:
    api = start_api(lambda _number, _visit: (401, {"www-authenticate": challenge}))
    assert 401 == httpx2.get(api.url, auth=me.auth(api.url)).status_code
    assert 1 == len(api.seen)


def test_an_api_that_takes_no_token_is_asked_twice_at_most(me: SignIn, start_api: StartApi) -> None:
    api = start_api(lambda _number, _visit: (401, {"www-authenticate": 'Bearer error="invalid_token"'}))
    assert 401 == httpx2.get(api.url, auth=me.auth(api.url)).status_code
    assert 2 == len(api.seen)


def test_a_streamed_body_is_not_sent_twice(me: SignIn, start_api: StartApi) -> None:
    api = start_api(stale_once)

    def body() -> Iterator[bytes]:
        yield b"once"

    with httpx2.Client(auth=me.auth(api.url)) as client:
        assert 401 == client.post(api.url, content=body(), headers={"content-length": "4"}).status_code
    assert [b"once"] == api.bodies


def test_a_token_about_to_expire_is_renewed_first(me: SignIn, start_api: StartApi, dev: DevServer) -> None:
    api = start_api(fine)
    first = me.access_token()
    began = me._kept.signed_in_at
    kept = replace(me._kept, access_token_at=began - 280_000, access_token_until=began + 20_000)
    me._store.save(kept)
    httpx2.get(api.url, auth=SignIn(kept, me._store).auth(api.url))
    assert [first] != api.tokens
    assert api.tokens[0] != f"Bearer {first}"


def bound(key: DpopKey) -> SignIn:
    kept = StoredSignIn(
        "https://issuer.example",
        "cli",
        "openid",
        None,
        None,
        "DPoP",
        "bound-token",
        None,
        None,
        0,
        dpop_key=key.to_bytes(),
    )
    return SignIn(kept, MemoryStore())


def test_a_bound_token_goes_with_a_proof_of_this_very_request(start_api: StartApi) -> None:
    key = DpopKey.generate()
    api = start_api(fine)
    assert 200 == httpx2.post(f"{api.url}/notes?secret=1", auth=bound(key).auth(api.url)).status_code
    assert "DPoP bound-token" == api.tokens[0]
    claims = read_proof(api.seen[0]["dpop"])
    assert ("POST", f"{api.url}/notes") == (claims["htm"], claims["htu"])


def read_proof(proof: str) -> dict[str, Any]:
    """The claims of a proof; that it verifies is tested with `DpopKey`."""
    payload = proof.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def test_a_nonce_is_taken_up_at_once_and_kept(start_api: StartApi) -> None:
    def wants_nonce(_number: int, visit: BaseHTTPRequestHandler) -> tuple[int, dict[str, str]]:
        nonce = read_proof(visit.headers["dpop"]).get("nonce")
        if nonce == "n-1":
            return 200, {}
        return 401, {"www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": "n-1"}

    api = start_api(wants_nonce)
    with httpx2.Client(auth=bound(DpopKey.generate()).auth(api.url)) as client:
        statuses = [client.get(api.url).status_code for _ in range(2)]
    proofs = [read_proof(seen["dpop"]) for seen in api.seen]
    assert ([200, 200], [None, "n-1", "n-1"]) == (statuses, [proof.get("nonce") for proof in proofs])
    assert 3 == len({proof["jti"] for proof in proofs})


def test_the_nonce_of_the_last_answer_is_the_next_one(start_api: StartApi) -> None:
    def rotates(number: int, visit: BaseHTTPRequestHandler) -> tuple[int, dict[str, str]]:
        if read_proof(visit.headers["dpop"]).get("nonce") is None:
            return 401, {"www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": "n-1"}
        return 200, {"dpop-nonce": f"n-{number}"}

    api = start_api(rotates)
    with httpx2.Client(auth=bound(DpopKey.generate()).auth(api.url)) as client:
        statuses = [client.get(api.url).status_code for _ in range(2)]
    proofs = [read_proof(seen["dpop"]) for seen in api.seen]
    assert ([200, 200], [None, "n-1", "n-2"]) == (statuses, [proof.get("nonce") for proof in proofs])
