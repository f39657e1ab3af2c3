"""A real proxy in front of an issuer that loses answers: the server has done its work, and nobody hears of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2


class DroppingProxy:
    """Forwards to *upstream*; cuts the connection in place of the answer where *drops* says so, given the path and a count.

    `refreshed` counts the refresh requests that reached the issuer, `dropped` the answers that were lost.
    """

    def __init__(self, drops: Callable[[int], bool] = lambda _number: False) -> None:
        self.upstream = ""
        self.drops = drops
        self.refreshed = 0
        self.dropped = 0
        self._counting = threading.Lock()
        proxy = self

        class Visit(BaseHTTPRequestHandler):
            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                proxy.forward(self, body)

            do_GET = do_POST = forward  # noqa: N815 - the names http.server calls

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Visit)
        self.port = self._server.server_port
        self._client = httpx2.Client(trust_env=False, timeout=30)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def forward(self, visit: BaseHTTPRequestHandler, body: bytes) -> None:
        """Ask the issuer, and answer or not."""
        headers = {name: value for name, value in visit.headers.items() if name.lower() != "connection"}
        answer = self._client.request(visit.command, self.upstream + visit.path, headers=headers, content=body)
        if b"grant_type=refresh_token" in body and self._loses_answer():
            visit.close_connection = True
            visit.connection.close()
            return
        visit.send_response(answer.status_code)
        for name, value in answer.headers.multi_items():
            if name not in ("content-length", "transfer-encoding", "connection", "content-encoding", "date", "server"):
                visit.send_header(name, value)
        visit.send_header("content-length", str(len(answer.content)))
        visit.end_headers()
        visit.wfile.write(answer.content)

    def _loses_answer(self) -> bool:
        with self._counting:
            self.refreshed += 1
            lost = self.drops(self.refreshed)
            self.dropped += lost
            return lost

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._client.close()


@contextmanager
def dropping_proxy(drops: Callable[[int], bool] = lambda _number: False) -> Iterator[DroppingProxy]:
    """A proxy for one test; its `upstream` is to be set."""
    proxy = DroppingProxy(drops)
    try:
        yield proxy
    finally:
        proxy.close()
