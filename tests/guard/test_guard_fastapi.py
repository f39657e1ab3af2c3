"""The guard in FastAPI: what OpenAPI is told, WebSockets, mounted applications, refusals without the guard's own answers."""

import time
from collections.abc import Iterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import JSONResponse
from starlette.testclient import TestClient

from proofkey.guard import Access, Dpop, Nonces, ResourceServer
from proofkey.guard import Guard as AsgiGuard
from proofkey.guard.fastapi import Guard
from tests.guard.bound import BoundClient
from tests.guard.sample_issuer import KEY, Clock, SampleIssuer
from tests.listening import bind, listening, url_of


@pytest.fixture(scope="module")
def issuer() -> Iterator[SampleIssuer]:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(sample, listener):
        yield sample


NONCES = Nonces(b"n" * 32)


def api_of(guard: Guard, app: FastAPI) -> FastAPI:
    """Two routes of its own, and a guarded router."""
    router = APIRouter(dependencies=[Depends(guard.require())])

    @router.get("/whole")
    def whole() -> str:
        return "in"

    @app.get("/notes")
    def notes(caller: Annotated[Access, Depends(guard.require("notes:read"))]) -> str:
        return caller.subject

    @app.delete("/notes")
    async def forget(caller: Annotated[Access, Depends(guard.require("notes:write notes:read"))]) -> str:
        return caller.subject

    @app.websocket("/live")
    async def live(socket: WebSocket, caller: Annotated[Access, Depends(guard.require("notes:read"))]) -> None:
        await socket.accept()
        await socket.send_text(caller.subject)
        await socket.close()

    app.include_router(router)
    return app


def server_of(issuer: SampleIssuer, **more: Any) -> ResourceServer:
    return ResourceServer(issuer.issuer, audience="https://api.example", clock=Clock(), **more)


def get(url: str, token: str | None = None, **headers: str) -> httpx2.Response:
    sent = headers | ({} if token is None else {"authorization": f"Bearer {token}"})
    return httpx2.get(url, headers=sent, trust_env=False)


def test_openapi_says_where_to_sign_in_and_which_scopes_it_takes(issuer: SampleIssuer) -> None:
    app = FastAPI()
    told = api_of(Guard(server_of(issuer), app), app).openapi()
    scheme = {"type": "openIdConnect", "openIdConnectUrl": f"{issuer.issuer}/.well-known/openid-configuration"}
    assert {"AccessToken": scheme} == told["components"]["securitySchemes"]
    asked = {
        (path, method): each["security"] for path, methods in told["paths"].items() for method, each in methods.items()
    }
    assert {
        ("/notes", "get"): [{"AccessToken": ["notes:read"]}],
        ("/notes", "delete"): [{"AccessToken": ["notes:write", "notes:read"]}],
        ("/whole", "get"): [{"AccessToken": []}],
    } == asked


