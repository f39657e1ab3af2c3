"""Waiting for the browser at a loopback redirect URI, for clients on the person's own machine (RFC 8252 §7.3, §8.3).

1. It listens on a loopback address only, answers one path, and is gone once the answer is there.
2. What it hands back is the address as it was asked for; whether that is this login's answer, `read_callback` says.
"""

from __future__ import annotations

import socket
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit

_HOSTS = {"127.0.0.1": socket.AF_INET, "localhost": socket.AF_INET, "::1": socket.AF_INET6}
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width"><title>Done here</title>
<h1>Done here</h1><p>You can close this page and go back to the program that sent you.</p></html>
"""
_HEADERS = (
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("connection", "close"),
)


def is_loopback_redirect_uri(redirect_uri: str) -> bool:
    """True where a program on this machine can wait for the answer itself: http, loopback, with a port."""
    parts = urlsplit(redirect_uri)
    return parts.scheme == "http" and parts.hostname in _HOSTS and parts.port is not None


class LoopbackListener:
    """Listens where *redirect_uri* points, from now on. Raises `OSError` where the port is taken."""

    def __init__(self, redirect_uri: str) -> None:
        parts = urlsplit(redirect_uri)
        host = str(parts.hostname)
        self._address = redirect_uri.partition("?")[0]
        self._server = _Server("127.0.0.1" if host == "localhost" else host, parts.port or 0, _HOSTS[host])
        self._server.path = parts.path or "/"

    def __enter__(self) -> LoopbackListener:
        """Itself, gone at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.server_close()

    def wait(self, seconds: float) -> str | None:
        """The address the browser came back to; None where nobody came in time."""
        deadline = time.monotonic() + seconds
        while self._server.query is None and time.monotonic() < deadline:
            self._server.handle_request()
        return None if self._server.query is None else f"{self._address}?{self._server.query}"


class _Server(ThreadingMixIn, HTTPServer):
    """Remembers the first answer at its path. Threads, because browsers open connections they do not use."""

    daemon_threads = True
    block_on_close = False
    timeout = 0.2
    path = "/"
    query: str | None = None

    def __init__(self, host: str, port: int, family: socket.AddressFamily) -> None:
        self.address_family = family
        super().__init__((host, port), _Visit)

    def server_bind(self) -> None:
        """Bind without asking a name server for this machine's name, as `HTTPServer` would."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


class _Visit(BaseHTTPRequestHandler):
    """One request of the browser."""

    server: _Server
    timeout = 5

    def answer(self) -> None:
        """Thank for an answer, then remember it; a favicon is no answer."""
        path, _, query = self.path.partition("?")
        is_answer = path == self.server.path and query != ""
        body = _PAGE if is_answer else b""
        self.send_response(HTTPStatus.OK if is_answer else HTTPStatus.NOT_FOUND)
        for name, value in (*_HEADERS, ("content-length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if is_answer and self.server.query is None:
            self.server.query = query

    do_GET = answer  # noqa: N815 - the name http.server calls

    def log_message(self, *_: Any) -> None:
        """Nothing: the request line holds the code."""
