"""The WSGI adapter: streams, failures, paths as servers tell them, and processes that fork."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest

from proofkey.client.web import Api, MemoryStore
from proofkey.client.web.message import FORM
from proofkey.client.web.wsgi import SignIn, access_token, require_login, session_of
from proofkey.client.web.wsgi_exchange import Exchange, read_scope
from proofkey.loop_thread import LoopThread
from tests.client.web.sample_api import Reply, SampleApi, echo, sample_api
from tests.client.web.web_app import CLIENT_SECRET, ORIGIN, PASSWORD, REDIRECT_URI
from tests.dev_server import DevServer
from tests.listening import bind, url_of
from tests.visitor import sign_in


def environ_of(method: str, path: str, cookie: str = "", body: bytes = b"", **more: Any) -> dict[str, Any]:
    """What a WSGI server hands over."""
    target, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(target, "latin-1"),
        "QUERY_STRING": query,
        "HTTP_COOKIE": cookie,
        "HTTP_ACCEPT": "text/html",
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "https",
        **more,
    }


def call(app: Any, environ: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body."""
    started: list[Any] = []
    answer = app(environ, lambda *said: started.extend(said))
    body = b"".join(answer)
    getattr(answer, "close", lambda: None)()
    return started[0], {name.lower(): value for name, value in started[1]}, body


@require_login
def view() -> str:
    """Who is there."""
    session = session_of()
    assert session is not None
    return f"{session.claims['name']} {len(access_token()) > 20}"


def as_flask(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Calls a view and makes an answer of what it returns, as Flask does."""
    if environ["PATH_INFO"] == "/fails":
        raise LookupError("the application's own")
    told = view()
    body, status, headers = (told, 200, []) if isinstance(told, str) else told
    start_response(f"{status} Said", headers)
    return [body.encode()]


@pytest.fixture
def notes() -> Iterator[SampleApi]:
    with sample_api() as api:
        yield api


@pytest.fixture
def app(web_dev: DevServer, notes: SampleApi) -> Iterator[SignIn]:
    """The application under WSGI."""
    made = SignIn(
        as_flask,
        issuer=web_dev.issuer,
        client_id=web_dev.application("web")["client_id"],
        client_secret=CLIENT_SECRET,
        redirect_uri=REDIRECT_URI,
        scope="openid profile notes:read notes:write",
        apis={"/api": Api(url=f"{notes.url}/v1", resource="http://127.0.0.1:1")},
    )
    yield made
    made.close()


def cookie_of(app: SignIn) -> str:
    """Alice's session."""
    mounts = {ORIGIN: httpx2.WSGITransport(app=app)}
    with httpx2.Client(base_url=ORIGIN, mounts=mounts, trust_env=False) as browser:
        begun = browser.get("/auth/login")
        ended = browser.get(sign_in(begun.headers["location"], "alice", PASSWORD))
        assert (303, "/") == (ended.status_code, ended.headers["location"])
        return "; ".join(f"{name}={value}" for name, value in browser.cookies.items() if "session" in name)


def test_the_application_knows_who_is_there(app: SignIn) -> None:
    status, headers, _ = call(app, environ_of("GET", "/notes?a=b"))
    assert ("303 Said", "/auth/login?return_to=%2Fnotes%3Fa%3Db") == (status, headers["location"])
    cookie = cookie_of(app)
    assert ("200 Said", b"Alice True") == (call(app, environ_of("GET", "/notes", cookie))[::2])
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: call(app, environ_of("GET", "/notes", cookie))[2], range(40)))
    assert [b"Alice True"] * 40 == answers
    status, _, body = call(app, environ_of("GET", "/auth/session", cookie))
    assert ("200 OK", True) == (status, b'"signed_in": true' in body)


def test_bodies_are_streamed_both_ways(app: SignIn, notes: SampleApi) -> None:
    cookie = cookie_of(app)
    token = call(app, environ_of("GET", "/auth/session", cookie))[2].split(b'"csrf": "')[1].partition(b'"')[0].decode()
    notes.reply = echo
    sent = environ_of("PUT", "/api/file?a=%2F", cookie, b"x" * 300_000, HTTP_X_CSRF_TOKEN=token, HTTP_ORIGIN=ORIGIN)
    assert ("200 OK", b'{"target": "/v1/file?a=%2F", "size": 300000}') == call(app, sent)[::2]
    notes.reply = lambda _sent: Reply(body=b"y" * 100_000, pieces=40)
    assert 4_000_000 == len(call(app, environ_of("GET", "/api/file", cookie))[2])