def test_openapi_of_an_api_with_several_issuers_asks_for_a_bearer_token(issuer: SampleIssuer) -> None:
    app = FastAPI()
    server = ResourceServer([issuer.issuer, "https://other.example"], audience="https://api.example")
    told = api_of(Guard(server, app), app).openapi()
    expected = {"AccessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    assert expected == told["components"]["securitySchemes"]


def test_refusals_are_oauths_own_json(issuer: SampleIssuer) -> None:
    app = FastAPI()
    with listening(api_of(Guard(server_of(issuer), app), app), bind()) as url:
        assert (200, "alice") == ((good := get(f"{url}/notes", issuer.token())).status_code, good.json())
        assert 200 == get(f"{url}/whole", issuer.token(scope="")).status_code
        refused = get(f"{url}/notes", issuer.token(scope=""))
        assert (403, "insufficient_scope") == (refused.status_code, refused.json()["error"])
        assert 'scope="notes:read"' in refused.headers["www-authenticate"]
        assert 401 == get(f"{url}/whole").status_code
        assert "https://api.example" == get(f"{url}/.well-known/oauth-protected-resource").json()["resource"]


def test_a_guard_that_no_application_was_given_to_refuses_all_the_same(issuer: SampleIssuer) -> None:
    with listening(api_of(Guard(server_of(issuer)), FastAPI()), bind()) as url:
        refused = get(f"{url}/notes")
        assert (401, ["error_description"]) == (refused.status_code, list(refused.json()["detail"]))
        assert refused.headers["www-authenticate"].startswith("Bearer realm=")
        assert ("application/json", "no-store") == (refused.headers["content-type"], refused.headers["cache-control"])


def test_a_proof_names_the_whole_path_of_a_mounted_application(issuer: SampleIssuer) -> None:
    client = BoundClient(issuer, Dpop(), Clock())
    inner, outer = FastAPI(), FastAPI()
    outer.mount("/v1", api_of(Guard(client.server, inner), inner))
    with listening(outer, bind()) as url:

        def call(htu: str) -> httpx2.Response:
            return get(f"{url}/v1/notes", authorization=f"DPoP {client.token}", dpop=client.proof(url=htu))

        assert 200 == call("https://api.example/v1/notes").status_code
        assert "[dpop_url_differs]" in call("https://api.example/notes").text


@pytest.mark.parametrize("around", [False, True], ids=["alone", "behind the ASGI guard"])
def test_a_proof_is_spent_once_although_router_and_route_both_ask(issuer: SampleIssuer, around: bool) -> None:
    client = BoundClient(issuer, Dpop(), Clock())
    app = FastAPI()
    guard = Guard(client.server, app)
    router = APIRouter(dependencies=[Depends(guard.require("notes:read"))])

    @router.get("/notes")
    def notes(caller: Annotated[Access, Depends(guard.require())]) -> str:
        return caller.subject

    @router.delete("/notes")
    def forget(caller: Annotated[Access, Depends(guard.require("notes:write"))]) -> str:
        return caller.subject

    app.include_router(router)
    with listening(AsgiGuard(app, client.server) if around else app, bind()) as url:

        def call(method: str, proof: str) -> httpx2.Response:
            headers = {"authorization": f"DPoP {client.token}", "dpop": proof}
            return httpx2.request(method, f"{url}/notes", headers=headers, trust_env=False)

        proof = client.proof()
        assert (200, "alice") == ((good := call("GET", proof)).status_code, good.json())
        assert "[dpop_replayed]" in call("GET", proof).text
        assert (403, True) == (
            (short := call("DELETE", client.proof("DELETE"))).status_code,
            "[scope_missing]" in short.text,
        )


def test_whoever_keeps_calling_gets_the_next_nonce_in_time(issuer: SampleIssuer) -> None:
    client = BoundClient(issuer, Dpop(nonces=NONCES), Clock())
    app = FastAPI()
    nonce = NONCES.mint(client.clock.now)
    with listening(api_of(Guard(client.server, app), app), bind()) as url:
        for _ in range(12):
            proof = client.proof(nonce=nonce)
            answer = get(f"{url}/notes", authorization=f"DPoP {client.token}", dpop=proof)
            assert 200 == answer.status_code
            assert NONCES.holds(nonce, client.clock.now + 150_000) is ("dpop-nonce" not in answer.headers)
            nonce = answer.headers.get("dpop-nonce", nonce)
            client.clock.turn(100_000)
            client.token = issuer.token(now=client.clock.now, cnf={"jkt": client.key.jkt})


def test_the_next_nonce_comes_however_a_route_answers(issuer: SampleIssuer) -> None:
    client = BoundClient(issuer, Dpop(nonces=NONCES), Clock())
    inner, outer = FastAPI(), FastAPI()
    guard, around = Guard(client.server, inner), Guard(client.server, outer)
    router = APIRouter(dependencies=[Depends(guard.require())])
    ways = {
        "plain": lambda: {"came": "in"},
        "response": lambda: JSONResponse({"came": "in"}),
        "raised": lambda: (_ for _ in ()).throw(HTTPException(404)),
        "malformed": lambda number: number,
    }
    ways["malformed"].__annotations__["number"] = int
    for name, way in ways.items():
        router.get(f"/{name}", dependencies=[Depends(around.require())])(way)
    inner.include_router(router)
    outer.mount("/v1", inner)
    nonce = NONCES.mint(client.clock.now - 200_000)
    brought = {}
    with listening(outer, bind()) as url:
        for name in ways:
            proof = client.proof(url=f"https://api.example/v1/{name}", nonce=nonce)
            answer = get(f"{url}/v1/{name}", authorization=f"DPoP {client.token}", dpop=proof)
            brought[name] = (answer.status_code, len(answer.headers.get_list("dpop-nonce")))
    assert {"plain": (200, 1), "response": (200, 1), "raised": (404, 1), "malformed": (422, 1)} == brought


def test_the_keys_are_there_when_the_application_has_started() -> None:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    app = FastAPI()
    api_of(Guard(server_of(sample), app), app)
    with listening(sample, listener), TestClient(app):
        until = time.monotonic() + 10
        while not sample.fetches() and time.monotonic() < until:
            time.sleep(0.02)
        assert 1 == sample.fetches()


async def converse(app: Any, token: str | None) -> list[dict[str, Any]]:
    """What a WebSocket hears."""
    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    scope = {
        "type": "websocket",
        "path": "/live",
        "raw_path": b"/live",
        "query_string": b"",
        "headers": headers,
        "subprotocols": [],
        "root_path": "",
        "scheme": "ws",
    }
    heard: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        heard.append(message)

    await app(scope, receive, send)
    return heard


async def test_a_websocket_opens_with_a_token_and_closes_without(issuer: SampleIssuer) -> None:
    app = FastAPI()
    api_of(Guard(server_of(issuer), app), app)
    good = await converse(app, issuer.token())
    assert ["websocket.accept", "websocket.send", "websocket.close"] == [message["type"] for message in good]
    assert "alice" == good[1]["text"]
    (closed,) = await converse(app, None)
    assert ("websocket.close", 1008, "invalid_token") == (closed["type"], closed["code"], closed["reason"])


async def test_a_websocket_that_nobody_can_judge_now_is_told_to_come_back(issuer: SampleIssuer) -> None:
    """Nobody listens at port 9."""
    app, away = FastAPI(), ResourceServer("http://127.0.0.1:9", audience="https://api.example", clock=Clock())
    guarded = AsgiGuard(FastAPI(), away)
    api_of(Guard(away, app), app)
    token = KEY.sign("at+jwt", issuer.claims(iss="http://127.0.0.1:9"))
    closed = [(await converse(each, token))[0] for each in (app, guarded)]
    assert [(1013, "temporarily_unavailable")] * 2 == [(each["code"], each["reason"]) for each in closed]
