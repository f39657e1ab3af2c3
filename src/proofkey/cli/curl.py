"""`proofkey curl`: the machine's curl, with the access token in a header, for the API that the token is for.

1. The token never stands in an argument, where every account of the machine can read it: curl reads it from a pipe.
2. Plain http is for this machine alone, and no proxy of the environment hears of it. curl reads no `.curlrc`: it could
   name further addresses, proxies and hosts to connect to, and nobody would see.
3. It goes to the origin of the sign-in's resource, else to the audience the token names, and where `--allow-origin` says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from proofkey.cli.curl_arguments import CurlRequest, ask_curl, read_request
from proofkey.cli.json_text import to_json
from proofkey.cli.refused import CommandRefused, refusals_in_words
from proofkey.cli.stored_sign_in import read_sign_in, which_sign_in
from proofkey.client.sign_in import SignIn
from proofkey.client.token_store.own_store import without_token_key
from proofkey.protocol.issuer import is_safe_address

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?=[/?#]|\Z)", re.IGNORECASE
)
_PORTS = {"http": "80", "https": "443"}

_SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": ["--help"]}
"""`-h` is left to curl, for it would be found in `-dhello`, too."""


@click.command(context_settings=_SETTINGS)
@which_sign_in
@click.option("--allow-origin", multiple=True, metavar="URL", help="Another origin that may get the token.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: status, content_type, url, body.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="URL [CURL'S OPTIONS]...")
def curl(
    *,
    issuer: str | None,
    client_id: str | None,
    allow_origin: tuple[str, ...],
    as_json: bool,
    arguments: tuple[str, ...],
) -> int:
    """Call an API with curl as the person who is signed in. curl's own options stand beside the URL, after ours."""
    program = shutil.which("curl")
    if program is None:
        raise CommandRefused("failed", "curl is not installed", "curl_missing")
    request = read_request(arguments, ask_curl(program))
    if as_json and len(request.urls) > 1:
        raise click.UsageError("--json is of one address: call them one by one.")
    if as_json and "write-out" in request.options:
        raise click.UsageError("--json says what curl's --write-out could.")
    with refusals_in_words():
        sign_in = read_sign_in(issuer, client_id)
        token = sign_in.access_token()
        _check_origins(request, {*map(_origin, sign_in.audiences), *map(_origin, allow_origin)})
        config = _config(sign_in, token, request)
    if as_json:
        return _run_for_json(program, arguments, config)
    return _run(program, arguments, config)[0]


def _origin(url: str) -> str | None:
    """Scheme, host and port as curl reads them; None for an address that could be read in two ways, or is not safe."""
    found = _ORIGIN.match(url)
    if found is None or not is_safe_address(url):
        return None
    scheme = found["scheme"].lower()
    return f"{scheme}://{found['host'].lower()}:{found['port'] or _PORTS[scheme]}"


def _check_origins(request: CurlRequest, allowed: set[str | None]) -> None:
    for url in request.urls:
        origin = _origin(url)
        if origin is None or origin not in allowed:
            raise CommandRefused(
                "origin_refused",
                f"the token is not for {url.partition('?')[0]!a}: name its origin with --allow-origin if it may go there",
                "origin_not_allowed",
            )


def _config(sign_in: SignIn, token: str, request: CurlRequest) -> bytes:
    """What curl is told beside its arguments."""
    if sign_in.token_type == "DPoP" and len(request.urls) > 1:
        raise click.UsageError("A proof of possession is for one address: call them one by one.")
    proof = sign_in.prove(request.method, request.urls[0], access_token=token)
    headers = [f"Authorization: {sign_in.token_type} {token}", *([] if proof is None else [f"DPoP: {proof}"])]
    lines = [f"noproxy = {_quoted(_unproxied(request.urls, os.environ))}"]
    return "\n".join([*lines, *(f"header = {_quoted(header)}" for header in headers), ""]).encode("ascii", "ignore")


def _unproxied(urls: Sequence[str], environment: Mapping[str, str]) -> str:
    """What no proxy hears of, beside what the environment names."""
    named = (environment.get("no_proxy") or environment.get("NO_PROXY") or "").strip()
    hosts = [found["host"] for url in urls if (found := _ORIGIN.match(url)) and found["scheme"].lower() == "http"]
    return (
        named
        if named == "*"
        else ",".join(["localhost", *hosts, *(host.strip("[]") for host in hosts), *named.split()])
    )


def _quoted(text: str) -> str:
    """As curl's configuration reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _run(program: str, arguments: Sequence[str], config: bytes, **more: Any) -> tuple[int, bytes]:
    """curl's exit status and what it wrote to a pipe. Stdin stays the caller's where a pipe has a name of its own."""
    more["env"] = without_token_key(os.environ)
    if os.name == "nt":
        ran = subprocess.run([program, "--disable", "--config", "-", *arguments], input=config, check=False, **more)  # noqa: S603
        return ran.returncode, ran.stdout or b""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as end, os.fdopen(writing, "wb") as pipe:
        command = [program, "--disable", "--config", f"/dev/fd/{reading}", *arguments]
        with subprocess.Popen(command, pass_fds=(reading,), **more) as running:  # noqa: S603 - no shell
            end.close()
            with suppress(BrokenPipeError):  # it did not get as far as reading; it says why
                pipe.write(config)
                pipe.close()
            written, _ = running.communicate()
    return running.returncode, written or b""


def _run_for_json(program: str, arguments: Sequence[str], config: bytes) -> int:
    """Run curl, and print what came as one object."""
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        quiet = ["--silent", "--show-error", "--output", str(body), "--write-out", "%{json}"]
        # ours come first: behind a `--` they would be addresses, which nobody checked
        status, written = _run(program, [*quiet, *arguments], config, stdout=subprocess.PIPE)
        text = body.read_text(encoding="utf-8", errors="replace") if body.exists() else ""
    read = _read_json(written.decode("utf-8", "replace"))
    told = read if isinstance(read, dict) else {}
    shown = {
        "status": told.get("http_code"),
        "content_type": told.get("content_type"),
        "url": told.get("url_effective"),
    }
    click.echo(to_json({**shown, "body": _read_json(text)}))
    return status


def _read_json(text: str) -> Any:
    """What *text* says in JSON; *text* itself where it is none, or would be none again: too deep, a number without end."""
    try:
        content = json.loads(text)
        json.dumps(content, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    return content
