"""Waiting for the browser at a loopback redirect URI, for clients on the person's own machine (RFC 8252 §7.3, §8.3).

1. It listens on loopback addresses only, on 127.0.0.1 and [::1] where both are free, for a browser may resolve to either.
2. It answers GET of one path under a loopback `Host` (another one is a page that had its name point here), and is gone
   once the answer is there.
3. Whether an answer is this login's, `is_ours` says; another one changes nothing, so that no page can end a login.
4. What it hands back is the address as it was asked for; the rest of the check is `read_callback`'s.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from proofkey.client.error_code import Meaning, meaning_of
from proofkey.client.page import PAGE_POLICY, render_page

_ADDRESSES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}
_HOSTS = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}
_AT_ONCE = 64
_TRIES = 30
_WITHIN = 5.0
"""Seconds that a whole visit may take."""
_HEADERS = (
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", PAGE_POLICY),
    ("connection", "close"),
)


_DONE = render_page(
    "Done here", "You can close this page. The program that sent you says whether you are signed in.", went_well=True
)
_NOT_OURS = render_page("Not this login", "This answer belongs to another login. The program still waits for its own.")
_WHY: dict[Meaning, str] = {
    "declined": "The sign-in was declined, so the program was given nothing.",
    "sign_in_again": "This sign-in did not come to its end. Begin again in the program that sent you.",
    "unavailable": "Sign-in does not work right now. Wait a minute, then begin again in the program that sent you.",
    "set_up_wrongly": "The program is not set up correctly for this sign-in. It says more itself.",
    "refused": "The sign-in was refused. The program that sent you says more.",
}
_REFUSED = {
    meaning: render_page("You are not signed in", f"{why} You can close this page.") for meaning, why in _WHY.items()
}


def _page_for(query: str) -> bytes:
    """What the person reads for the answer *query*: fixed sentences, nothing of the answer itself."""
    try:
        code = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=64)).get("error")
    except ValueError:
        code = ""
    return _DONE if code is None else _REFUSED[meaning_of(code)]


def is_loopback_redirect_uri(redirect_uri: str) -> bool:
    """True where a program on this machine can wait for the answer itself: http, and a loopback address."""
    parts = urlsplit(redirect_uri)
    return (
        parts.scheme == "http"
        and parts.hostname in _HOSTS
        and (parts.hostname != "localhost" or has_port(redirect_uri))
    )


def has_port(redirect_uri: str) -> bool:
    """Whether *redirect_uri* says at which port; on `localhost` it has to, for there no other one matches."""
    return urlsplit(redirect_uri).port is not None


def with_port(redirect_uri: str, port: int) -> str:
    """*redirect_uri* with *port*, and nothing else changed."""
    origin, slash, path = redirect_uri.removeprefix("http://").partition("/")
    host = f"{origin.partition(']')[0]}]" if origin.startswith("[") else origin.partition(":")[0]
    return f"http://{host}:{port}{slash}{path}"


def _everything(_query: str) -> bool:
    return True


class LoopbackListener:
    """Listens where *redirect_uri* points, from now on; port 0 takes a free one. Raises `OSError` where it is taken.

    A browser may come to the other loopback address, too: it is listened at where it is free, and has to be for `localhost`.
    """

    def __init__(self, redirect_uri: str) -> None:
        parts = urlsplit(redirect_uri)
        host = str(parts.hostname)
        self._is_ours: Callable[[str], bool] = _everything
        self._arrived = threading.Event()
        self._query: str | None = None
        self._tell: Callable[[str], None] = lambda _url: None
        self._servers = _bind_both(_HOSTS[host], parts.port or 0, must_have_both=host == "localhost")
        port = self._servers[0].server_port
        self.redirect_uri = with_port(redirect_uri, port)
        for server in self._servers:
            server.path, server.offer = parts.path or "/", self._offer
            server.hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))

    def start(self, is_ours: Callable[[str], bool] = _everything, tell: Callable[[str], None] | None = None) -> None:
        """Answer from now on; the first address that *is_ours* (given its query) is told to *tell*."""
        self._is_ours = is_ours
        self._tell = tell or self._tell
        for server in self._servers:
            server.thread.start()

    def __enter__(self) -> LoopbackListener:
        """Itself, gone at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        for server in self._servers:
            if server.thread.is_alive():  # an interruption may come between the one's start and the other's
                server.shutdown()
            server.server_close()

    def wait(self, seconds: float) -> str | None:
        """The address the browser came back to, whatever it answers; None where nobody came in time."""
        self.start()
        deadline = time.monotonic() + seconds
        while not self._arrived.is_set() and (left := deadline - time.monotonic()) > 0:
            self._arrived.wait(min(left, 1.0))
        return None if self._query is None else self._address(self._query)

    def _address(self, query: str) -> str:
        return f"{self.redirect_uri.partition('?')[0]}?{query}"

    def _offer(self, query: str) -> bool:
        """Take the first answer that is ours; whether this was one."""
        if not self._is_ours(query):
            return False
        if self._query is None:
            self._query = query
            self._arrived.set()
            self._tell(self._address(query))
        return True


