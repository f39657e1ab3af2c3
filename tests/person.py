"""Somebody at a browser without JavaScript: keeps cookies, reads forms and fills them in, and is sent back to the client."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2

from tests.dev_server import DevServer


@dataclass(slots=True)
class Form:
    """One form of a page: where it goes, what it holds, and the values of its buttons by name."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, list[str]] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(given.get("action", ""), given.get("method", "get")))
        elif self.found and "name" in given and tag == "input":
            self.found[-1].fields[given["name"]] = given.get("value", "")
        elif self.found and "name" in given and tag == "button":
            self.found[-1].buttons.setdefault(given["name"], []).append(given.get("value", ""))


def read_forms(page: httpx2.Response) -> list[Form]:
    """The forms of a page, in their order."""
    parser = _Forms()
    parser.feed(page.text)
    return parser.found


def form_with(page: httpx2.Response, name: str) -> Form | None:
    """The form of *page* that has a field or button called *name*."""
    return next((form for form in read_forms(page) if name in form.fields or name in form.buttons), None)


def sent_back(response: httpx2.Response) -> dict[str, str]:
    """The parameters the client gets at its redirect URI."""
    assert response.status_code == 303, response.text
    return dict(parse_qsl(urlsplit(response.headers["location"]).query, keep_blank_values=True, strict_parsing=True))


def client_of(server: DevServer, **options: Any) -> httpx2.AsyncClient:
    """An HTTP client that follows no redirect by itself and trusts the server's own authority, if it speaks TLS at all."""
    ca_file = server.told["ca_file"]
    verify = ssl.create_default_context(cafile=ca_file) if ca_file else False
    return httpx2.AsyncClient(verify=verify, trust_env=False, timeout=60, **options)


class Person:
    """Somebody who has an account. Use as an async context manager."""

    def __init__(self, server: DevServer, username: str = "alice") -> None:
        self.server = server
        self.username = username
        self.http = client_of(server)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def open(self, query: Mapping[str, str]) -> httpx2.Response:
        """What the browser gets for an authorization request."""
        return await self.http.get(f"{self.server.here}/oauth2/authorize", params=query)

    async def submit(self, page: httpx2.Response, form: Form, **filled: str) -> httpx2.Response:
        """Send a form of *page* as a browser would."""
        assert form.method == "post"
        return await self.http.post(urljoin(str(page.url), form.action), data={**form.fields, **filled})

    async def sign_in(self, page: httpx2.Response, password: str | None = None) -> httpx2.Response:
        """Fill in the sign-in page; what it leads to."""
        form = form_with(page, "password")
        assert form is not None, page.text
        known = password or self.server.password_of(self.username)
        return await self.submit(page, form, username=self.username, password=known)

    async def decide(self, page: httpx2.Response, decision: str = "allow") -> httpx2.Response:
        """Press one of the buttons of the consent page; what it leads to."""
        form = form_with(page, "decision")
        assert form is not None, page.text
        assert decision in form.buttons["decision"]
        return await self.submit(page, form, decision=decision)

    async def go_on(self, page: httpx2.Response, decision: str = "allow") -> httpx2.Response:
        """Sign in and decide as far as *page* asks for it; what leads out of the server."""
        if page.status_code == 200 and form_with(page, "password"):
            page = await self.sign_in(page)
        if page.status_code == 200 and form_with(page, "decision"):
            page = await self.decide(page, decision)
        return page

    async def go_through(self, query: Mapping[str, str], decision: str = "allow") -> dict[str, str]:
        """Ask, and go on from there; what the client gets in the end."""
        return sent_back(await self.go_on(await self.open(query), decision))
