"""What a client sends and how it reads what comes back, without sending anything (RFC 6749 §5, RFC 7617).

1. A request is a value; whoever has a network sends it.
2. Nothing in an answer is believed by its look: status, JSON and types are checked, texts are cut and made printable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import urlencode

from proofkey.protocol.client_auth import write_basic
from proofkey.protocol.errors import Refusal

Claims: TypeAlias = Mapping[str, Any]
_MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request, ready to be sent. Redirects are not to be followed.

    >>> first, second = metadata_requests("https://login.example")
    >>> first.method, first.url
    ('GET', 'https://login.example/.well-known/oauth-authorization-server')
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back; header names in lower case.

    >>> HttpResponse(200, {"content-type": "application/json"}, b"{}").status
    200
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registration:
    """What a client knows about itself: as registered, to the byte. A public client has no secret.

    With a secret it authenticates by *authentication*, which must be what the issuer registered. ID tokens and logout
    tokens under another algorithm than *id_token_signed_response_alg* are refused; None takes every one of the issuer's keys.

    >>> registered = Registration("notes-app", "https://notes.example/callback", client_secret="kept at the server")
    >>> registered.authentication, "kept at" in repr(registered)
    ('client_secret_basic', False)
    """

    client_id: str
    redirect_uri: str
    client_secret: str | None = field(default=None, repr=False)
    authentication: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    id_token_signed_response_alg: str | None = None


def public_registration(client_id: str, redirect_uri: str, client_secret: str | None) -> Registration:
    """Of a program that can keep no secret; one that it was given all the same goes into the form, beside the client_id."""
    return Registration(client_id, redirect_uri, client_secret=client_secret, authentication="client_secret_post")


class ResponseRefused(Refusal):
    """An answer that must not be believed, or is none: the client stops here. `reason` is its slug in the manual.

    >>> try:
    ...     read_tokens(200, b"<html>")
    ... except ResponseRefused as refused:
    ...     print(refused.reason)
    response_unreadable
    """

    code = "invalid_response"


class NoAnswer(ResponseRefused):
    """Nobody answered, or with nothing that can be used: worth another try, and no word of the issuer against anything."""


class ServerRefused(Refusal):
    """The server said no: `code` and `error_description` are its words.

    >>> try:
    ...     read_tokens(400, b'{"error": "invalid_grant"}')
    ... except ServerRefused as refused:
    ...     print(refused.code)
    invalid_grant
    """

    def __init__(self, reason: str, *, code: object, told: object) -> None:
        super().__init__(reason)
        self.code = printable(code) or "server_error"
        self.told = printable(told)

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed a little later: the server itself had a problem."""
        return self.code in {"temporarily_unavailable", "server_error"}

    @property
    def error_description(self) -> str:
        """What the server told, which ends with its own slug where it has one."""
        return self.told or f"The server refused and did not say why [{self.reason}]"


def printable(text: object) -> str:
    """*text* from the other side, fit for a terminal: no control characters, not too long."""
    return "".join(letter for letter in str(text or "")[:_MAX_TEXT] if letter.isprintable())


def form_request(url: str, parameters: Mapping[str, str], registration: Registration) -> HttpRequest:
    """A form that the client authenticates: with its secret, else by its client_id alone (RFC 6749 §2.3.1)."""
    headers = [("accept", "application/json"), ("content-type", "application/x-www-form-urlencoded")]
    if registration.client_secret is None:
        parameters = {**parameters, "client_id": registration.client_id}
    elif registration.authentication == "client_secret_post":
        secret = {"client_id": registration.client_id, "client_secret": registration.client_secret}
        parameters = {**parameters, **secret}
    else:
        headers.append(("authorization", write_basic(registration.client_id, registration.client_secret)))
    return HttpRequest("POST", url, tuple(headers), urlencode(parameters).encode("ascii"))


def read_object(status: int, body: bytes, *, grants: str | None = None) -> dict[str, Any]:
    """The JSON object of a 200. Raises `ServerRefused` with the server's words, `ResponseRefused` for anything else.

    What should hold *grants*, and holds an `error` in its place, is a refusal with 200: GitHub's are all like that.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    is_refusal = isinstance(answer, dict) and isinstance(answer.get("error"), str)
    if status == 200 and isinstance(answer, dict) and not (is_refusal and grants is not None and grants not in answer):
        return answer
    if isinstance(answer, dict) and is_refusal:
        raise ServerRefused("server_refused", code=answer["error"], told=answer.get("error_description"))
    raise NoAnswer("response_unreadable", "The server's answer is no JSON object", detail=f"status {status}")
