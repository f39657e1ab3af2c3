"""The sample API: a few notes, each person their own, behind the guard (RFC 6750). Everything is kept in memory.

1. Reading takes the first scope, writing the second; the audience is the API's own URL.
2. Pages of the sample app and of any origin on this machine may call, and read errors, too: tokens come in a header, no
   cookie has a say, so a page without a token gets nothing. An API that is not a demo names its own apps' origins.
3. Notes, people and bodies are bounded.
"""

from __future__ import annotations

import json
import re
import ssl
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, TypeAlias

from proofkey.guard import Guard, ResourceServer, access_of, require
from proofkey.guard.asgi import App, Message, Receive, Scope, Send, asks_metadata, send_metadata

SCOPES: Mapping[str, str] = {"notes:read": "Read your notes", "notes:write": "Add and change your notes"}
Mistake: TypeAlias = tuple[int, dict[str, str]]
MAX_BODY = 8 * 1_024
MAX_TEXT = 500
MAX_NOTES = 50
MAX_PEOPLE = 1_000
_LOOPBACK = re.compile(rb"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
_HEADER_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,500}")


class Notebook:
    """The newest notes of each person; whoever wrote longest ago is forgotten first."""

    def __init__(self) -> None:
        self._notes: OrderedDict[str, deque[str]] = OrderedDict()

    def read(self, person: str) -> list[str]:
        """The notes of *person*, oldest first."""
        return list(self._notes.get(person, ["Your first note: this came from the API."]))

    def add(self, person: str, text: str) -> None:
        """Keep *text* as the newest note of *person*."""
        notes = self._notes.setdefault(person, deque(self.read(person), maxlen=MAX_NOTES))
        notes.append(text)
        self._notes.move_to_end(person)
        if len(self._notes) > MAX_PEOPLE:
            self._notes.popitem(last=False)


def create_demo_api(
    *,
    issuer: str,
    audience: str,
    app_origin: str,
    keys_url_context: ssl.SSLContext | None = None,
    scopes: Mapping[str, str] = SCOPES,
) -> App:
    """The sample API as an ASGI application for tokens of *issuer*; *keys_url_context* trusts a development CA.

    *scopes* are one or more, with their words: the first lets read, the second (where there is one) lets write.
    """
    reading, writing = [*scopes, *scopes][:2]
    server = ResourceServer(issuer, audience=audience, scopes_supported=tuple(scopes), tls=keys_url_context)
    notebook = Notebook()

    async def read_notes(scope: Scope, _receive: Receive, send: Send) -> None:
        await _answer(send, 200, _page_of(scope, notebook))

    async def add_note(scope: Scope, receive: Receive, send: Send) -> None:
        note = _parse_note(scope, await _read_body(receive))
        if isinstance(note, tuple):
            await _answer(send, *note)
            return
        notebook.add(access_of(scope).subject, note)
        await _answer(send, 201, _page_of(scope, notebook))

    reader = Guard(read_notes, server, require([reading]))
    writer = Guard(add_note, server, require([writing]))
    api = _with_cors(_with_routes({"GET": reader, "HEAD": reader, "POST": writer}, scopes), app_origin)
    return _with_metadata(api, server)


def _page_of(scope: Scope, notebook: Notebook) -> dict[str, Any]:
    access = access_of(scope)
    return {"sub": access.subject, "scope": " ".join(sorted(access.scope)), "notes": notebook.read(access.subject)}


def _with_routes(methods: Mapping[str, App], scopes: Mapping[str, str]) -> App:
    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/":
            await _answer(send, 200, {"name": "Proofkey's sample API", "notes": "/notes", "scopes": dict(scopes)})
        elif scope["path"] != "/notes":
            await _answer(send, 404, _mistake("not_found", "There is only /notes here [no_such_path]"))
        elif scope["method"] not in methods:
            allow = [(b"allow", ", ".join(methods).encode())]
            await _answer(send, 405, _mistake("invalid_request", "Use GET or POST [method_not_allowed]"), allow)
        else:
            await methods[scope["method"]](scope, receive, send)

    return api


def _with_metadata(app: App, server: ResourceServer) -> App:
    """What the challenge leads to (RFC 9728), for everybody to read: no guard and no rule on origins before it."""

    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and asks_metadata(scope, server):
            await send_metadata(scope, send, server)
        else:
            await app(scope, receive, send)

    return api


def _with_cors(app: App, app_origin: str) -> App:
    """Let pages of *app_origin* and of this machine, and no others, read the answers, refusals included (Fetch §3.2)."""
    own = app_origin.encode("ascii")

    async def cors(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        allowed = _readable_for(origin) if origin == own or _LOOPBACK.fullmatch(origin) else []

        async def send_readable(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"vary", b"Origin"), *allowed]
            await send(message)

        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await _answer(send_readable, 204, None, _preflight(headers) if allowed else [])
        else:
            await app(scope, receive, send_readable)

    return cors


def _readable_for(origin: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"WWW-Authenticate, Retry-After"),
    ]


def _preflight(headers: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    asked = headers.get(b"access-control-request-headers", b"")
    return [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", asked if _HEADER_NAMES.fullmatch(asked) else b"authorization, content-type"),
        (b"access-control-max-age", b"600"),
    ]


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body; None where it is longer than anything sensible."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _parse_note(scope: Scope, body: bytes | None) -> str | Mistake:
    """The text of `{"text": …}`, or the status and the words of what is wrong with it."""
    if body is None:
        return 413, _mistake("invalid_request", "The body is too long [body_too_long]")
    media_type = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type != b"application/json":
        return 415, _mistake("invalid_request", "Send application/json [content_type]")
    try:
        note = json.loads(body)
    except (ValueError, RecursionError):
        note = None
    text = note.get("text") if isinstance(note, dict) else None
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= MAX_TEXT:
        return 400, _mistake("invalid_request", f"text must have 1 to {MAX_TEXT} characters [note_malformed]")
    return text.strip().encode("utf-8", "replace").decode()


def _mistake(code: str, words: str) -> dict[str, str]:
    return {"error": code, "error_description": words}


async def _answer(
    send: Send, status: int, content: Mapping[str, Any] | None, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
    typed = [] if content is None else [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    fixed = [*typed, (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})
