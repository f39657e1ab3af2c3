"""Every page a person may see, as examples, and a small server that shows them with their real headers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from proofkey.server.pages.render import (
    ConsentItem,
    ConsentPage,
    ErrorPage,
    ErrorRow,
    FormPostPage,
    IssuerPage,
    LoginPage,
    SignedOutPage,
    SignOutPage,
    StillSignedInPage,
    page_headers,
    render_consent,
    render_error,
    render_form_post,
    render_issuer,
    render_login,
    render_sign_out,
    render_signed_out,
    render_still_signed_in,
)
from proofkey.server.pages.static_files import STATIC

REQUEST = "v1." + "Zm9vYmFy" * 40
LONG_NAME = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
LONG_HOST = "a-very-long-preview-deployment-name-of-a-branch-7f3c2a9d.eu-central-1.preview.customer.example.com:8443"

LOGIN = LoginPage(
    action="/login",
    request=REQUEST,
    workspace="Northwind",
    client="Field Notes",
    client_host="notes.example.com",
    username="",
    problem="",
    chosen="",
)
LOGIN_PROBLEM = LoginPage(
    action="/login",
    request=REQUEST,
    workspace="Northwind",
    client="Field Notes",
    client_host="notes.example.com",
    username="alice@demo.example",
    problem="This name and password do not belong together. Check both and try again.",
    chosen="",
)
LOGIN_CHOSEN = LoginPage(
    action="/login",
    request=REQUEST,
    workspace="Northwind",
    client="Field Notes",
    client_host="127.0.0.1:8401",
    username="",
    problem="",
    chosen="Alice Example",
    ticket="t1ck3t",
)
CONSENT = ConsentPage(
    action="/consent",
    request=REQUEST,
    ticket="t" * 60,
    workspace="Northwind",
    client="Field Notes",
    client_host="notes.example.com",
    person="alice@demo.example",
    items=(
        ConsentItem("openid", "Know that it is you", ""),
        ConsentItem("email", "See your e-mail address", ""),
        ConsentItem("notes:read", "Read your notes", "Notes API"),
        ConsentItem("notes:write", "Write and delete your notes", "Notes API"),
    ),
    asks_every_time=False,
)
CONSENT_LONG = ConsentPage(
    action="/consent",
    request=REQUEST,
    ticket="t" * 60,
    workspace=LONG_NAME,
    client=LONG_NAME,
    client_host=LONG_HOST,
    person=f"{'alice' * 12}@{LONG_HOST}",
    items=(
        ConsentItem(
            "https://api.example.com/auth/" + "very.long.scope." * 8 + "readonly",
            "Read everything that you have ever written down, including what you have already deleted",
            LONG_NAME,
        ),
    ),
    asks_every_time=True,
)
SIGN_OUT = SignOutPage("/oauth2/logout", "t" * 60, "Northwind", "alice@demo.example", "Field Notes")
SIGNED_OUT = SignedOutPage("Northwind", "Field Notes", "https://notes.example.com/goodbye")
ERROR = ErrorPage(
    "This sign-in link does not work",
    "Go back to the application and try again. If it happens again, tell whoever runs it:",
    "The application asked us to send you to an address that it has not registered",
    "redirect_uri_unregistered",
    "Northwind",
)
ERROR_DEV = ErrorPage(
    "This sign-in link does not work",
    "Go back to the application and try again. If it happens again, tell whoever runs it:",
    "redirect_uri is none of the addresses registered for this application.",
    "redirect_uri_unregistered",
    "Northwind",
    (
        ErrorRow("scheme", "http", "https", False),
        ErrorRow("host", "notes.example.com", "notes.example.com", True),
        ErrorRow("port", "8401", "", False),
        ErrorRow("path", "/callback/" + "deep/" * 20, "/callback", False),
        ErrorRow("query", "", "", True),
    ),
    "http://notes.example.com:8401/callback/" + "deep/" * 20,
    "https://notes.example.com/callback",
)
ISSUER = IssuerPage("Northwind", "http://localhost:8400/northwind/main")
FORM_POST = FormPostPage(
    "https://notes.example.com/callback",
    (("code", "c" * 270), ("state", '"><script>'), ("iss", "http://localhost:8400")),
    "Northwind",
)

SAMPLES: Mapping[str, str] = {
    "login": render_login(LOGIN),
    "login_problem": render_login(LOGIN_PROBLEM),
    "login_chosen": render_login(LOGIN_CHOSEN),
    "consent": render_consent(CONSENT),
    "consent_long": render_consent(CONSENT_LONG),
    "sign_out": render_sign_out(SIGN_OUT),
    "still_signed_in": render_still_signed_in(StillSignedInPage("Northwind", "alice@demo.example")),
    "signed_out": render_signed_out(SIGNED_OUT),
    "error": render_error(ERROR),
    "error_dev": render_error(ERROR_DEV),
    "issuer": render_issuer(ISSUER),
    "form_post": render_form_post(FORM_POST),
}


class _Pages(BaseHTTPRequestHandler):
    """GET /NAME is a sample, GET /static/… its files; a POST is answered with what it said, as plain text."""

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].removeprefix("/")
        if name == "form_post":
            here = f"http://{self.headers['host']}"
            page = replace(FORM_POST, action=f"{here}/callback")
            self._answer(page_headers(form_action=here, script=True), render_form_post(page).encode())
        elif name in SAMPLES:
            self._answer(page_headers(), SAMPLES[name].encode())
        elif self.path in STATIC:
            self._answer(*STATIC[self.path])
        elif name == "favicon.ico":  # a browser asks for it beside the plain answers; the pages name their own
            self._answer([(b"content-type", b"image/x-icon")], b"")
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self._answer([(b"content-type", b"text/plain; charset=utf-8")], body)

    def _answer(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        self.send_response(200)
        for name, value in headers:
            self.send_header(name.decode("ascii"), value.decode("ascii"))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: a test that fails tells more."""


@contextmanager
def serve_pages() -> Iterator[str]:
    """Serve the samples on a free port of the loopback; gives the origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
