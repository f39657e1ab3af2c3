"""The application's APIs behind its own origin: the browser sends its cookie, the API gets the access token.

1. Nothing goes to an API without a session; what changes something also needs this session's CSRF token.
2. Both bodies are streamed, within limits; an answer that grows past its limit, or that nobody takes, is cut, and the
   connection with it: no browser keeps the API's connections by not reading. For a browser that left, nothing goes on.
3. What an API answers is shown or read, never run: a request for a script, a style or a worker is refused (Fetch Metadata).
4. An API that asks for a stronger sign-in (RFC 9470) is answered here: a script gets the address, a person goes there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from urllib.parse import quote

import httpx2

from proofkey.client.web.csrf import CsrfRefused, check_proxied
from proofkey.client.web.forwarding import request_headers, response_headers, upstream_url
from proofkey.client.web.message import Message, Receive, Request, Response, Scope, Send, answer_json, redirect
from proofkey.client.web.recognise import Recognised, recognise, slide
from proofkey.client.web.refresh import SessionEnded
from proofkey.client.web.request_body import RequestBody
from proofkey.client.web.site import Site
from proofkey.client.web.step_up import ERROR, login_address, read_step_up
from proofkey.client.web.upstream import Upstream
from proofkey.protocol.records import MINUTE, SECOND


class AnswerCut(ConnectionError):
    """An answer that was begun and cannot be brought to its end: the connection must be closed, not ended well."""


_log = logging.getLogger("proofkey.client.web")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
DESTINATIONS = frozenset("empty document frame iframe image audio video track font json text".split())


def find_prefix(prefixes: Mapping[str, object], path: str) -> str | None:
    """The longest prefix that *path* stands under."""
    found = [prefix for prefix in prefixes if path == prefix or path.startswith(f"{prefix}/")]
    return max(found, key=len, default=None)


async def forward(site: Site, upstream: Upstream, prefix: str, request: Request, send: Send) -> Response | None:
    """Send the request on and stream the answer; a `Response` instead where it is answered here. Raises `Refusal`."""
    if request.method not in METHODS:
        return answer_json(405, {"error": "invalid_request", "error_description": "The method is not forwarded"})
    if request.header("sec-fetch-dest") not in DESTINATIONS | {None}:
        raise CsrfRefused("proxied_to_be_run", "What an API answers is no script, style or worker of this application")
    raw_path = request.scope.get("raw_path") or quote(request.path).encode("ascii")
    url = upstream_url(prefix, upstream.api, raw_path.partition(b"?")[0], request.scope.get("query_string", b""))
    who = await recognise(site, request)
    if who is None:
        return ask_for_login(site, request)
    check_proxied(site, request, who)
    await slide(site, who.stored)
    body = RequestBody(request, upstream.api)
    await body.start()
    is_begun = False
    headers = request_headers(request.scope["headers"])
    try:
        async with body.until_left(), upstream.send(site, who, request.method, url, headers, body) as answer:
            asked = read_step_up(answer.headers.get_list("www-authenticate")) if answer.status_code == 401 else None
            if asked is not None:
                return _step_up(site, request, who, asked)
            is_begun = True
            await _stream(prefix, upstream, url, answer, send)
    except SessionEnded as ended:
        _log.info("signed out: %s", ended.reason)
        return ask_for_login(site, request)
    return None if is_begun else Response(503)  # nobody reads it; middleware around us wants an answer all the same


def ask_for_login(site: Site, request: Request, error: str = "login_required") -> Response:
    """The person goes to sign in, a script is told where that is."""
    login = login_address(site.addresses.path("login"), {}, _here(site, request))
    if request.is_navigation and request.method in {"GET", "HEAD"}:
        return redirect(login)
    return answer_json(401, {"error": error, "error_description": "Sign in first", "login": login})


def _here(site: Site, request: Request) -> str:
    """Where the person is: the address of a navigation; a script says for itself where it wants to come back to."""
    if not request.is_navigation:
        return "/"
    asked = f"?{request.query}" if request.query else ""
    return site.addresses.check_return_to(f"{quote(request.path)}{asked}")


def _step_up(site: Site, request: Request, who: Recognised, asked: Mapping[str, str]) -> Response:
    """A navigation goes to sign in, unless it just came from there with as much and it was not enough."""
    contents = who.contents
    had = {"acr_values": contents.asked_acr_values, "max_age": contents.asked_max_age}
    wanted = {"acr_values": asked.get("acr_values"), "max_age": int(asked["max_age"]) if "max_age" in asked else None}
    login = login_address(site.addresses.path("login"), asked, _here(site, request))
    tried = had == wanted and site.clock() < contents.created_at + MINUTE
    if request.is_navigation and request.method in {"GET", "HEAD"} and not tried:
        return redirect(login)
    told = "The API asks for a stronger or fresher sign-in"
    return answer_json(401, {"error": ERROR, "error_description": told, "login": login, **asked})


async def _stream(prefix: str, upstream: Upstream, url: str, answer: httpx2.Response, send: Send) -> None:
    headers = response_headers(prefix, upstream.api, url, answer.status_code, answer.headers.raw)
    send = _in_time(send, upstream.api.timeout_for)
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    size = 0
    try:
        async for chunk in answer.aiter_raw():
            size += len(chunk)
            if size > upstream.api.max_response:
                raise AnswerCut("the API's answer has no end")
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except httpx2.HTTPError as failure:
        raise AnswerCut(type(failure).__name__) from None
    await send({"type": "http.response.body", "body": b""})


def _in_time(send: Send, timeout_for: int) -> Send:
    async def sending(message: Message) -> None:
        try:
            async with asyncio.timeout(timeout_for / SECOND):
                await send(message)
        except TimeoutError:
            raise AnswerCut("nobody takes the API's answer") from None

    return sending


async def refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """WebSockets are not forwarded: a handshake is answered 501 where the server can, else closed."""
    await receive()
    refused = {"error": "invalid_request", "error_description": "WebSockets are not forwarded"}
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refused["error_description"]})
        return
    response = answer_json(501, refused)
    start = {"type": "websocket.http.response.start", "status": response.status, "headers": list(response.headers)}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": response.body})
