"""Requests and responses of the sign-in's own endpoints, over ASGI: read within bounds, answered whole.

Nothing a browser sends says where an answer points to: paths are compared, hosts are not read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from proofkey.client.page import PAGE_POLICY, render_page
from proofkey.client.web.cookie import read_cookies

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]

MAX_FORM = 65_536
FORM_WITHIN = 30.0
"""Seconds for all of a form."""
FORM = "application/x-www-form-urlencoded"
PRIVATE: Headers = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_PAGE: Headers = ((b"content-security-policy", PAGE_POLICY.encode("ascii")),)


class FormRefused(Exception):
    """The body is no form, too long, too slow, or says something twice."""


class Request:
    """One request as ASGI tells it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.path: str = scope["path"]
        self.query: str = scope.get("query_string", b"").decode("latin-1")

    @property
    def method(self) -> str:
        """GET, POST and so on; a WebSocket's handshake is a GET."""
        return str(self.scope.get("method", "GET"))

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """By name; see `read_cookies`."""
        return read_cookies(self.scope["headers"])

    def header(self, name: str) -> str | None:
        """The one value of a header; None where it is missing or came twice."""
        wanted = name.encode("ascii")
        found = [value for sent, value in self.scope["headers"] if sent == wanted]
        return found[0].decode("latin-1") if len(found) == 1 else None

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The query's parameters; those that came twice are left out."""
        return _once(self.query)

    @property
    def is_navigation(self) -> bool:
        """True where a person goes to the address, rather than a script (Fetch Metadata, with Accept for old browsers)."""
        mode = self.header("sec-fetch-mode")
        if mode is not None:
            return mode == "navigate"
        return self.method in {"GET", "HEAD"} and "text/html" in (self.header("accept") or "")

    async def form_body(self) -> bytes:
        """The bytes of a form. Raises `FormRefused`."""
        if (self.header("content-type") or "").partition(";")[0].strip().lower() != FORM:
            raise FormRefused
        try:
            async with asyncio.timeout(FORM_WITHIN):
                return await self._whole_body()
        except TimeoutError:
            raise FormRefused from None

    async def _whole_body(self) -> bytes:
        body, more = b"", True
        while more:
            message = await self.receive()
            body += message.get("body", b"")
            more = message["type"] == "http.request" and message.get("more_body", False)
            if len(body) > MAX_FORM:
                raise FormRefused
        return body

    async def form(self) -> Mapping[str, str]:
        """The fields of a form; those that came twice are left out. Raises `FormRefused`."""
        return _once((await self.form_body()).decode("utf-8", "replace"))


def _once(text: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=64)
    except ValueError:
        return {}
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers and the whole body."""

    status: int
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)

    def adding(self, *headers: tuple[bytes, bytes]) -> Response:
        """The same with further headers."""
        return Response(self.status, (*self.headers, *headers), self.body)

    @property
    def told(self) -> Any:
        """The JSON object of an answer to a script; nothing for a redirect."""
        return json.loads(self.body) if self.body[:1] == b"{" else None

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer as an ASGI application does."""
        length = (b"content-length", b"%d" % len(self.body))
        await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers, length]})
        await send({"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else self.body})


def redirect(url: str) -> Response:
    """Go there by GET (303)."""
    return Response(303, ((b"location", url.encode("ascii")), *PRIVATE))


def answer_json(status: int, content: Mapping[str, Any]) -> Response:
    """A JSON object that nobody keeps and no other site may read."""
    return Response(status, ((b"content-type", b"application/json"), *PRIVATE), json.dumps(content).encode())


def not_allowed(*methods: str) -> Response:
    """405, naming the methods there are."""
    refused = answer_json(405, {"error": "invalid_request", "error_description": "The method is not allowed here"})
    return refused.adding((b"allow", ", ".join(methods).encode()))


def page(status: int, title: str, text: str, onward: tuple[str, str] | None = None, *, support: str = "") -> Response:
    """A page for a person; see `render_page`."""
    body = render_page(title, text, onward=onward, support=support)
    return Response(status, ((b"content-type", b"text/html; charset=utf-8"), *PRIVATE, *_PAGE), body)
