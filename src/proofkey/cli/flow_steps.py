"""How `proofkey flow` shows the messages of the flow: as text for people, one JSON object per line for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import click

from proofkey.cli.json_text import to_json
from proofkey.client.messages import HttpRequest, HttpResponse, printable
from proofkey.protocol.base64url import decode_base64url

Shown: TypeAlias = Mapping[str, Any]
_HIDDEN = "(not shown)"


@dataclass(frozen=True, slots=True)
class Step:
    """One message: what went out, what came in (None: nothing did), and one sentence on what it proves.

    `refused` says why where it proves nothing; else it is None.
    """

    step: str
    sent: Shown | None
    received: Shown | None
    proves: str
    refused: str | None = None


Show: TypeAlias = Callable[[Step], None]


def sent_of(request: HttpRequest) -> Shown:
    """A request as it goes out; of a client's credentials only that they were sent."""
    headers = {name: _hide(name, value) for name, value in request.headers}
    form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    return {"method": request.method, "url": request.url, "headers": headers, "parameters": form}


def _hide(name: str, value: str) -> str:
    return f"Basic {_HIDDEN}" if name == "authorization" and value.startswith("Basic ") else value


def received_of(response: HttpResponse) -> Shown:
    """A response as it came in; the body as JSON where it is."""
    body: Any
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        body = response.body.decode("utf-8", "replace")[:2_000]
    return {"status": response.status, "body": body}


def token_of(token: str, claims: Mapping[str, Any]) -> Shown:
    """A JWT that was verified, taken apart."""
    return {"header": json.loads(decode_base64url(token.partition(".")[0])), "claims": claims}


def address_of(url: str) -> Shown:
    """An address and its parameters, taken apart."""
    return {"url": url, "parameters": dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))}


def show_json(step: Step) -> None:
    """One object on one line."""
    shown = {"step": step.step, "sent": step.sent, "received": step.received, "proves": step.proves}
    click.echo(to_json(shown))


class TextShower:
    """Numbered steps for people; colours only on a terminal."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, step: Step) -> None:
        """Print one step."""
        self._number += 1
        title = step.step.replace("_", " ")
        click.echo(f"\n{click.style(f'{self._number:>2}  {title}', bold=True)}")
        _echo_side("→", step.sent)
        _echo_side("←", step.received)
        if step.refused is None:
            click.echo(f"    {click.style('✓ ' + step.proves, fg='green')}")
        else:
            click.echo(f"    {click.style('✗ refused: ' + printable(step.refused), fg='red')}")


def _echo_side(arrow: str, shown: Shown | None) -> None:
    if shown is None:
        return
    rest = dict(shown)
    head = [str(rest.pop(name)) for name in ("method", "status", "url") if name in rest]
    click.echo(f"    {click.style(arrow, fg='cyan')} {' '.join(head)}".rstrip())
    for name, value in rest.items():
        if isinstance(value, dict) and name in {"headers", "parameters", "body"}:
            _echo_members(value)
        else:
            _echo_members({name: value})


def _echo_members(members: Mapping[str, Any]) -> None:
    for name, value in members.items():
        text = "".join(letter for letter in _text_of(value) if letter.isprintable() or letter == "\n")
        click.echo(f"        {click.style(printable(name), dim=True)}  " + text.replace("\n", "\n        "))


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    is_plain = isinstance(value, list) and all(isinstance(member, str) for member in value)
    return ", ".join(value) if is_plain else to_json(value, indent=2)
