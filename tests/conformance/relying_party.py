"""`proofkey.client.web` as the client under test: listening over https, and a browser that goes through it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2

from proofkey.client.web import SESSION, Scope, SignIn
from proofkey.client.web.message import Receive, Send, page
from proofkey.server.local_ca import open_local_authority, trusting
from tests.listening import bind, listening
from tests.person import read_forms

_MOST_STEPS = 12
_MARK = re.compile(r"<[^>]*>")


class Place:
    """An https address of its own, on a free port of this machine, known before anything answers there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = open_local_authority(folder, ["localhost"])
        self.listener = bind()
        self.origin = f"https://localhost:{self.listener.getsockname()[1]}"
        self.redirect_uri = f"{self.origin}/auth/callback"
        self.post_logout_redirect_uri = f"{self.origin}/auth/logged-out"
        self.backchannel_logout_uri = f"{self.origin}/auth/backchannel-logout"


@contextmanager
def open_place() -> Iterator[Place]:
    """A place with a certificate of its own, both gone at the end of the block."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        try:
            yield place
        finally:
            place.listener.close()


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    """The application behind the sign-in: says who is there."""
    if scope["type"] == "lifespan":
        for moment in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{moment}.complete"})
        return
    session = scope[SESSION]
    await page(200, "Hello", session.subject if session else "nobody", ("/auth/login", "Sign in"))(scope, receive, send)


@contextmanager
def relying_party(place: Place, ca_file: Path, **options: Any) -> Iterator[Browser]:
    """The client at *place* for one issuer, and a browser; both are gone at the end of the block."""
    sign_in = SignIn(greet, redirect_uri=place.redirect_uri, ca_file=ca_file, s256_announced=False, **options)
    tls = {"ssl_certfile": place.folder / "server.pem", "ssl_keyfile": place.folder / "server.key"}
    with listening(sign_in, place.listener.dup(), lifespan="on", **tls), Browser(place, ca_file) as browser:
        yield browser


class Browser:
    """Keeps cookies, follows redirects, and sends forms that would send themselves."""

    def __init__(self, place: Place, ca_file: Path) -> None:
        trusted = trusting(ca_file)
        trusted.load_verify_locations(cafile=place.authority.ca_file)
        self.origin = place.origin
        self._http = httpx2.Client(verify=trusted, trust_env=False, timeout=60)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def begin(self) -> str:
        """Ask to sign in and go no further; where the client would send the browser."""
        answer = self._http.get(f"{self.origin}/auth/login")
        return str(answer.headers.get("location", answer.text))

    def sign_in(self, query: str = "") -> str:
        """Sign in from the beginning; what the application says at the end."""
        return self._go(self._http.get(f"{self.origin}/auth/login{query}"))

    def sign_out(self) -> str:
        """Sign out as the application's own button does; what is said at the end."""
        told = self._http.get(f"{self.origin}/auth/session").json()
        answer = self._http.post(f"{self.origin}/auth/logout", data={"csrf": told.get("csrf", "")})
        return self._go(answer)

    def is_signed_in(self) -> bool:
        """Whether the client knows this browser's person."""
        told = self._http.get(f"{self.origin}/auth/session").json()
        return bool(told["signed_in"])

    def _go(self, answer: httpx2.Response) -> str:
        for _ in range(_MOST_STEPS):
            if "location" in answer.headers:
                answer = self._http.get(urljoin(str(answer.url), answer.headers["location"]))
            elif answer.status_code == 200 and str(answer.url).startswith(self.origin):
                break
            elif (form := next(iter(read_forms(answer)), None)) and form.method.lower() == "post":
                answer = self._http.post(urljoin(str(answer.url), form.action), data=form.fields)
            else:
                break
        return f"{answer.status_code} {_words(answer.text)}"


def _words(html: str) -> str:
    """What a page says, without its marks."""
    return " ".join(_MARK.sub(" ", html.rpartition("</title>")[2]).split())