class ChunkedInput(io.BytesIO):
    """A body in chunks, as servers read it that know its end; *breaks* off before it."""

    breaks = False

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(min(size or 0, 40_000))
        if self.breaks and not piece:
            raise OSError("no more chunks")
        return piece


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}


def test_a_body_in_chunks_ends_where_the_server_says(app: SignIn, notes: SampleApi) -> None:
    cookie = cookie_of(app)
    token = call(app, environ_of("GET", "/auth/session", cookie))[2].split(b'"csrf": "')[1].partition(b'"')[0].decode()
    notes.reply = echo
    more: dict[str, Any] = {"HTTP_X_CSRF_TOKEN": token, "HTTP_ORIGIN": ORIGIN, "wsgi.input_terminated": True, **CHUNKED}
    for size in (0, 5, 300_000):
        sent = environ_of("PUT", "/api/file", cookie, **{**more, "wsgi.input": ChunkedInput(b"x" * size)})
        assert b'{"target": "/v1/file", "size": %d}' % size == call(app, sent)[2]
    broken = ChunkedInput(b"half")
    broken.breaks = True
    status, _, body = call(app, environ_of("PUT", "/api/file", cookie, **{**more, "wsgi.input": broken}))
    assert ("400 Bad Request", True, 3) == (status, b"[proxied_body_incomplete]" in body, len(notes.sent))


@pytest.mark.parametrize("path", ["/auth/backchannel-logout", "/api/file"])
def test_a_body_in_chunks_whose_end_nobody_knows_is_refused(app: SignIn, notes: SampleApi, path: str) -> None:
    cookie = cookie_of(app)
    token = call(app, environ_of("GET", "/auth/session", cookie))[2].split(b'"csrf": "')[1].partition(b'"')[0].decode()
    more: dict[str, Any] = {
        "HTTP_X_CSRF_TOKEN": token,
        "CONTENT_TYPE": FORM,
        "wsgi.input": io.BytesIO(b"hello"),
        **CHUNKED,
    }
    status, _, body = call(app, environ_of("POST", path, cookie, **more) | {"HTTP_ACCEPT": "*/*"})
    assert ("411 Length Required", True, []) == (status, b"[length_missing]" in body, notes.sent)


def test_an_answer_that_is_given_up_is_let_go_of_before_its_next_piece() -> None:
    exchange = Exchange(environ_of("GET", "/"))

    async def wait() -> str:
        await exchange.receive()
        return str((await exchange.receive())["type"])

    loop = LoopThread("test")
    waiting = loop.start(wait())
    exchange.close()
    exchange.close()
    assert "http.disconnect" == waiting.result(10)
    loop.stop()


def test_an_answer_nobody_reads_on_is_given_up(app: SignIn, notes: SampleApi) -> None:
    cookie = cookie_of(app)
    notes.reply = lambda _sent: Reply(body=b"y" * 100_000, pieces=200)
    answer: Any = app(environ_of("GET", "/api/file", cookie), lambda *_: None)
    assert next(iter(answer))
    answer.close()
    assert "200 OK" == call(app, environ_of("GET", "/auth/session", cookie))[0]


def test_the_application_s_failure_is_its_own(app: SignIn) -> None:
    with pytest.raises(LookupError, match="the application's own"):
        call(app, environ_of("GET", "/fails"))


def test_a_path_is_taken_as_it_was_sent_where_the_server_tells_it() -> None:
    scope = read_scope(environ_of("GET", "/api/a%2Fb?c", RAW_URI="/api/a%2Fb?c"))
    assert ("/api/a/b", b"/api/a%2Fb", b"c") == (scope["path"], scope["raw_path"], scope["query_string"])
    absolute = read_scope(environ_of("GET", "/api/a%2Fb?c", RAW_URI="http://evil.example/api/a%2Fb?c"))
    assert ("/api/a/b", b"/api/a%2Fb") == (absolute["path"], absolute["raw_path"])
    for lie in ("/api/other", "http://evil.example", "//evil.example/api/a%2Fb", ""):
        assert b"/api/a/b" == read_scope(environ_of("GET", "/api/a%2Fb", REQUEST_URI=lie))["raw_path"]
    assert ("/ü", b"/%C3%BC") == (lambda it: (it["path"], it["raw_path"]))(read_scope(environ_of("GET", "/%C3%BC")))


