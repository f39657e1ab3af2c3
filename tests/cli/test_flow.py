"""`proofkey flow` as a person and as a program run it, against a real server and with a real sign-in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from tests.dev_server import PROOFKEY, DevServer, StartDev
from tests.listening import bind, url_of
from tests.person import Person, form_with

ADDRESS = re.compile(r"^https?://\S+/oauth2/authorize\?\S+$", re.MULTILINE)
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PROOFKEY_")}


class Flow:
    """One `proofkey flow` that runs; its stderr is read until it asks for the person."""

    def __init__(self, issuer: str, options: Sequence[str], **environment: str) -> None:
        self.process = subprocess.Popen(
            [PROOFKEY, "flow", issuer, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**ENVIRONMENT, **environment},
        )

    def address(self) -> str:
        """The address it sends the person to."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if ADDRESS.match(line):
                return line.strip()
        raise AssertionError("no address was printed")

    def end(self, pasted: str = "") -> tuple[int, str, str]:
        """Paste, and wait for the end: status, stdout, stderr."""
        with contextlib.suppress(BrokenPipeError):
            out, err = self.process.communicate(f"{pasted}\n" if pasted else None, timeout=60)
        return self.process.returncode, out, err


def back_from(server: DevServer, address: str, decision: str = "allow") -> str:
    """Where alice's browser ends when she follows *address*, signs in and decides."""

    async def visit() -> str:
        async with Person(server) as person:
            page = await person.http.get(address)
            page = await person.sign_in(page)
            if page.status_code == 200 and form_with(page, "decision"):
                page = await person.decide(page, decision)
            return str(page.headers["location"])

    return asyncio.run(visit())


def last_line(err: str) -> str:
    return err.strip().splitlines()[-1]


def walk(server: DevServer, *options: str, decision: str = "allow") -> tuple[int, list[dict[str, Any]], str]:
    """A whole walk with `--json --no-browser`: status, messages, stderr."""
    flow = Flow(server.issuer, ["--json", "--no-browser", *options])
    status, out, err = flow.end(back_from(server, flow.address(), decision))
    return status, [json.loads(line) for line in out.splitlines()], err


def test_a_public_client_walks_the_whole_flow(dev: DevServer) -> None:
    status, messages, err = walk(dev, "--client-id", "native", "--scope", "openid email notes:read")
    assert status == 0, err
    assert [
        "discovery",
        "proof_key",
        "authorization_request",
        "callback",
        "token_request",
        "keys",
        "id_token",
        "access_token",
        "userinfo",
        "refresh",
        "revocation",
        "refresh_after_revocation",
    ] == [message["step"] for message in messages]
    assert {("step", "sent", "received", "proves")} == {tuple(message) for message in messages}
    by_step = {message["step"]: message for message in messages}
    made = by_step["proof_key"]["received"]
    assert made["code_challenge"] == by_step["authorization_request"]["sent"]["parameters"]["code_challenge"]
    assert made["code_verifier"] == by_step["token_request"]["sent"]["parameters"]["code_verifier"]
    assert (dev.issuer, made["nonce"], "native") == tuple(
        by_step["id_token"]["received"]["claims"][name] for name in ("iss", "nonce", "aud")
    )
    assert {"alg": "ES256", "typ": "at+jwt"}.items() <= by_step["access_token"]["received"]["header"].items()
    assert dev.told["resource"]["audience"] == by_step["access_token"]["received"]["claims"]["aud"]
    assert by_step["userinfo"]["received"]["body"]["email"] == "alice@demo.example"
    assert by_step["refresh_after_revocation"]["received"]["body"]["error"] == "invalid_grant"


def test_a_confidential_client_introspects_too_and_its_secret_stays_hidden(dev: DevServer) -> None:
    client_id, secret = dev.secret_of("web")
    redirect_uri = dev.application("web")["redirect_uris"][0]
    options = ["--client-id", client_id, "--client-secret", secret, "--redirect-uri", redirect_uri]
    status, messages, err = walk(dev, *options)
    assert status == 0, err
    by_step = {message["step"]: message for message in messages}
    assert by_step["introspection"]["received"]["body"]["active"] is True
    assert secret not in json.dumps(messages) + err
    assert by_step["token_request"]["sent"]["headers"]["authorization"] == "Basic (not shown)"


def test_a_denied_consent_ends_with_access_denied(dev: DevServer) -> None:
    status, messages, err = walk(dev, "--client-id", "native", decision="deny")
    assert (1, "callback", "nothing: this was refused") == (status, messages[-1]["step"], messages[-1]["proves"])
    assert re.fullmatch(r"error: access_denied: .+ \[\w+\]", last_line(err))


def test_an_answer_of_another_login_is_refused(dev: DevServer) -> None:
    first = Flow(dev.issuer, ["--json", "--no-browser", "--client-id", "native"])
    elsewhere = back_from(dev, first.address())
    first.end()
    redirect_uri = elsewhere.partition("?")[0]
    second = Flow(dev.issuer, ["--no-browser", "--client-id", "native", "--redirect-uri", redirect_uri])
    second.address()
    status, _, err = second.end(elsewhere)
    assert status == 1
    assert last_line(err).startswith("error: invalid_response: state is not the one of this login")
    assert last_line(err).endswith("[callback_state_differs]")