def _bind_both(first: str, port: int, *, must_have_both: bool) -> list[_Server]:
    """Servers at *first* and at the other loopback address, on one port."""
    second = "::1" if first == "127.0.0.1" else "127.0.0.1"
    for tries_left in reversed(range(_TRIES if port == 0 else 1)):
        servers = [_Server(first, port)]
        try:
            servers.append(_Server(second, servers[0].server_port))
        except OSError as failure:
            is_taken = failure.errno == errno.EADDRINUSE
            if is_taken and (must_have_both or tries_left):
                _close(servers)
                if not tries_left:
                    raise
                continue
        break
    return servers


def _close(servers: Iterable[_Server]) -> None:
    for server in servers:
        server.server_close()


class _Server(ThreadingMixIn, HTTPServer):
    """One loopback address. Threads, because browsers open connections they do not use; not without end."""

    daemon_threads = True
    request_queue_size = _AT_ONCE
    block_on_close = False
    allow_reuse_address = os.name != "nt"  # where it would let another program listen at the same port
    path = "/"
    hosts: frozenset[str] = frozenset()
    offer: Callable[[str], bool] = staticmethod(_everything)

    def __init__(self, address: str, port: int) -> None:
        self.address_family = _ADDRESSES[address]
        self._visits: dict[Any, float] = {}
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        super().__init__((address, port), _Visit)

    def server_bind(self) -> None:
        """Bind without asking a name server for this machine's name, as `HTTPServer` would."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - socketserver's signature
        """Make room for one more: who has been here longest without an answer goes."""
        visits = list(self._visits)
        for oldest in visits[: len(visits) + 1 - _AT_ONCE]:
            self._end(oldest)
        self._visits[request] = time.monotonic() + _WITHIN
        return True

    def service_actions(self) -> None:
        """End the visits whose time is up, however slowly they drip; called twenty times a second."""
        now = time.monotonic()
        for request, until in list(self._visits.items()):
            if until < now:
                self._end(request)

    def _end(self, request: Any) -> None:
        """Cut the connection; its thread reads the end of it, and goes."""
        self._visits.pop(request, None)
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """End a visit, and make room."""
        self._visits.pop(request, None)
        super().shutdown_request(request)

    def _say_nothing(self, request: Any, client_address: Any) -> None:
        """Who went away in the middle needs no answer, and a traceback would show what was asked for."""

    handle_error = _say_nothing


class _Visit(BaseHTTPRequestHandler):
    """One request of the browser."""

    server: _Server
    timeout = _WITHIN

    def answer(self) -> None:
        """Say how an answer of ours went; a favicon is no answer."""
        path, _, query = self.path.partition("?")
        if self.headers.get("host", "").lower() not in self.server.hosts:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, b"")
        elif path != self.server.path or not query:
            self._send(HTTPStatus.NOT_FOUND, b"")
        elif self.server.offer(query):
            self._send(HTTPStatus.OK, _page_for(query))
        else:
            self._send(HTTPStatus.CONFLICT, _NOT_OURS)

    do_GET = answer  # noqa: N815 - the name http.server calls

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        for name, value in (*_HEADERS, ("content-length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the request line holds the code."""
