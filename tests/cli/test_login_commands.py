"""`proofkey login`, `logout`, `token` and `whoami` as a person and a script run them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from proofkey.client import SealedFileStore, StoredSignIn
from tests.cli.signed_in import CommandLine
from tests.cli.signed_in import shell as shell
from tests.cli.signed_in import signed_in as signed_in
from tests.dev_server import DevServer, StartDev
from tests.visitor import sign_in


def last_line(err: str) -> str:
    return err.rstrip().splitlines()[-1]


def address_in(process: subprocess.Popen[str]) -> str:
    """The address the person is sent to."""
    assert process.stderr is not None
    return next(line.strip() for line in process.stderr if "/oauth2/authorize?" in line)


def test_signing_in_says_who_and_prints_no_token(shell: CommandLine, dev: DevServer) -> None:
    status, out, err = shell.run("login", "--issuer", dev.issuer, "--client-id", "native")
    assert (0, f"signed in as Alice Adler at {dev.issuer}\n") == (status, out)
    _, token, _ = shell.run("token")
    assert (1, True) == (len(token.splitlines()), token.startswith("eyJ"))
    assert token.strip() not in out + err


def test_login_in_json(shell: CommandLine, dev: DevServer) -> None:
    options = ["--scope", "openid", "--resource", dev.told["resource"]["audience"], "--json"]
    status, out, _ = shell.run("login", "--issuer", dev.issuer, "--client-id", "native", *options)
    told = json.loads(out)
    assert (0, 1) == (status, len(out.splitlines()))
    assert (dev.issuer, "native", "openid", dev.told["resource"]["audience"], "Bearer") == (
        *(told[name] for name in ("issuer", "client_id", "scope", "resource", "token_type")),
    )
    assert told["sub"]
    assert 200_000 < told["access_token_until"] - time.time() * 1_000 < 400_000


HOSTILE = "Eve\x1b[2J\x9b2J\x85\x7f\u202e\u2028\ue000\U000e0041 Ådler 日本"


def test_no_claim_commands_the_terminal(shell: CommandLine) -> None:
    kept = StoredSignIn(
        "https://issuer.example", "cli", "openid", None, {HOSTILE: HOSTILE}, "Bearer", "at", None, None, 1
    )
    SealedFileStore(shell.folder / "state" / "proofkey").save(kept)
    for options in ([], ["--json"]):
        status, out, _ = shell.run("whoami", *options)
        assert (0, {HOSTILE: HOSTILE}) == (status, json.loads(out))
        assert [] == [letter for letter in out if not letter.isprintable() and letter != "\n"]
        assert "Ådler 日本" in out


def test_whoami_and_token_in_json(signed_in: CommandLine) -> None:
    _, pretty, _ = signed_in.run("whoami")
    _, line, _ = signed_in.run("whoami", "--json")
    assert ("Alice Adler", 1) == (json.loads(line)["name"], len(line.splitlines()))
    assert json.loads(pretty) == json.loads(line)
    _, told, _ = signed_in.run("token", "--json")
    _, token, _ = signed_in.run("token")
    assert {"access_token", "token_type", "access_token_until", "scope"} == set(json.loads(told))
    assert token.strip() == json.loads(told)["access_token"]


def test_logout_ends_it_here_and_at_the_issuer(signed_in: CommandLine, dev: DevServer) -> None:
    _, token, _ = signed_in.run("token")
    userinfo = {"url": f"{dev.issuer}/oauth2/userinfo", "headers": {"authorization": f"Bearer {token.strip()}"}}
    assert 200 == httpx2.get(**userinfo).status_code  # type: ignore[arg-type]
    status, out, _ = signed_in.run("logout", "--json")
    assert (0, True) == (status, json.loads(out)["revoked"])
    assert 401 == httpx2.get(**userinfo).status_code  # type: ignore[arg-type]
    assert [] == list((signed_in.folder / "state" / "proofkey").glob("*.sealed"))
    assert 3 == signed_in.run("token")[0]


@pytest.mark.parametrize("command", ["token", "whoami", "logout"])
def test_without_a_sign_in_the_status_is_three(shell: CommandLine, command: str) -> None:
    status, out, err = shell.run(command)
    assert (3, "") == (status, out)
    assert "error: not_signed_in: nobody is signed in: run proofkey login [sign_in_missing]" == last_line(err)


def test_issuer_and_client_come_from_options_then_variables_then_the_only_sign_in(
    signed_in: CommandLine, dev: DevServer
) -> None:
    issuer = dev.issuer
    assert 0 == signed_in.run("token", "--issuer", issuer, "--client-id", "native")[0]
    assert 0 == signed_in.run("token", PROOFKEY_ISSUER=issuer, PROOFKEY_CLIENT_ID="native")[0]
    assert 3 == signed_in.run("token", PROOFKEY_CLIENT_ID="other")[0]
    assert 3 == signed_in.run("token", "--issuer", "https://issuer.example", PROOFKEY_ISSUER=issuer)[0]
    assert 0 == signed_in.run("login")[0]  # again, at the only one there is


def test_whoever_signs_in_first_has_to_say_where(shell: CommandLine) -> None:
    status, out, err = shell.run("login", "--client-id", "native")
    assert (2, "") == (status, out)
    assert "error: usage: Missing option '--issuer'. [usage]" == last_line(err)


@pytest.mark.parametrize("issuer", ["http://issuer.example", "issuer.example", "https://issuer.example/?a=b"])
def test_an_issuer_that_is_none_is_wrong_usage(shell: CommandLine, issuer: str) -> None:
    assert 2 == shell.run("login", "--issuer", issuer, "--client-id", "native")[0]


def test_an_issuer_that_is_not_there_is_said(shell: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        issuer = f"http://127.0.0.1:{probe.getsockname()[1]}"
    status, _, err = shell.run("login", "--issuer", issuer, "--client-id", "native")
    assert (1, True) == (status, last_line(err).endswith("[server_unreachable]"))


def test_https_where_http_is_spoken_is_said(shell: CommandLine, dev: DevServer) -> None:
    issuer = dev.issuer.replace("http://", "https://")
    status, _, err = shell.run("login", "--issuer", issuer, "--client-id", "native")
    words = f"It answers, but without TLS (is it http://?): {issuer.removesuffix('/demo/main')} [tls_not_spoken]"
    assert (1, f"error: invalid_response: {words}") == (status, last_line(err))


def test_no_browser_prints_the_address_and_reads_the_answer(shell: CommandLine, dev: DevServer) -> None:
    with shell.start("login", "--no-browser", "--issuer", dev.issuer, "--client-id", "native") as process:
        callback = sign_in(address_in(process), "alice", dev.password_of("alice"))
        out, err = process.communicate(f"{callback}\n", timeout=30)
    assert (0, f"signed in as Alice Adler at {dev.issuer}\n") == (process.returncode, out), err


def test_a_refusal_of_the_issuer_is_the_last_line(shell: CommandLine, dev: DevServer) -> None:
    with shell.start("login", "--no-browser", "--issuer", dev.issuer, "--client-id", "native") as process:
        address = address_in(process)
        state = address.split("state=")[1].split("&")[0]
        answer = f"error=access_denied&error_description=The+person+said+no&state={state}&iss={dev.issuer}"
        _, err = process.communicate(f"?{answer}\n", timeout=30)
    assert (1, "error: access_denied: The person said no [callback_refused]") == (process.returncode, last_line(err))


def test_a_secret_from_a_file_is_sent_to_the_issuer_and_a_file_without_one_is_wrong_usage(
    shell: CommandLine, dev: DevServer, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    command = ["login", "--issuer", dev.issuer, "--client-id", "native", "--client-secret-file", str(secret)]
    for none in (b"\n", b"\xff\xfe"):
        secret.write_bytes(none)
        status, _, err = shell.run(*command)
        assert (2, True) == (status, "it holds no secret" in last_line(err))
    secret.write_text("of every copy\n")
    status, _, err = shell.run(*command)
    assert (1, True) == (status, last_line(err).startswith("error: invalid_client: ")), "that client is a public one"


def test_ctrl_c_ends_it_with_130_and_keeps_nothing(shell: CommandLine, dev: DevServer) -> None:
    with shell.start("login", "--issuer", dev.issuer, "--client-id", "native", BROWSER="true") as process:
        address_in(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (130, "", False) == (process.returncode, out, "Traceback" in err)
    assert 3 == shell.run("whoami")[0]


def test_the_chosen_port_is_listened_at(shell: CommandLine, dev: DevServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        ports = [str(each.getsockname()[1]) for each in (taken, free)]
        free.close()
        options = ["--port", ports[0], "--port", ports[1]]
        status, _, err = shell.run("login", "--issuer", dev.issuer, "--client-id", "native", *options)
        assert (0, True) == (status, f"127.0.0.1%3A{ports[1]}%2Fcallback" in err)
        status, _, err = shell.run("login", "--port", ports[0])
    assert (1, True) == (status, last_line(err).endswith("[login_without_way_back]"))
    assert [f"taken: http://127.0.0.1:{ports[0]}/callback"] == [line for line in err.splitlines() if "taken" in line]


def test_an_authority_of_one_s_own_is_remembered(start_dev: StartDev, tmp_path: Path) -> None:
    server = start_dev("--tls")
    shell = CommandLine(server, tmp_path)
    ca_file = server.told["ca_file"]
    status, _, err = shell.run("login", "--issuer", server.issuer, "--client-id", "native")
    assert (1, True) == (status, last_line(err).endswith("[certificate_not_trusted]"))
    with shell.start(
        "login", "--no-browser", "--issuer", server.issuer, "--client-id", "native", "--ca-file", ca_file
    ) as process:
        address = address_in(process)
        callback = sign_in_over_tls(address, server, ca_file)
        _, err = process.communicate(f"{callback}\n", timeout=30)
    assert 0 == process.returncode, err
    status, out, err = shell.run("logout", "--json")
    assert (0, True) == (status, json.loads(out)["revoked"]), err


def sign_in_over_tls(address: str, server: DevServer, ca_file: str) -> str:
    """Alice at a browser that trusts the server's own authority."""
    program = "import sys; from tests.visitor import sign_in; print(sign_in(*sys.argv[1:]))"
    ran = subprocess.run(
        [sys.executable, "-c", program, address, "alice", server.password_of("alice")],
        env={**os.environ, "SSL_CERT_FILE": ca_file},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def test_a_sign_in_without_id_token_is_nobody_s(shell: CommandLine) -> None:
    shell.login("--scope", "notes:read")
    status, out, err = shell.run("whoami")
    assert (1, "", True) == (status, out, last_line(err).endswith("[claims_missing]"))


def test_where_the_issuer_is_gone_logout_forgets_and_says_so(start_dev: StartDev, tmp_path: Path) -> None:
    server = start_dev()
    shell = CommandLine(server, tmp_path)
    shell.login()
    server.stop()
    status, out, err = shell.run("logout", "--json")
    assert (1, False) == (status, json.loads(out)["revoked"])
    assert last_line(err).endswith("[logout_not_revoked]")
    assert 3 == shell.run("whoami")[0]


def test_another_key_is_refused_and_nothing_is_lost(signed_in: CommandLine) -> None:
    status, _, err = signed_in.run("token", PROOFKEY_TOKEN_KEY="x" * 43)
    assert (1, True) == (status, "error: store_refused: " in err and last_line(err).endswith("[store_key_wrong]"))
    assert 0 == signed_in.run("token")[0]


def test_a_token_is_printed_without_importing_what_only_a_refresh_needs(signed_in: CommandLine) -> None:
    _, out, err = signed_in.run("token", PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in err.splitlines() if line.startswith("import time:")}
    assert out.startswith("eyJ")
    assert {"proofkey.client.sign_in", "proofkey.seal"} <= imported
    assert not imported & {
        "httpx2",
        "keyring",
        "joserfc",
        "proofkey.jose",
        "proofkey.client.http",
        "asyncio.tasks",
        "ssl",
    }