def test_people_read_numbered_steps(dev: DevServer) -> None:
    flow = Flow(dev.issuer, ["--no-browser"], PROOFKEY_CLIENT_ID="native")
    status, out, err = flow.end(back_from(dev, flow.address()))
    assert status == 0, err
    assert "\x1b" not in out
    assert [str(number) for number in range(1, 13)] == re.findall(r"^ ?(\d+)  [a-z]", out, re.MULTILINE)
    assert 12 == out.count("✓ ")


def test_people_see_a_refusal_marked_as_one(dev: DevServer) -> None:
    flow = Flow(dev.issuer, ["--no-browser", "--client-id", "native"])
    status, out, err = flow.end(back_from(dev, flow.address(), "deny"))
    words = last_line(err).removeprefix("error: access_denied: ")
    assert (1, 3, f"    ✗ refused: {words}") == (status, out.count("✓ "), out.splitlines()[-1])


def test_a_browser_comes_back_by_itself(dev: DevServer) -> None:
    listener = bind()
    redirect_uri = f"{url_of(listener)}/callback"
    listener.close()
    flow = Flow(dev.issuer, ["--json", "--client-id", "native", "--redirect-uri", redirect_uri], BROWSER="true")
    url = back_from(dev, flow.address())
    with httpx2.Client(trust_env=False) as browser:
        assert [404, 404] == [
            browser.get(url.replace("/callback", path)).status_code for path in ("/favicon.ico", "/x")
        ]
        page = browser.get(url)
    assert (200, "no-store") == (page.status_code, page.headers["cache-control"])
    assert "code=" not in page.text
    status, out, err = flow.end()
    assert (0, "refresh_after_revocation") == (status, json.loads(out.splitlines()[-1])["step"]), err


def test_a_taken_port_is_named(dev: DevServer) -> None:
    taken = bind()
    taken.listen()
    redirect_uri = f"{url_of(taken)}/callback"
    status, out, err = Flow(dev.issuer, ["--client-id", "native", "--redirect-uri", redirect_uri]).end()
    taken.close()
    assert (1, "", True) == (status, out, last_line(err).endswith("[redirect_port_taken]"))


def test_nothing_pasted_is_an_end(dev: DevServer) -> None:
    flow = Flow(dev.issuer, ["--no-browser", "--client-id", "native"])
    flow.address()
    status, _, err = flow.end("")
    assert (1, True) == (status, last_line(err).endswith("[callback_not_pasted]"))


def test_an_interrupt_is_130(dev: DevServer) -> None:
    flow = Flow(dev.issuer, ["--client-id", "native"], BROWSER="true")
    flow.address()
    flow.process.send_signal(signal.SIGINT)
    assert flow.end()[0] == 130


@pytest.mark.parametrize(
    "options",
    [["http://issuer.example", "--client-id", "a"], ["https://issuer.example"], ["ftp://a", "--client-id", "a"]],
)
def test_wrong_usage_is_2(options: list[str]) -> None:
    status, out, err = Flow(options[0], options[1:]).end()
    assert (2, "", True) == (status, out, last_line(err).startswith("error: usage: "))


def test_an_issuer_that_is_not_there_is_named() -> None:
    nobody = bind()
    url = url_of(nobody)
    nobody.close()
    status, _, err = Flow(url, ["--client-id", "a", "--no-browser"]).end()
    expected = f"error: invalid_response: Nobody answers (is it running?): {url} [server_unreachable]"
    assert (1, expected) == (status, last_line(err))


def test_an_issuer_by_another_name_is_refused(dev: DevServer) -> None:
    status, _, err = Flow(f"{dev.issuer}/", ["--client-id", "a", "--no-browser"]).end()
    assert (1, True) == (
        status,
        last_line(err).endswith(f"asked for {dev.issuer}/, it names itself {dev.issuer} [metadata_issuer_differs]"),
    )


def test_a_local_authority_is_trusted_when_it_is_named(start_dev: StartDev) -> None:
    server = start_dev("--tls")
    ca_file = server.told["ca_file"]
    status, _, err = walk(server, "--client-id", "native", "--ca-file", ca_file)
    assert status == 0, err
    without = Flow(server.issuer, ["--client-id", "native", "--no-browser"])
    status, _, err = without.end()
    origin = server.issuer.removesuffix("/demo/main")
    words = f"The certificate is not trusted (name its authority: --ca-file, in Python ca_file): {origin}"
    assert (1, f"error: invalid_response: {words} [certificate_not_trusted]") == (status, last_line(err))
    assert Path(ca_file).is_file()


def test_the_parameters_travel_once(dev: DevServer) -> None:
    flow = Flow(dev.issuer, ["--json", "--no-browser", "--client-id", "native"])
    sent = parse_qsl(urlsplit(flow.address()).query)
    flow.end()
    assert len(sent) == len(dict(sent))
