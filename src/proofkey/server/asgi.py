"""The tiny layer between ASGI and our endpoints: a request that is read within bounds, a response that is bytes.

1. Sizes are bounded before anything is parsed; a body is read only by the endpoint that wants one.
2. No header decides where a response points to: issuer and addresses come from configuration alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, TypeAlias

from proofkey.protocol.errors import InvalidRequest
from proofkey.protocol.parameters import MAX_BODY, Parameters, parse
from proofkey.protocol.record import record

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

_FORM = b"application/x-www-form-urlencoded"
_LENGTH_DIGITS = 20
_MAX_DRAINED = 2_097_152


class TransportRefused(Exception):
    """Refused before it is a protocol matter: wrong method, type or size."""

    def __init__(self, status: int, refusal: InvalidRequest, headers: Headers | None = None) -> None:
        super().__init__(refusal.reason)
        self.status = status
        self.refusal = refusal
        self.headers = headers or []


@record(frozen=True, slots=True)
class Response:
    """Status, headers in lower case, and body."""

    status: int
    headers: Headers
    body: bytes = b""


@dataclass(slots=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    peer: str
    receive: Receive
    repeated: set[bytes] = field(default_factory=set)

    @classmethod
    def from_scope(cls, scope: Scope, receive: Receive) -> Request:
        """Read the ASGI scope; of a header sent twice the last is kept and the name remembered."""
        headers: dict[bytes, bytes] = {}
        repeated: set[bytes] = set()
        for name, value in scope["headers"]:
            if name in headers:
                repeated.add(name)
                if name == b"cookie":
                    value = headers[name] + b"; " + value
            headers[name] = value
        client = scope.get("client")
        return cls(
            scope["method"],
            scope["path"],
            scope["query_string"],
            headers,
            client[0] if client else "",
            receive,
            repeated,
        )

    def cookie(self, name: str) -> str | None:
        """The value of the cookie called *name* (RFC 6265 §5.4)."""
        wanted = name.encode() + b"="
        for pair in self.headers.get(b"cookie", b"").split(b";"):
            stripped = pair.strip()
            if stripped.startswith(wanted):
                return stripped[len(wanted) :].decode("latin-1")
        return None

    def numbered_cookies(self, name: str) -> tuple[str, ...]:
        """The values of the cookies called *name* with any number before its last part."""
        stem, _, last = name.encode().rpartition(b"_")
        pairs = [pair.strip().partition(b"=") for pair in self.headers.get(b"cookie", b"").split(b";")]
        return tuple(
            value.decode("latin-1") for key, _, value in pairs if key.startswith(stem) and key.endswith(b"_" + last)
        )

    def address(self, trusted_proxies: tuple[str, ...]) -> str:
        """Where the person connects from: the peer, or the last address a trusted proxy saw."""
        address = self.peer
        if not trusted_proxies:
            return address
        forwarded = self.headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        for hop in reversed(forwarded):
            if not _is_in(address, trusted_proxies) or not hop.strip():
                break
            address = hop.strip()
        return address

    @property
    def has_form(self) -> bool:
        """True where the body is declared to be a form."""
        return self.headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower() == _FORM

    async def form(self, known: frozenset[str]) -> Parameters:
        """The known parameters of a form body; faults are refused later, by whoever can answer them."""
        return parse(await self.form_body(), known)

    async def form_body(self) -> bytes:
        """The form as it was sent, or a refusal with 415 for any other kind of body."""
        if not self.has_form:
            raise TransportRefused(
                415, InvalidRequest("body_not_a_form", "The body must be application/x-www-form-urlencoded")
            )
        return await self.body()

    async def body(self) -> bytes:
        """The whole body, or a refusal with 413 once it is larger than `MAX_BODY`.

        What is too large is read on for a while: who is still sending cannot read the refusal (RFC 9112 §9.6).
        """
        declared = self.headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > _LENGTH_DIGITS or int(declared) > _MAX_DRAINED:
            raise _too_large()
        body, size, more = b"", 0, True
        while more and size <= _MAX_DRAINED:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise TransportRefused(400, InvalidRequest("body_incomplete", "The body ended before its length"))
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= MAX_BODY:
                body += chunk
            more = message.get("more_body", False)
        if size > MAX_BODY:
            raise _too_large()
        return body


def _too_large() -> TransportRefused:
    refusal = InvalidRequest("body_too_large", f"The body must not exceed {MAX_BODY} bytes")
    return TransportRefused(413, refusal, [(b"connection", b"close")])


def _is_in(address: str, networks: tuple[str, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in ip_network(network) for network in networks)


async def respond(send: Send, response: Response) -> None:
    """Send *response* whole."""
    await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
    await send({"type": "http.response.body", "body": response.body})
