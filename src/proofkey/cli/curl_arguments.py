"""What curl's arguments ask for: which addresses, by which method. curl itself says which of its options take a value.

1. An option that curl's help does not list, or writes shorter, is refused: nobody could say what the rest means.
2. Options that name addresses where they cannot be seen, connect to another host than the address names, ask it for
   another's, send credentials on, or write them to a file, are refused; those that name proxies are for https alone.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import click

from proofkey.client.token_store.own_store import without_token_key

_OPTION = re.compile(r"^\s*(?:-(?P<letter>\S), )?\s*--(?P<name>[\w.-]+)(?P<value> [<\[])?", re.MULTILINE)
_FORBIDDEN = re.compile(
    "config|next|location-trusted|variable|url-query|expand-.*"
    "|connect-to|resolve|unix-socket|abstract-unix-socket|request-target"
    "|libcurl|trace.*|stderr"
)
_FOR_HTTPS = re.compile("proxy|proxy1.0|preproxy|noproxy|socks[45].*|doh-url|dns-servers")
"""Plain http stays on this machine: an option that brings it to another is refused."""
_METHODS = {"head": "HEAD", "upload-file": "PUT", "get": "GET", "json": "POST"}


@dataclass(frozen=True, slots=True)
class CurlRequest:
    """What a call of curl asks for."""

    urls: tuple[str, ...]
    method: str
    options: frozenset[str] = field(default=frozenset(), compare=False)
    """The long names of all that are given."""


@dataclass(frozen=True, slots=True)
class CurlOptions:
    """Each long option and whether it takes a value, and the long names of the letters."""

    takes_value: dict[str, bool]
    letters: dict[str, str]


def read_help(help_text: str) -> CurlOptions:
    """What `curl --help all` lists."""
    found = list(_OPTION.finditer(help_text))
    letters = {each["letter"]: each["name"] for each in found if each["letter"]}
    return CurlOptions({each["name"]: each["value"] is not None for each in found}, letters)


def ask_curl(curl: str) -> CurlOptions:
    """The options of the curl that is installed."""
    command, environment = [curl, "--disable", "--help", "all"], without_token_key(os.environ)
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    return read_help(said.stdout)


def read_request(arguments: Sequence[str], options: CurlOptions) -> CurlRequest:
    """The addresses and the method that *arguments* ask for. Raises `click.UsageError`."""
    urls, given = [], {}
    for name, value in _read(list(arguments), options):
        if _FORBIDDEN.fullmatch(name):
            raise click.UsageError(f"curl's --{name} could send the token elsewhere, or leave it in a file.")
        if name == "url":
            urls.append(value)
        given[name] = value
    if not urls:
        raise click.UsageError("Missing the URL to call.")
    _check_proxies(urls, given)
    return CurlRequest(tuple(urls), _method(given), frozenset(given))


def _check_proxies(urls: Sequence[str], given: Iterable[str]) -> None:
    found = [name for name in given if _FOR_HTTPS.fullmatch(name)]
    if found and not all(url.lower().startswith("https:") for url in urls):
        raise click.UsageError(f"curl's --{found[0]} is for https: plain http stays on this machine.")


def _method(given: dict[str, str]) -> str:
    if "request" in given:
        return given["request"]
    told = [method for name, method in _METHODS.items() if name in given]
    sends = any(name.startswith(("data", "form")) for name in given)
    return told[0] if told else "POST" if sends else "GET"


def _read(arguments: list[str], options: CurlOptions) -> Iterator[tuple[str, str]]:
    """Each option's long name and value; an address is a `url`."""
    arguments.reverse()
    only_urls = False
    while arguments:
        argument = arguments.pop()
        if only_urls or not argument.startswith("-") or argument == "-":
            yield "url", argument
        elif argument == "--":
            only_urls = True
        elif argument.startswith("--"):
            name = _known(argument[2:], options)
            yield name, _value(argument, arguments) if options.takes_value.get(name) else ""
        else:
            yield from _read_letters(argument, arguments, options)


def _read_letters(argument: str, rest: list[str], options: CurlOptions) -> Iterator[tuple[str, str]]:
    """`-sSH name:value`: letters, the last of which may take what follows."""
    letters = argument[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _known(options.letters.get(letter, f"{letter} (of {argument})"), options)
        if options.takes_value[name]:
            yield name, letters or _value(argument, rest)
            return
        yield name, ""


def _known(name: str, options: CurlOptions) -> str:
    stem = name.removeprefix("no-")
    if name not in options.takes_value and stem not in options.takes_value:
        raise click.UsageError(f"curl has no option --{name}; write options in full.")
    return name if name in options.takes_value else f"no-{stem}"


def _value(argument: str, rest: list[str]) -> str:
    if not rest:
        raise click.UsageError(f"curl's {argument} takes a value.")
    return rest.pop()
