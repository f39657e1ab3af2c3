"""The examples as real processes: FastAPI under uvicorn, Flask under gunicorn's forked workers, Django as ASGI and as WSGI."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from proofkey.client.dpop import DpopKey
from tests.dev_server import DevServer
from tests.guard.sample_issuer import SampleIssuer
from tests.listening import bind, listening, url_of
from tests.redis_server import running_redis

EXAMPLES = Path(__file__).parents[2] / "examples"
NOWHERE = "http://127.0.0.1:1/nobody"
FORKED = ["gunicorn", "--workers", "2", "--threads", "4", "--preload", "--bind"]
COMMANDS = {
    "fastapi": ("guard-fastapi", ["uvicorn", "--no-access-log", "app:app", "--port"]),
    "flask": ("guard-flask", [*FORKED, "127.0.0.1:{port}", "app:app"]),
    "django-asgi": ("guard-django", ["uvicorn", "--lifespan", "off", "--no-access-log", "notes:asgi", "--port"]),
    "django-wsgi": ("guard-django", [*FORKED, "127.0.0.1:{port}", "notes:wsgi"]),
}


def now() -> int:
    """Milliseconds since 1970: these are real servers, with the machine's clock."""
    return time.time_ns() // 1_000_000


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass
class Api:
    """A running example."""

    url: str
    audience: str
    issuer: SampleIssuer
    log: Path

    def __post_init__(self) -> None:
        self._made = 0

    def call(self, method: str = "GET", path: str = "/notes", **headers: str) -> httpx2.Response:
        with httpx2.Client(trust_env=False) as client:
            return client.request(method, f"{self.url}{path}", headers=headers)

    def bearer(self, token: str, method: str = "GET", path: str = "/notes") -> httpx2.Response:
        return self.call(method, path, authorization=f"Bearer {token}")

    def bound(self, key: DpopKey) -> str:
        return self.issuer.token(now=now(), aud=self.audience, cnf={"jkt": key.jkt})

    def proof(self, key: DpopKey, token: str, path: str = "/notes") -> str:
        self._made += 1
        return key.proof("GET", f"{self.url}{path}", now=now(), jti=f"{now()}-{self._made}", access_token=token)


@contextmanager
def running(name: str, issuers: list[str], audience: str, redis_url: str, log: Path) -> Iterator[str]:
    """The example's address, while it runs."""
    folder, command = COMMANDS[name]
    port = free_port()
    words = [word.format(port=port) for word in command]
    if words[-1] == "--port":
        words.append(str(port))
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PROOFKEY_ISSUER": " ".join(issuers),
        "PROOFKEY_AUDIENCE": audience,
        "PROOFKEY_PUBLIC_URL": url,
        "REDIS_URL": redis_url,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name(words[0]), *words[1:]],
            cwd=EXAMPLES / folder,
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
        )
    try:
        wait_until_it_answers(process, port, log)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"it did not start:\n{log.read_text()}")


