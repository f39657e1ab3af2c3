"""Serves a single-page app on http://127.0.0.1:8000: `python3 serve.py FOLDER`. No server for production.

An address without a file, as `/callback`, is a place within the app: its answer is the app's page, not a redirect.
"""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Pages(SimpleHTTPRequestHandler):
    """The files of a folder; index.html for whatever has no file and no dot in its name."""

    def translate_path(self, path: str) -> str:
        """The file to send."""
        found = Path(super().translate_path(path))
        return str(found if found.is_file() or "." in found.name else Path(self.directory) / "index.html")


if __name__ == "__main__":
    folder, port = sys.argv[1], int((*sys.argv[2:], "8000")[0])
    with ThreadingHTTPServer(("127.0.0.1", port), partial(Pages, directory=folder)) as server:
        print(f"http://127.0.0.1:{port}/", flush=True)
        server.serve_forever()
