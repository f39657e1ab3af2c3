"""`proofkey serve`, `proofkey apply` and `proofkey dev --config`: one file, three uses."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proofkey.server.local_ca import open_local_authority
from tests.command import free_ports, get, run
from tests.dev_server import PROOFKEY, StartDev

KEY = "5a" * 32
TENANTS = """\
tenants:
  acme:
    workspaces:
      main:
        name: Acme
        apis:
          - audience: https://orders.acme.example
            scopes: { orders:read: See your orders, orders:write: Place orders }
        applications:
          spa:
            kind: spa
            client_id: shop
            redirect_uris: ["http://127.0.0.1:8401/callback"]
            scopes: [openid, orders:read]
          office:
            kind: web
            client_secret: { env: OFFICE_SECRET }
            redirect_uris: [https://office.acme.example/callback]
        people:
          carol: { password: { file: carol.password }, email: carol@acme.example }
          dave: { disabled: true }
      staging: {}
"""


@pytest.fixture
def proofkey_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a file with the tenants above and the given lines under `server:`, and all it refers to."""
    monkeypatch.setenv("OFFICE_SECRET", "office-secret-0123456789")
    monkeypatch.setenv("PROOFKEY_MASTER_KEY", KEY)
    (tmp_path / "carol.password").write_text("correct horse\n")

    def write(server: str) -> Path:
        file = tmp_path / "proofkey.yaml"
        file.write_text("server:\n" + "".join(f"  {line}\n" for line in server.splitlines()) + TENANTS)
        return file

    return write


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[[Path, str], None]]:
    """Starts `proofkey serve` and waits until an address answers; at the end each must stop well."""
    started: list[subprocess.Popen[bytes]] = []

    def start(file: Path, ready_url: str, ca_file: str | None = None) -> None:
        with (tmp_path / "serve.log").open("ab") as log:
            started.append(subprocess.Popen([PROOFKEY, "serve", "-c", file], stdout=subprocess.PIPE, stderr=log))
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                assert (200, {"status": "ready"}) == get(ready_url, ca_file)
            except OSError:
                assert started[-1].poll() is None, (tmp_path / "serve.log").read_text()
                time.sleep(0.05)
            else:
                return
        raise AssertionError("it did not answer in time")

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=5)
        assert (0, b"") == (process.returncode, rest)


def test_what_was_applied_is_served(
    proofkey_yaml: Callable[[str], Path], serving: Callable[[Path, str], None], tmp_path: Path
) -> None:
    port = free_ports()
    url = f"http://127.0.0.1:{port}"
    file = proofkey_yaml(f"public_url: {url}\ndatabase: sqlite://{tmp_path}/serve.db\nlisten: {{ port: {port} }}")
    status, out, err = run("apply", "-f", file)
    assert (0, "") == (status, err)
    assert [
        "workspace acme/main created",
        "application spa of acme/main created",
        "application office of acme/main created",
        "person carol of acme/main created",
        "person dave of acme/main disabled",
        "workspace acme/staging created",
    ] == out.splitlines()
    assert (0, "", "nothing to change\n") == run("apply", "-f", file)
    serving(file, f"{url}/readyz")
    for slug in ("main", "staging"):
        issuer = f"{url}/acme/{slug}"
        assert issuer == get(f"{issuer}/.well-known/openid-configuration")[1]["issuer"]
    assert 404 == get(f"{url}/acme/other/.well-known/openid-configuration")[0]


def test_changes_can_be_read_by_a_program(proofkey_yaml: Callable[[str], Path], tmp_path: Path) -> None:
    file = proofkey_yaml(f"public_url: https://auth.example\ndatabase: sqlite://{tmp_path}/serve.db")
    _, out, _ = run("apply", "--json", "-f", file)
    first = json.loads(out.splitlines()[0])
    assert {"workspace_id": "acme/main", "subject": "workspace", "name": "main", "what": "created"} == first


def test_it_speaks_tls_with_a_certificate_of_ones_own(
    proofkey_yaml: Callable[[str], Path], serving: Callable[..., None], tmp_path: Path
) -> None:
    authority = open_local_authority(tmp_path / "tls", ("localhost", "127.0.0.1"))
    port = free_ports()
    listen = f"{{ host: localhost, port: {port}, certificate_file: tls/server.pem, key_file: tls/server.key }}"
    file = proofkey_yaml(
        f"public_url: https://localhost:{port}\ndatabase: sqlite://{tmp_path}/serve.db\nlisten: {listen}"
    )
    serving(file, f"https://localhost:{port}/readyz", str(authority.ca_file))


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("public_url: http://auth.example\ndatabase: sqlite:///a.db", "2:15: public_url: must be https"),
        ("public_url: https://auth.example", "2:3: the key `database` is required here"),
        ("database: sqlite:///a.db", "2:3: the key `public_url` is required here"),
        ("public_url: https://auth.example\ndatabase: mysql://a", "3:13: database: must be sqlite:///"),
        (
            "public_url: https://auth.example\ndatabase: { env: PROOFKEY_TEST_UNSET }",
            "3:13: database: the environment variable PROOFKEY_TEST_UNSET is not set",
        ),
        (
            "public_url: https://auth.example\ndatabase: sqlite:///a.db\ntrusted_proxies: [proxy]",
            "4:20: trusted_proxies: 'proxy' is not an address",
        ),
        (
            "public_url: https://auth.example\ndatabase: sqlite:///a.db\nlisten: { key_file: a }",
            "4:11: certificate_file and key_file stand together",
        ),
        (
            "public_url: https://auth.example\ndatabase: sqlite:///a.db\nlisten: { port: 0 }",
            "4:19: expected a whole number >= 1",
        ),
    ],
)
def test_a_server_that_cannot_run_does_not_start(
    proofkey_yaml: Callable[[str], Path], server: str, expected: str
) -> None:
    file = proofkey_yaml(server)
    status, out, err = run("serve", "-c", file)
    assert (1, "") == (status, out)
    assert err.splitlines()[-1].startswith(f"error: invalid_configuration: {file}:{expected}")
    assert err.splitlines()[-1].endswith("[declaration_invalid]")


