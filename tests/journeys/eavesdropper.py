"""Writes down every secret that a test's HTTP clients send or are given, so that a log can be searched for them."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2

from tests.person import read_forms

SECRET = frozenset(
    "code state nonce code_verifier password username client_secret access_token refresh_token id_token id_token_hint "
    "login_hint request ticket token authorization_code mark".split()
)
"""Names of parameters, form fields and JSON members whose values no log may hold; `mark` is a test's own."""
SHORTEST = 8


class Eavesdropper:
    """Listens to clients. `heard` has the names under which each secret was seen."""

    def __init__(self) -> None:
        self.heard: dict[str, set[str]] = {}

    def listen(self, http: httpx2.AsyncClient) -> None:
        """Write down what this client sends and is given from now on."""
        http.event_hooks = {"request": [self._sent], "response": [self._given]}

    def note(self, name: str, value: object) -> None:
        """Write down one secret; what is too short to be told from chance is left out."""
        if isinstance(value, str) and len(value) >= SHORTEST:
            self.heard.setdefault(value, set()).add(name)

    async def _sent(self, request: httpx2.Request) -> None:
        for header in ("authorization", "cookie"):
            for word in request.headers.get(header, "").replace(";", " ").replace("=", " ").split():
                self.note(header, word)
        self._note_pairs(parse_qsl(urlsplit(str(request.url)).query))
        if b"=" in request.content:
            self._note_pairs(parse_qsl(request.content.decode("latin-1")))

    async def _given(self, response: httpx2.Response) -> None:
        await response.aread()
        for line in response.headers.get_list("set-cookie"):
            for morsel in SimpleCookie(line).values():
                self.note("set-cookie", morsel.value)
        self._note_pairs(parse_qsl(urlsplit(response.headers.get("location", "")).query))
        kind = response.headers.get("content-type", "")
        if kind.startswith("application/json"):
            self._note_pairs(response.json().items())
        elif kind.startswith("text/html"):
            self._note_pairs(pair for form in read_forms(response) for pair in form.fields.items())

    def _note_pairs(self, pairs: Any) -> None:
        for name, value in pairs:
            if name in SECRET:
                self.note(name, value)

    def find_in(self, text: str, *, but: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
        """The secrets that *text* holds, whole, percent-encoded or cut short; not those known only by names in *but*."""
        for value, names in self.heard.items():
            pieces = {value, quote(value), quote(value, safe="")}
            if len(value) >= 32:
                third = len(value) // 3  # the beginning may be told: of a refresh token it is the grant's id
                pieces |= {value[third : third + 20], value[-20:]}
            if names - but and any(piece in text for piece in pieces):
                yield ", ".join(sorted(names)), value
