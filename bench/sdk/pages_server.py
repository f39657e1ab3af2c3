"""The origins that the libraries' pages live on: static bytes over http on loopback, scripts cacheable as they would be."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

START = """<!doctype html><meta charset="utf-8"><title>start</title><link rel="icon" href="data:,">
<script>
  globalThis.go = () => {
    sessionStorage.setItem("started", performance.timeOrigin + performance.now());
    location.assign("/");
  };
</script>"""
PAGE = """<!doctype html><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
<script>
  globalThis.bench = {
    config: %s,
    finish(token) {
      if (token.split(".").length !== 3) throw new Error("no token");
      globalThis.taken = performance.timeOrigin + performance.now() - Number(sessionStorage.getItem("started"));
    },
  };
</script>
<script type="module" src="/%s.js"></script>"""


class Origin(ThreadingHTTPServer):
    """One origin on a free port: `/start`, the page everywhere else, and the scripts of *folder*."""

    daemon_threads = True

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.name = name
        self.folder = folder
        self.config: Mapping[str, Any] = {}

    @property
    def url(self) -> str:
        """Its address, without a slash at its end."""
        return f"http://127.0.0.1:{self.server_port}"

    def find(self, path: str) -> tuple[str, bytes]:
        """Content type and body."""
        place = self.folder / path.lstrip("/")
        if path.endswith(".js") and place.is_file():
            return "text/javascript", place.read_bytes()
        page = START if path == "/start" else PAGE % (json.dumps(self.config), self.name)
        return "text/html; charset=utf-8", page.encode()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def do_GET(self) -> None:
        media_type, body = self.server.find(self.path.partition("?")[0])
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "max-age=3600" if media_type == "text/javascript" else "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def origins(names: list[str], folder: Path) -> Iterator[dict[str, Origin]]:
    """An origin for each name, answering inside the block."""
    with ExitStack() as running:
        opened = {name: running.enter_context(Origin(name, folder)) for name in names}
        for origin in opened.values():
            threading.Thread(target=origin.serve_forever, daemon=True).start()
            running.callback(origin.shutdown)
        yield opened
