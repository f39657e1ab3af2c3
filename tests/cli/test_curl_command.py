"""`proofkey curl`: the real curl, with the token in no argument, and sent to the API alone."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import psutil
import pytest

from proofkey.cli.curl_arguments import CurlRequest, ask_curl, read_request
from tests.cli.signed_in import CommandLine
from tests.cli.signed_in import shell as shell
from tests.dev_server import DevServer


def last_line(err: str) -> str:
    return err.rstrip().splitlines()[-1]


@pytest.fixture(scope="module")
def signed_in(dev: DevServer, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Alice is signed in, once for all tests here, which leave it so."""
    command_line = CommandLine(dev, tmp_path_factory.mktemp("signed-in"))
    command_line.login("--scope", "openid notes:read notes:write offline_access")
    return command_line


@pytest.fixture
def notes(dev: DevServer) -> str:
    url: str = dev.told["resource"]["url"]
    return url


class Elsewhere:
    """Somebody else's server, who keeps what it is sent."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        elsewhere = self

        class Visit(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                elsewhere.seen.append({name.lower(): value for name, value in self.headers.items()})
                time.sleep(elsewhere.slow)
                self.send_response(200)
                self.send_header("content-length", str(len(elsewhere.body)))
                self.end_headers()
                self.wfile.write(elsewhere.body)

            def log_message(self, *_: Any) -> None: ...

        self.slow = 0.0
        self.body = b""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Visit)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


def test_the_api_is_called_as_the_person(signed_in: CommandLine, notes: str) -> None:
    status, out, err = signed_in.run("curl", "-s", notes)
    assert (0, True) == (status, "notes" in json.loads(out)), err
    status, out, _ = signed_in.run(
        "curl", "-sS", "-X", "POST", "-H", "content-type: application/json", notes, "-d", '{"text":"x"}'
    )
    assert (0, True) == (status, "error" not in out)


def test_one_object_of_the_answer(signed_in: CommandLine, notes: str) -> None:
    status, out, _ = signed_in.run("curl", "--json", notes)
    told = json.loads(out)
    assert (0, 200, "application/json", notes) == (status, told["status"], told["content_type"], told["url"])
    assert "notes" in told["body"]


def test_our_own_options_never_become_addresses(signed_in: CommandLine, elsewhere: Elsewhere, notes: str) -> None:
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), elsewhere.url)
    status, out, err = signed_in.run("curl", "--json", notes, "--", **proxy)
    assert (0, 200, []) == (status, json.loads(out)["status"], elsewhere.seen), err


@pytest.mark.parametrize("body", ["[" * 200_000, '{"b":1e999}', "NaN"])
def test_what_would_be_no_json_again_is_text(signed_in: CommandLine, elsewhere: Elsewhere, body: str) -> None:
    elsewhere.body = body.encode()
    status, out, err = signed_in.run("curl", "--json", "--allow-origin", elsewhere.url, elsewhere.url)
    assert (0, body) == (status, json.loads(out)["body"]), err


@pytest.mark.parametrize("more", [["{}"], ["-sw", "%{{http_code}}"], ["--write-out", "x"]])
def test_one_object_is_of_one_address_and_all_that_is_written(
    signed_in: CommandLine, notes: str, more: list[str]
) -> None:
    status, out, err = signed_in.run("curl", "--json", notes, *(each.format(notes) for each in more))
    assert (2, "") == (status, out), err


def test_no_answer_commands_the_terminal(signed_in: CommandLine, elsewhere: Elsewhere) -> None:
    elsewhere.body = "\x1b[2J\x9b2J\u202e".encode()
    _, out, _ = signed_in.run("curl", "--json", "--allow-origin", elsewhere.url, elsewhere.url)
    assert (True, "\x1b[2J\x9b2J\u202e") == (out.isascii(), json.loads(out)["body"])


def test_a_letter_s_value_is_none_of_our_options(signed_in: CommandLine, notes: str) -> None:
    status, out, err = signed_in.run("curl", "-s", "-dhello=1", notes)
    assert (0, False) == (status, "Usage" in out), err


def test_stdin_is_curl_s_own(signed_in: CommandLine, notes: str) -> None:
    options = ["-X", "POST", "-H", "content-type: application/json", "--data-binary", "@-"]
    status, out, _ = signed_in.run("curl", "-s", notes, *options, stdin='{"text":"from stdin"}')
    assert (0, False) == (status, "error" in out)
    assert "from stdin" in signed_in.run("curl", "-s", notes)[1]


def test_curl_s_exit_status_is_ours(signed_in: CommandLine, notes: str) -> None:
    assert 22 == signed_in.run("curl", "-s", "--fail", f"{notes}/nowhere")[0]
    assert 7 == signed_in.run("curl", "-s", "--allow-origin", "http://127.0.0.1:9", "http://127.0.0.1:9/")[0]


def test_no_process_s_arguments_hold_the_token(signed_in: CommandLine, elsewhere: Elsewhere) -> None:
    elsewhere.slow = 1.5
    _, token, _ = signed_in.run("token")
    with signed_in.start("curl", "--allow-origin", elsewhere.url, "-s", elsewhere.url) as process:
        while not elsewhere.seen:
            time.sleep(0.02)
        family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
        shown = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for pid in family for name in ("cmdline", "environ"))
        process.communicate(timeout=30)
    assert (2, True, False) == (len(family), b"curl" in shown, token.strip().encode() in shown)
    assert f"Bearer {token.strip()}" == elsewhere.seen[0]["authorization"]


def test_curl_does_not_get_the_key_of_the_tokens(dev: DevServer, tmp_path: Path, notes: str) -> None:
    key = "k" * 43
    shell = CommandLine(dev, tmp_path)
    options = ["--issuer", dev.issuer, "--client-id", "native", "--scope", "openid notes:read"]
    assert 0 == shell.run("login", *options, PROOFKEY_TOKEN_KEY=key)[0]
    fake = tmp_path / "curl"
    fake.write_text('#!/bin/sh\n[ "$2" = --help ] && echo " -s, --silent  Quiet" || env\n')
    fake.chmod(stat.S_IRWXU)
    path = f"{tmp_path}:{os.environ['PATH']}"
    status, out, err = shell.run("curl", "-s", notes, PATH=path, PROOFKEY_TOKEN_KEY=key)
    assert (0, True, False) == (status, "PATH=" in out, "PROOFKEY_TOKEN_KEY" in out), err


def test_another_origin_gets_nothing_unless_it_is_allowed(signed_in: CommandLine, elsewhere: Elsewhere) -> None:
    status, out, err = signed_in.run("curl", "-s", elsewhere.url)
    assert (1, "", True) == (status, out, last_line(err).endswith("[origin_not_allowed]"))
    assert [] == elsewhere.seen


def test_no_proxy_hears_of_plain_http(signed_in: CommandLine, elsewhere: Elsewhere, notes: str) -> None:
    proxies = dict.fromkeys(("http_proxy", "ALL_PROXY"), elsewhere.url)
    for no_proxy in ("", "*", "corp.example,other.example"):
        status, out, err = signed_in.run("curl", "-s", notes, no_proxy=no_proxy, **proxies)
        assert (0, True, []) == (status, "notes" in out, elsewhere.seen), err


def test_a_redirect_elsewhere_takes_no_token_along(
    signed_in: CommandLine, elsewhere: Elsewhere, notes: str, tmp_path: Path
) -> None:
    (tmp_path / ".curlrc").write_text("location-trusted\n")

    class Sends(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("location", elsewhere.url.replace("127.0.0.1", "localhost"))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Sends)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        status, _, err = signed_in.run("curl", "-sL", "--allow-origin", url, url, HOME=str(tmp_path))
    finally:
        server.shutdown()
        server.server_close()
    assert (0, [None]) == (status, [seen.get("authorization") for seen in elsewhere.seen]), err


@pytest.mark.parametrize(
    "line",
    [
        "next\nurl = {elsewhere}",
        "url = {elsewhere}",
        "proxy = {elsewhere}",
        "connect-to = ::{host}",
        "preproxy = {elsewhere}",
    ],
)
def test_the_account_s_curlrc_brings_the_token_nowhere(
    signed_in: CommandLine, elsewhere: Elsewhere, notes: str, tmp_path: Path, line: str
) -> None:
    host = elsewhere.url.removeprefix("http://").rstrip("/")
    (tmp_path / ".curlrc").write_text(line.format(elsewhere=elsewhere.url, host=host) + "\n")
    status, out, err = signed_in.run("curl", "-s", notes, HOME=str(tmp_path))
    assert (0, True, []) == (status, "notes" in out, elsewhere.seen), err


@pytest.mark.parametrize(
    "options",
    [
        ["--connect-to", "::{host}"],
        ["--resolve", "localhost:80:127.0.0.1"],
        ["--unix-socket", "/tmp/x"],
        ["--abstract-unix-socket", "x"],
        ["-x{elsewhere}"],
        ["-x", "{elsewhere}"],
        ["--proxy", "{elsewhere}"],
        ["--preproxy", "socks5://{host}"],
        ["--proxy1.0", "{host}"],
        ["--socks5", "{host}"],
        ["--socks4a", "{host}"],
        ["--noproxy", ""],
        ["--doh-url", "https://evil.example/"],
        ["--libcurl", "{folder}/kept"],
        ["--trace", "{folder}/kept"],
        ["--trace-ascii", "{folder}/kept"],
        ["-v", "--stderr", "{folder}/kept"],
        ["--request-target", "{elsewhere}"],
    ],
)
def test_no_option_brings_the_token_to_another_host_or_into_a_file(
    signed_in: CommandLine, elsewhere: Elsewhere, notes: str, tmp_path: Path, options: list[str]
) -> None:
    host = elsewhere.url.removeprefix("http://").rstrip("/")
    told = [option.format(elsewhere=elsewhere.url, host=host, folder=tmp_path) for option in options]
    status, out, err = signed_in.run("curl", "-s", *told, notes)
    assert (2, "", True) == (status, out, last_line(err).startswith("error: usage: curl's --")), err
    assert ([], []) == (elsewhere.seen, list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    "arguments",
    [
        ["{notes}", "https://evil.example/"],
        ["{notes}", "--url", "https://evil.example/"],
        ["--", "{notes}", "evil.example"],
        ["{notes}", "-o", "/dev/null", "evil.example"],
        ["https://127.0.0.1@evil.example/"],
        ["http://{{127.0.0.1,evil.example}}/"],
        ["https://127.0.0.1\\@evil.example/"],
        ["file:///etc/passwd"],
        ["-"],
    ],
)
def test_no_second_address_slips_by(signed_in: CommandLine, notes: str, arguments: list[str]) -> None:
    status, _, err = signed_in.run("curl", *(argument.format(notes=notes) for argument in arguments))
    assert (1, True) == (status, last_line(err).endswith("[origin_not_allowed]")), err


@pytest.mark.parametrize(
    "options",
    [
        ["--next"],
        ["-:"],
        ["-K", "/tmp/x"],
        ["--config", "-"],
        ["-sK/tmp/x"],
        ["--location-trusted"],
        ["--locat"],
        ["--no-such-option"],
        ["-s", "-o"],
    ],
)
def test_what_cannot_be_judged_is_wrong_usage(signed_in: CommandLine, notes: str, options: list[str]) -> None:
    status, out, err = signed_in.run("curl", notes, *options)
    assert (2, "", True) == (status, out, last_line(err).startswith("error: usage: "))


def test_without_a_url_it_is_wrong_usage(signed_in: CommandLine) -> None:
    assert 2 == signed_in.run("curl", "-s")[0]


def test_without_a_sign_in_nothing_is_called(shell: CommandLine, elsewhere: Elsewhere) -> None:
    assert (3, []) == (shell.run("curl", elsewhere.url)[0], elsewhere.seen)


def test_without_curl_it_is_said(signed_in: CommandLine, notes: str, tmp_path: Path) -> None:
    status, _, err = signed_in.run("curl", notes, PATH=str(tmp_path))
    assert (1, "error: failed: curl is not installed [curl_missing]") == (status, last_line(err))


def test_a_curl_that_fails_before_it_reads_says_why(signed_in: CommandLine, notes: str, tmp_path: Path) -> None:
    broken = tmp_path / "curl"
    broken.write_text('#!/bin/sh\n[ "$2" = --help ] && echo " -s, --silent  Quiet" || { echo no >&2; exit 2; }\n')
    broken.chmod(stat.S_IRWXU)
    status, _, err = signed_in.run("curl", "-s", notes, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (2, "no\n") == (status, err)


OPTIONS = ask_curl("curl")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("U", CurlRequest(("U",), "GET")),
        ("U -d a=b", CurlRequest(("U",), "POST")),
        ("-da=b U", CurlRequest(("U",), "POST")),
        ("-sSda=b U", CurlRequest(("U",), "POST")),
        ("-G -d a=b U", CurlRequest(("U",), "GET")),
        ("-I U", CurlRequest(("U",), "HEAD")),
        ("-T file U", CurlRequest(("U",), "PUT")),
        ("-F a=b U", CurlRequest(("U",), "POST")),
        ("--json {} U", CurlRequest(("U",), "POST")),
        ("-X DELETE -d a U", CurlRequest(("U",), "DELETE")),
        ("-XPATCH U", CurlRequest(("U",), "PATCH")),
        ("--no-progress-meter --request PUT U V", CurlRequest(("U", "V"), "PUT")),
        ("-H -X U", CurlRequest(("U",), "GET")),
        ("-o -d -- U -d", CurlRequest(("U", "-d"), "GET")),
        ("-xhttp://proxy.example https://U", CurlRequest(("https://U",), "GET")),
        ("--proxy http://proxy.example https://U -X PUT", CurlRequest(("https://U",), "PUT")),
    ],
)
def test_what_curl_will_ask_for(arguments: str, expected: CurlRequest) -> None:
    assert expected == read_request(arguments.split(), OPTIONS)


def test_a_letter_without_its_value_is_wrong_usage() -> None:
    with pytest.raises(click.UsageError):
        read_request(["U", "-X"], OPTIONS)
