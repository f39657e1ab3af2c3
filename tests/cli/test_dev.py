"""`proofkey dev` as a user runs it: what it prints, where it listens, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
from base64 import b64encode
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from proofkey.demo.api import SCOPES
from proofkey.demo.directory import MARK
from tests.command import free_ports, get, port_of, run
from tests.dev_server import PROOFKEY, StartDev

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""RFC 7636 appendix B."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HALF_A_REQUEST = (
    b"POST /demo/main/oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\ngrant_type="
)


def modes(folder: Path) -> dict[str, str]:
    """The permissions of everything in *folder*."""
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


def without(told: dict[str, Any], *keys: str) -> dict[str, Any]:
    """*told* less *keys*."""
    return {key: told[key] for key in told if key not in keys}


def test_it_tells_all_there_is_to_know(start_dev: StartDev, tmp_path: Path) -> None:
    dev = start_dev(data=tmp_path / "kept")
    told, app = dev.told, dev.told["app"]
    assert [
        "version", "pid", "data", "issuer", "ca_file", "app", "playground", "clients", "user", "users", "resource", "api",
    ] == list(told)  # fmt: skip
    assert (1, dev.process.pid, str(tmp_path / "kept")) == (told["version"], told["pid"], told["data"])
    assert (None, f"{app}/playground", None) == (told["ca_file"], told["playground"], told["api"])
    clients = told["clients"]
    assert ["spa", "native", "web", "service", "playground", "example"] == list(clients)
    assert [False, False, True, True, False, False] == ["client_secret" in client for client in clients.values()]
    assert [f"{app}/callback", f"{app}/"] == clients["spa"]["redirect_uris"]
    assert ["http://127.0.0.1/callback", "http://[::1]/callback", "com.example.demo:/callback"] == clients["native"][
        "redirect_uris"
    ]
    own = ["http://127.0.0.1:8000", "http://localhost:8000"]
    assert [f"{app}/web/callback", *(f"{origin}/auth/callback" for origin in own)] == clients["web"]["redirect_uris"]
    assert [f"{origin}{path}" for origin in own for path in ("/callback", "/")] == clients["example"]["redirect_uris"]
    assert [f"{origin}/" for origin in own] == clients["example"]["post_logout_redirect_uris"]
    assert [f"{app}/playground/callback"] == clients["playground"]["redirect_uris"]
    assert [f"{app}/"] == clients["spa"]["post_logout_redirect_uris"]
    assert ["openid", "profile", "email", "notes:read"] == clients["playground"]["scopes"]
    assert ["alice", "bob"] == [user["username"] for user in told["users"]]
    assert told["users"][0] == told["user"]
    audience = told["resource"]["audience"]
    assert {"url": f"{audience}/notes", "audience": audience, "scopes": dict(SCOPES)} == told["resource"]


def test_every_listener_answers_once_it_has_spoken(start_dev: StartDev) -> None:
    dev = start_dev()
    status, metadata = get(f"{dev.issuer}/.well-known/openid-configuration")
    assert (200, dev.issuer) == (status, metadata["issuer"])
    assert 200 == get(f"{dev.told['app']}/")[0]
    assert 401 == get(dev.told["resource"]["url"])[0]
    assert "http://localhost" == dev.issuer.rpartition(":")[0]
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, port_of(dev.issuer)), timeout=5):
            pass


def test_what_it_keeps_is_for_its_owner_only_and_said_again(start_dev: StartDev, tmp_path: Path) -> None:
    data = tmp_path / "kept"
    first = start_dev(data=data)
    assert 0o700 == data.stat().st_mode & 0o777
    assert "*" in (data / ".gitignore").read_text().splitlines()
    kept = modes(data)
    assert {"0o600"} == {mode for name, mode in kept.items() if name != ".gitignore"}
    assert {"dev.json", "master.key", "proofkey.db"} <= set(kept)
    first.stop()
    second = start_dev(data=data)
    assert without(first.told, "pid") == without(second.told, "pid")
    database = b"".join(path.read_bytes() for path in data.glob("proofkey.db*"))
    remembered = (data / "dev.json").read_text()
    secrets = [second.told["user"]["password"], second.told["clients"]["web"]["client_secret"]]
    assert [(True, False)] * 2 == [(secret in remembered, secret.encode() in database) for secret in secrets]


def test_app_and_api_take_the_next_two_ports_and_all_are_free_afterwards(start_dev: StartDev) -> None:
    port = free_ports()
    dev = start_dev("--port", str(port))
    assert [port, port + 1, port + 2] == [
        port_of(url) for url in (dev.issuer, dev.told["app"], dev.told["resource"]["url"])
    ]
    dev.stop()
    for offset in range(3):
        socket.create_server(("127.0.0.1", port + offset)).close()
        socket.create_server(("::1", port + offset), family=socket.AF_INET6).close()


@pytest.mark.parametrize(("offset", "host"), [(0, "127.0.0.1"), (0, "::1"), (1, "127.0.0.1"), (2, "127.0.0.1")])
def test_a_taken_port_is_named(tmp_path: Path, offset: int, host: str) -> None:
    port = free_ports()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port + offset), family=family):
        status, out, err = run("dev", "--json", "--port", str(port), "--data", tmp_path / "kept")
    assert (1, "") == (status, out)
    assert (
        f"error: start_failed: port {port + offset} on {host} cannot be listened on: Address already in use [port_taken]"
        == err.splitlines()[-1]
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_time_whatever_clients_keep_open(start_dev: StartDev, number: signal.Signals) -> None:
    dev = start_dev()
    kept_alive = HTTPConnection("127.0.0.1", port_of(dev.issuer))
    kept_alive.request("GET", "/healthz")
    assert 200 == kept_alive.getresponse().status
    with socket.create_connection(("127.0.0.1", port_of(dev.issuer))) as half_asked:
        half_asked.sendall(HALF_A_REQUEST)
        began = time.monotonic()
        dev.process.send_signal(number)
        assert 0 == dev.process.wait(5)
        assert time.monotonic() - began < 5
    kept_alive.close()
    dev.kill()


def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    command: list[str | Path] = [PROOFKEY, "dev", "--json", "--port", "0", "--data", tmp_path / "kept"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        connection = HTTPConnection("127.0.0.1", port_of(json.loads(process.stdout.readline())["issuer"]), timeout=10)
        try:
            for _ in range(1_000):
                connection.request("POST", "/demo/main/oauth2/token", "grant_type=nothing", FORM)
                answer = connection.getresponse()
                assert (400, b"unsupported_grant_type") == (answer.status, answer.read()[10:32])
            process.terminate()
            assert 0 == process.wait(5)
            assert 60_000 < len(process.stderr.read()) <= 65_536
        finally:
            connection.close()
            process.kill()


def test_fresh_forgets_everything_of_ours_and_nothing_else(start_dev: StartDev, tmp_path: Path) -> None:
    data = tmp_path / "kept"
    first = start_dev("--tls", data=data)
    first.stop()
    (data / "notes.txt").write_text("mine")
    second = start_dev("--fresh", data=data)
    assert first.told["user"]["password"] != second.told["user"]["password"]
    assert "mine" == (data / "notes.txt").read_text()
    assert not (data / "tls").exists()


@pytest.mark.parametrize("options", [[], ["--fresh"]])
@pytest.mark.parametrize("name", ["proofkey.db", "notes.txt", ".gitignore"])
def test_a_foreign_directory_is_left_alone(tmp_path: Path, options: list[str], name: str) -> None:
    (tmp_path / name).write_text("somebody's")
    tmp_path.chmod(0o755)
    status, out, err = run("dev", "--port", "0", *options, "--data", tmp_path)
    assert (1, "") == (status, out)
    assert err.splitlines()[-1].endswith("nothing was removed [data_foreign]")
    assert (0o755, "somebody's") == (tmp_path.stat().st_mode & 0o777, (tmp_path / name).read_text())
    assert [name] == [path.name for path in tmp_path.iterdir()]


def test_a_database_of_another_master_key_is_left_alone(start_dev: StartDev, tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/shared.db"
    first = start_dev("--database", url)
    basic = b64encode(":".join(first.secret_of("service")).encode()).decode()
    status, out, err = run("dev", "--port", "0", "--data", tmp_path / "other", "--database", url)
    assert (1, "") == (status, out)
    assert err.splitlines()[-1].startswith("error: invalid_configuration: the keys in the database are wrapped under")
    assert err.splitlines()[-1].endswith("[master_key_wrong]")
    asked = Request(
        f"{first.issuer}/oauth2/token", b"grant_type=client_credentials", {"Authorization": f"Basic {basic}"}
    )
    with urlopen(asked, timeout=10) as answer:
        assert 200 == answer.status


def test_fresh_does_not_pull_the_floor_from_under_another_process(start_dev: StartDev) -> None:
    dev = start_dev()
    status, _, err = run("dev", "--port", "0", "--fresh", "--data", dev.data)
    assert 1 == status
    assert err.splitlines()[-1].endswith("stop it first [data_in_use]")
    assert 200 == get(f"{dev.issuer}/.well-known/jwks.json")[0]


def test_a_second_process_on_the_same_data_adds_a_listener_to_the_same_issuer(start_dev: StartDev) -> None:
    first = start_dev()
    public_url = first.issuer.removesuffix("/demo/main")
    second = start_dev("--public-url", public_url, data=first.data)
    third = start_dev(data=first.data)
    for other in (second, third):
        assert without(first.told, "pid") == without(other.told, "pid")
        assert other.port != first.port
        assert get(f"{first.here}/.well-known/jwks.json") == get(f"{other.here}/.well-known/jwks.json")
        assert first.issuer == get(f"{other.here}/.well-known/openid-configuration")[1]["issuer"]


def test_two_that_start_at_once_agree(tmp_path: Path) -> None:
    command: list[str | Path] = [PROOFKEY, "dev", "--json", "--port", "0", "--data", tmp_path / "kept"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    try:
        told = []
        for process in both:
            assert process.stdout is not None
            told.append(json.loads(process.stdout.readline()))
        assert without(told[0], "pid") == without(told[1], "pid")
        assert 200 == get(f"{told[0]['app']}/")[0]
        assert get(f"{told[0]['issuer']}/.well-known/jwks.json") == get(f"{told[1]['issuer']}/.well-known/jwks.json")
    finally:
        for process in both:
            process.terminate()
        assert [0, 0] == [process.wait(10) for process in both]
        for process in both:
            assert process.stdout is not None
            process.stdout.close()


def test_after_a_crash_everything_is_as_it_was(start_dev: StartDev) -> None:
    port = free_ports()
    first = start_dev("--port", str(port))
    keys = get(f"{first.issuer}/.well-known/jwks.json")
    first.kill()
    second = start_dev("--port", str(port), data=first.data)
    assert without(first.told, "pid") == without(second.told, "pid")
    assert keys == get(f"{second.issuer}/.well-known/jwks.json")


def test_with_port_0_the_applications_follow_the_new_ports(start_dev: StartDev) -> None:
    first = start_dev()
    app = first.told["app"]
    first.stop()
    with socket.create_server(("127.0.0.1", port_of(app))):
        second = start_dev(data=first.data)
    assert app != second.told["app"]
    assert f"{second.told['app']}/callback" in second.application("spa")["redirect_uris"]
    status, page = get(
        f"{second.issuer}/oauth2/authorize?response_type=code&client_id=spa&code_challenge={CHALLENGE}"
        f"&code_challenge_method=S256&redirect_uri={second.told['app']}/callback"
    )
    assert 200 == status
    assert 'name="password"' in page


def test_tls_is_spoken_everywhere_and_verifies_with_its_authority(start_dev: StartDev) -> None:
    dev = start_dev("--tls")
    ca_file = dev.told["ca_file"]
    urls = [f"{dev.issuer}/.well-known/openid-configuration", f"{dev.told['app']}/", dev.told["resource"]["url"]]
    assert {"https"} == {urlsplit(url).scheme for url in urls}
    assert [200, 200, 401] == [get(url, ca_file)[0] for url in urls]
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        get(urls[0])
    authority = Path(ca_file).read_bytes()
    dev.stop()
    again = start_dev("--tls", data=dev.data)
    assert authority == Path(again.told["ca_file"]).read_bytes()


@pytest.mark.parametrize("options", [[], ["--tls"]])
def test_what_it_says_gets_a_token_that_the_sample_api_takes(start_dev: StartDev, options: list[str]) -> None:
    told = start_dev(*options).told
    service, resource = told["clients"]["service"], told["resource"]
    context = ssl.create_default_context(cafile=told["ca_file"]) if told["ca_file"] else None
    basic = b64encode(f"{service['client_id']}:{service['client_secret']}".encode()).decode()
    asked = Request(
        f"{told['issuer']}/oauth2/token", b"grant_type=client_credentials", {"Authorization": f"Basic {basic}"}
    )
    with urlopen(asked, context=context, timeout=10) as answer:
        token = json.load(answer)["access_token"]
    bearer = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urlopen(Request(resource["url"], headers=bearer), context=context, timeout=10) as answer:
        assert (200, service["client_id"]) == (answer.status, json.load(answer)["sub"])
    writing = Request(resource["url"], b'{"text": "a note"}', bearer)
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urlopen(writing, context=context, timeout=10)
    with refused.value as answer:
        assert 'scope="notes:write"' in (answer.headers["WWW-Authenticate"] or "")


def test_without_json_it_speaks_to_people(tmp_path: Path) -> None:
    command: list[str | Path] = [PROOFKEY, "dev", "--port", "0", "--data", tmp_path / "kept"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "openid-configuration" in line:
                break
        process.terminate()
    told = "".join(lines)
    password = json.loads((tmp_path / "kept" / "dev.json").read_text())["secrets"]["passwords"]["alice"]
    assert all(
        text in told
        for text in ("Sign in as", f"alice  {password}", "http://127.0.0.1:", "proofkey flow http://localhost:")
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--host", "0.0.0.0"], "--host must be a loopback address: proofkey dev is for this machine only"),
        (["--host", "192.0.2.1"], "--host must be a loopback address: proofkey dev is for this machine only"),
        (["--host", "auth.example"], "--host must be a loopback address: proofkey dev is for this machine only"),
        (["--fresh", "--database", "sqlite:///tmp/a.db"], "--fresh empties the data directory"),
        (["--public-url", "auth.example"], "--public-url: must be an absolute URL such as https://auth.example"),
        (["--public-url", "http://auth.example"], "--public-url: must be https"),
        (["--port", "65534"], "65534 is not in the range 0<=x<=65533"),
        (["--config", "missing.yaml"], "File 'missing.yaml' does not exist"),
        (["--prot", "1"], "No such option"),
    ],
)
def test_wrong_usage_is_status_2(tmp_path: Path, options: list[str], expected: str) -> None:
    status, out, err = run("dev", "--data", tmp_path / "kept", *options)
    assert (2, "") == (status, out)
    assert expected in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("error: usage: ")


@pytest.mark.parametrize("data", ["/proc/nowhere", "{tmp_path}"])
def test_a_directory_that_cannot_be_used_is_status_1(tmp_path: Path, data: str) -> None:
    (tmp_path / ".gitignore").write_text(MARK)
    (tmp_path / "start.lock").mkdir()
    status, out, err = run("dev", "--port", "0", "--data", data.format(tmp_path=tmp_path))
    assert (1, "") == (status, out)
    assert err.splitlines()[-1].endswith("[data_unusable]")


@pytest.mark.parametrize(
    ("database", "slug"),
    [("mysql://localhost/a", "setting_invalid"), ("sqlite:////dev/null/a.db", "database_unavailable")],
)
def test_a_database_that_cannot_be_used_is_status_1(tmp_path: Path, database: str, slug: str) -> None:
    status, out, err = run("dev", "--port", "0", "--data", tmp_path / "kept", "--database", database)
    assert (1, "") == (status, out)
    assert err.splitlines()[-1].endswith(f"[{slug}]")


def test_it_starts_on_little(start_dev: StartDev) -> None:
    first = start_dev()
    first.stop()
    dev = start_dev(data=first.data)
    measured = (Path("/proc") / str(dev.process.pid) / "stat").read_text().rpartition(")")[2].split()
    seconds = sum(map(int, measured[11:13])) / os.sysconf("SC_CLK_TCK")
    assert seconds < 1.0
    resident = int(measured[21]) * os.sysconf("SC_PAGE_SIZE")
    assert resident < 90 * 1_000_000


def test_the_version_is_printed() -> None:
    status, out, _ = run("--version")
    assert (0, "proofkey 0.1.0\n") == (status, out)


def test_two_processes_share_a_postgresql_database(start_dev: StartDev, postgres_url: str) -> None:
    first = start_dev("--database", postgres_url)
    second = start_dev("--database", postgres_url, data=first.data)
    assert without(first.told, "pid") == without(second.told, "pid")
    assert get(f"{first.here}/.well-known/jwks.json") == get(f"{second.here}/.well-known/jwks.json")
    assert not list(first.data.glob("proofkey.db*"))


@pytest.mark.parametrize(
    ("host", "listens", "issuer"),
    [
        ("127.0.0.1", ["127.0.0.1"], "http://localhost"),
        ("::1", ["::1"], "http://localhost"),
        ("127.0.0.2", ["127.0.0.2"], "http://127.0.0.2"),
        ("localhost", ["127.0.0.1", "::1"], "http://localhost"),
    ],
)
def test_host_says_where_the_issuer_listens(start_dev: StartDev, host: str, listens: list[str], issuer: str) -> None:
    dev = start_dev("--host", host)
    assert issuer == dev.issuer.rpartition(":")[0]
    for address in ("127.0.0.1", "127.0.0.2", "::1"):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            assert (address in listens) == (probe.connect_ex((address, port_of(dev.issuer))) == 0)