def test_without_a_master_key_nothing_starts(proofkey_yaml: Callable[[str], Path]) -> None:
    file = proofkey_yaml("public_url: https://auth.example\ndatabase: sqlite:///a.db")
    status, _, err = run("serve", "-c", file, PROOFKEY_MASTER_KEY="")
    assert 1 == status
    assert "master_key: set PROOFKEY_MASTER_KEY, or master_key_file" in err
    status, _, err = run("serve", "-c", file, PROOFKEY_MASTER_KEY="secret-but-short")
    assert 1 == status
    assert "must be 32 bytes" in err
    assert "secret-but-short" not in err


@pytest.mark.parametrize("command", [["serve", "-c"], ["apply", "-f"]])
def test_another_master_key_starts_and_changes_nothing(
    proofkey_yaml: Callable[[str], Path], tmp_path: Path, command: list[str]
) -> None:
    listen = f"listen: {{ port: {free_ports()} }}"
    file = proofkey_yaml(f"public_url: https://auth.example\ndatabase: sqlite://{tmp_path}/serve.db\n{listen}")
    assert 0 == run("apply", "-f", file)[0]
    status, out, err = run(*command, file, PROOFKEY_MASTER_KEY="1" * 64)
    assert (1, "") == (status, out)
    assert err.splitlines()[-1].endswith("nothing was changed [master_key_wrong]")
    assert (0, "") == run("apply", "-f", file)[:2]


def test_a_database_that_cannot_be_used_stops_serve(proofkey_yaml: Callable[[str], Path]) -> None:
    listen = f"listen: {{ port: {free_ports()} }}"
    file = proofkey_yaml(f"public_url: https://auth.example\ndatabase: sqlite:////dev/null/a.db\n{listen}")
    status, _, err = run("serve", "-c", file)
    assert 1 == status
    assert err.splitlines()[-1].endswith("[database_unavailable]")


def test_a_taken_port_is_named(proofkey_yaml: Callable[[str], Path], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = proofkey_yaml(
            f"public_url: https://auth.example\ndatabase: sqlite://{tmp_path}/serve.db\nlisten: {{ port: {port} }}"
        )
        status, _, err = run("serve", "-c", file)
    assert 1 == status
    assert f"port {port} on 127.0.0.1 cannot be listened on" in err.splitlines()[-1]


def test_dev_serves_a_file_in_place_of_the_demo(proofkey_yaml: Callable[[str], Path], start_dev: StartDev) -> None:
    file = proofkey_yaml("public_url: https://auth.example\ndatabase: postgresql://production.example/never")
    dev = start_dev("--config", str(file))
    assert dev.issuer.startswith("http://localhost:")
    assert dev.issuer.endswith("/acme/main")
    assert {"username": "carol", "password": "correct horse"} == dev.told["user"]
    assert [dev.told["user"]] == dev.told["users"]
    assert ["spa", "office"] == list(dev.told["clients"])
    assert "shop" == dev.told["clients"]["spa"]["client_id"]
    assert "office-secret-0123456789" == dev.told["clients"]["office"]["client_secret"]
    assert None is dev.told["app"]
    assert "https://orders.acme.example" == dev.told["resource"]["audience"]
    assert ["orders:read", "orders:write"] == list(dev.told["resource"]["scopes"])
    assert 401 == get(dev.told["resource"]["url"])[0]
    staging = dev.issuer.replace("/main", "/staging")
    assert 200 == get(f"{staging}/.well-known/openid-configuration")[0]


def test_dev_applies_the_file_at_every_start(proofkey_yaml: Callable[[str], Path], start_dev: StartDev) -> None:
    file = proofkey_yaml("throttle: { per_name: { allowed: 3, window: 1m } }")
    first = start_dev("--config", str(file))
    first.stop()
    file.write_text(file.read_text() + "      added: {}\n")
    second = start_dev("--config", str(file), data=first.data)
    added = second.issuer.replace("/main", "/added")
    assert 200 == get(f"{added}/.well-known/openid-configuration")[0]


def test_a_mistake_in_the_file_stops_dev_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "proofkey.yaml"
    file.write_text("tenants:\n  acme:\n    workspace: {}\n")
    status, out, err = run("dev", "--port", "0", "--data", tmp_path / "kept", "-c", file)
    assert (1, "") == (status, out)
    assert (
        f"error: invalid_configuration: {file}:3:5: unknown key `workspace` [declaration_invalid]"
        == err.splitlines()[-1]
    )