def test_a_child_process_gets_a_loop_of_its_own(app: SignIn) -> None:
    assert "200 OK" == call(app, environ_of("GET", "/auth/session"))[0]
    parent = os.getpid()
    if (child := os.fork()) == 0:
        try:
            ended = 0 if call(app, environ_of("GET", "/auth/session"))[0] == "200 OK" and os.getpid() != parent else 1
        except BaseException:
            ended = 2
        os._exit(ended)
    _, status = os.waitpid(child, 0)
    assert 0 == os.waitstatus_to_exitcode(status)
    assert "200 OK" == call(app, environ_of("GET", "/auth/session"))[0]


class SlowInput:
    """A body whose sender stops after the first byte, until the test ends."""

    def __init__(self) -> None:
        self.went_on = threading.Event()

    def read(self, _size: int) -> bytes:
        self.went_on.wait(20)
        return b""


def slow_post() -> tuple[SlowInput, dict[str, Any]]:
    body = SlowInput()
    more: dict[str, Any] = {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": "60000", "wsgi.input": body}
    return body, environ_of("POST", "/auth/backchannel-logout", **more) | more


def test_slow_bodies_keep_no_other_body_waiting(app: SignIn) -> None:
    slow = [slow_post() for _ in range(40)]
    quick = environ_of("POST", "/auth/backchannel-logout", "", b"logout_token=", CONTENT_TYPE=FORM)
    with ThreadPoolExecutor(41) as threads:
        waiting = [threads.submit(call, app, environ) for _, environ in slow]
        try:
            answered = threads.submit(call, app, quick).result(10)
        finally:
            for body, _ in slow:
                body.went_on.set()
        assert ["400 Bad Request"] * 40 == [each.result(10)[0] for each in waiting]
    assert ("400 Bad Request", True) == (answered[0], b"[logout_token_missing]" in answered[2])


def test_a_body_that_is_left_unread_ends_with_its_answer(app: SignIn) -> None:
    body, environ = slow_post()
    body.went_on.set()
    assert "400 Bad Request" == call(app, environ)[0]


class SlowToClose(MemoryStore):
    """After the network was closed, there is time for whoever used it to find that out."""

    async def close(self) -> None:
        await asyncio.sleep(0.2)


def test_who_waits_for_an_answer_hears_that_the_sign_in_was_closed() -> None:
    """And not that the issuer is away."""
    with bind() as silent:
        silent.listen()
        silent.settimeout(10)
        app = SignIn(
            as_flask,
            issuer=url_of(silent),
            client_id="web",
            client_secret=CLIENT_SECRET,
            redirect_uri=REDIRECT_URI,
            store=SlowToClose(),
        )
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(call, app, environ_of("GET", "/auth/login"))
            connection, _ = silent.accept()
            connection.recv(1)
            app.close()
            with connection, pytest.raises(ConnectionResetError, match="closed"):
                waiting.result(10)


def test_an_answer_made_while_it_is_sent_knows_its_request(web_dev: DevServer) -> None:
    def streamed(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        for _ in range(2):
            yield str(session_of()).encode()

    app = SignIn(
        streamed,
        issuer=web_dev.issuer,
        client_id=web_dev.application("web")["client_id"],
        client_secret=CLIENT_SECRET,
        redirect_uri=REDIRECT_URI,
    )
    assert b"NoneNone" == call(app, environ_of("GET", "/"))[2]
    app.close()


def test_systems_without_fork_have_a_loop_as_well() -> None:
    program = "import os, proofkey; del os.register_at_fork; import proofkey.loop_thread"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode


def test_a_loop_that_nobody_has_any_more_is_let_go() -> None:
    kept = weakref.ref(LoopThread("unused"))
    gc.collect()
    assert kept() is None


def test_outside_a_request_there_is_no_session() -> None:
    with pytest.raises(LookupError, match="no request is answered"):
        session_of()
    with pytest.raises(LookupError, match="no sign-in"):
        session_of({})