@pytest.fixture(scope="module", params=COMMANDS)
def api(request: pytest.FixtureRequest, dev: DevServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("adapter")
    listener = bind()
    issuer = SampleIssuer(f"{url_of(listener)}/acme/main")
    audience = dev.told["resource"]["audience"]
    trusted = [dev.issuer, issuer.issuer, NOWHERE]
    log = folder / "log"
    with (
        running_redis(folder) as redis,
        listening(issuer, listener),
        running(request.param, trusted, audience, redis.url, log) as url,
    ):
        yield Api(url, audience, issuer, log)


def token_of(dev: DevServer, scope: str) -> str:
    """An access token that the running server issued to a machine."""
    parameters = {"grant_type": "client_credentials", "resource": dev.told["resource"]["audience"], "scope": scope}
    answer = httpx2.post(f"{dev.issuer}/oauth2/token", data=parameters, auth=dev.secret_of("service"), trust_env=False)
    assert 200 == answer.status_code, answer.text
    token: str = answer.json()["access_token"]
    return token


def test_a_token_of_the_running_server_comes_in(api: Api, dev: DevServer) -> None:
    answer = api.bearer(token_of(dev, "notes:read"))
    assert 200 == answer.status_code, (answer.text, api.log.read_text())
    assert dev.secret_of("service")[0] == answer.json()["of"]


def test_every_worker_lets_a_good_token_in(api: Api, dev: DevServer) -> None:
    token = token_of(dev, "notes:read")
    assert {200} == {api.bearer(token).status_code for _ in range(20)}


def test_without_a_token_the_challenge_says_how_to_get_one(api: Api) -> None:
    answer = api.call()
    challenge = answer.headers["www-authenticate"]
    assert (401, "no-store") == (answer.status_code, answer.headers["cache-control"])
    assert challenge.startswith(f'Bearer realm="{api.audience}", scope="notes:read", resource_metadata=')
    assert ", DPoP realm=" in challenge
    assert "[access_token_missing]" in answer.json()["error_description"]


def test_a_token_without_the_scope_is_told_which(api: Api, dev: DevServer) -> None:
    path, method = ("/notes/add", "GET") if is_django(api) else ("/notes", "POST")
    answer = api.bearer(token_of(dev, "notes:read"), method, path)
    challenge = answer.headers["www-authenticate"]
    assert (403, True) == (answer.status_code, 'error="insufficient_scope"' in challenge)
    assert 'scope="notes:write"' in challenge
    assert 201 == api.bearer(token_of(dev, "notes:read notes:write"), method, path).status_code


def is_django(api: Api) -> bool:
    """Only Django's example has two addresses."""
    return api.call(path="/notes/add").status_code != 404


def test_a_forged_token_is_refused(api: Api, dev: DevServer) -> None:
    head, _, signature = token_of(dev, "notes:read").rpartition(".")
    answer = api.bearer(f"{head}.{signature[::-1]}")
    assert (401, True) == (answer.status_code, 'error="invalid_token"' in answer.headers["www-authenticate"])


def test_an_issuer_that_is_away_is_answered_503(api: Api) -> None:
    answer = api.bearer(api.issuer.token(iss=NOWHERE, now=now(), aud=api.audience))
    assert (503, True) == (answer.status_code, int(answer.headers["retry-after"]) >= 1)


def test_the_metadata_are_open_to_everybody(api: Api) -> None:
    path = api.call().headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
    answer = api.call(path="/" + path.split("/", 3)[3])
    assert (200, "*") == (answer.status_code, answer.headers["access-control-allow-origin"])
    assert api.audience == answer.json()["resource"]
    assert ["notes:read", "notes:write"] == answer.json()["scopes_supported"]


def test_the_holder_of_a_key_comes_in_and_a_thief_does_not(api: Api) -> None:
    key, thief = DpopKey.generate(), DpopKey.generate()
    token = api.bound(key)
    authorization = f"DPoP {token}"
    answer = api.call(authorization=authorization, dpop=api.proof(key, token))
    assert (200, "alice") == (answer.status_code, answer.json().get("of")), api.log.read_text()
    stolen = api.call(authorization=authorization, dpop=api.proof(thief, token))
    assert (401, True) == (stolen.status_code, "[dpop_key_differs]" in stolen.text)
    assert "[access_token_scheme_differs]" in api.bearer(token).text
    assert "[dpop_proof_missing]" in api.call(authorization=authorization).text
    elsewhere = api.call(authorization=authorization, dpop=api.proof(key, token, "/other"))
    assert elsewhere.headers["www-authenticate"].startswith('DPoP realm="')
    assert "[dpop_url_differs]" in elsewhere.text


async def test_of_fifty_requests_with_one_proof_one_worker_lets_one_in(api: Api) -> None:
    key = DpopKey.generate()
    token = api.bound(key)
    headers = {"authorization": f"DPoP {token}", "dpop": api.proof(key, token)}
    async with httpx2.AsyncClient(trust_env=False, limits=httpx2.Limits(max_connections=50), timeout=20) as client:
        answers = await asyncio.gather(*(client.get(f"{api.url}/notes", headers=headers) for _ in range(50)))
    assert {200: 1, 401: 49} == Counter(answer.status_code for answer in answers)


def test_headers_sent_twice_open_nothing(api: Api) -> None:
    key = DpopKey.generate()
    token = api.bound(key)
    authorization, first, second = ("authorization", f"DPoP {token}"), api.proof(key, token), api.proof(key, token)
    with httpx2.Client(trust_env=False) as client:
        twice = client.get(f"{api.url}/notes", headers=[authorization, ("dpop", first), ("dpop", second)])
        doubled = client.get(f"{api.url}/notes", headers=[authorization, authorization, ("dpop", first)])
    assert (401, True) == (twice.status_code, "invalid_dpop_proof" in twice.text)
    assert (400, True) == (doubled.status_code, "invalid_request" in doubled.text)


def test_djangos_middleware_guards_whole_paths(api: Api, dev: DevServer) -> None:
    if not is_django(api):
        return
    assert 403 == api.bearer(token_of(dev, "notes:read"), path="/private/note").status_code
    assert 200 == api.bearer(token_of(dev, "notes:write"), path="/private/note").status_code
    assert [401, 401, 404] == [
        api.call(path=path).status_code for path in ("/private/nothing", "/private", "/privates")
    ]


def test_djangos_middleware_and_decorator_spend_a_proof_once(api: Api) -> None:
    if not is_django(api):
        return
    key = DpopKey.generate()
    token = api.issuer.token(now=now(), aud=api.audience, scope="notes:read notes:write", cnf={"jkt": key.jkt})
    proof = api.proof(key, token, "/private/both")
    for status in (200, 401):
        answer = api.call(path="/private/both", authorization=f"DPoP {token}", dpop=proof)
        assert status == answer.status_code, answer.text


def test_djangos_views_need_no_csrf_token_behind_the_guard(api: Api, dev: DevServer) -> None:
    if is_django(api):
        assert 201 == api.bearer(token_of(dev, "notes:write"), "POST", "/notes/add").status_code
        assert 200 == api.bearer(token_of(dev, "notes:write"), "POST", "/private/note").status_code
