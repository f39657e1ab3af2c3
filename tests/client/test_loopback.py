"""The loopback listener: where it listens, what it answers, and who cannot end a login."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from proofkey.client.loopback import LoopbackListener, is_loopback_redirect_uri, with_port

ANY_PORT = "http://127.0.0.1:0/callback"


def asked(address: str, port: int, request: str) -> bytes:
    """Everything that comes back for *request*, sent as it is; empty where the connection is cut."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(10)
        connection.connect((address, port))
        received = b""
        with suppress(ConnectionError):
            connection.sendall(request.encode("latin-1"))
            while part := connection.recv(65_536):
                received += part
    return received


def get(port: int, target: str, host: str | None = None, address: str = "127.0.0.1", method: str = "GET") -> bytes:
    return asked(address, port, f"{method} {target} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\n\r\n")


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


class Waiting:
    """A listener that waits for the answer with `state=ours`."""

    def __init__(self, redirect_uri: str = ANY_PORT) -> None:
        self.told: list[str] = []
        self.listener = LoopbackListener(redirect_uri)
        self.listener.start(lambda query: "state=ours" in query, self.told.append)
        self.port = int(self.listener.redirect_uri.split(":")[2].split("/")[0])


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    made = Waiting()
    with made.listener:
        yield made


def test_the_answer_is_taken_on_both_loopback_addresses() -> None:
    for address, host in (
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]"),
        ("::1", "localhost"),
        ("127.0.0.1", "localhost"),
    ):
        waiting = Waiting()
        with waiting.listener:
            answer = get(waiting.port, "/callback?state=ours&code=c", f"{host}:{waiting.port}", address)
        assert (200, True) == (status(answer), b"Done here" in answer)
        assert [f"http://127.0.0.1:{waiting.port}/callback?state=ours&code=c"] == waiting.told


def test_the_page_keeps_nothing_and_loads_nothing(waiting: Waiting) -> None:
    head = get(waiting.port, "/callback?state=ours").partition(b"\r\n\r\n")[0].lower()
    for header in (b"cache-control: no-store", b"referrer-policy: no-referrer", b"default-src 'none'"):
        assert header in head


def test_only_the_first_answer_counts(waiting: Waiting) -> None:
    assert 200 == status(get(waiting.port, "/callback?state=ours&code=first"))
    get(waiting.port, "/callback?state=ours&code=second")
    assert ["code=first"] == [url.partition("&")[2] for url in waiting.told]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/callback?state=theirs&code=evil", 409),
        ("/callback", 404),
        ("/favicon.ico", 404),
        ("/callback/?state=ours", 404),
    ],
)
def test_what_is_no_answer_of_this_login_ends_nothing(waiting: Waiting, target: str, expected: int) -> None:
    assert expected == status(get(waiting.port, target))
    assert [] == waiting.told
    assert 200 == status(get(waiting.port, "/callback?state=ours"))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost.evil.example:{port}", ""]
)
def test_a_page_that_had_its_name_point_here_gets_nothing(waiting: Waiting, host: str) -> None:
    answer = asked(
        "127.0.0.1",
        waiting.port,
        f"GET /callback?state=ours HTTP/1.1\r\nHost: {host.format(port=waiting.port)}\r\n\r\n",
    )
    assert (421, []) == (status(answer), waiting.told)


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS"])
def test_only_get_is_answered(waiting: Waiting, method: str) -> None:
    assert 501 == status(get(waiting.port, "/callback?state=ours", method=method))
    assert [] == waiting.told


def test_a_request_without_end_and_one_without_sense_end_nothing(waiting: Waiting) -> None:
    assert 414 == status(get(waiting.port, "/callback?state=ours&code=" + "a" * 100_000))
    many = "".join(f"X-{number}: {'a' * 60_000}\r\n" for number in range(200))
    assert b"200" not in asked("127.0.0.1", waiting.port, f"GET /callback?state=ours HTTP/1.1\r\n{many}\r\n")[:20]
    assert b"Done here" not in asked("127.0.0.1", waiting.port, "\x00\x01\x02\r\n\r\n")
    assert [] == waiting.told
    assert 200 == status(get(waiting.port, "/callback?state=ours"))


def test_connections_that_say_nothing_do_not_keep_the_browser_out(waiting: Waiting) -> None:
    silent = [socket.create_connection(("127.0.0.1", waiting.port)) for _ in range(40)]
    try:
        assert 200 == status(get(waiting.port, "/callback?state=ours"))
    finally:
        for connection in silent:
            connection.close()


def test_connections_beyond_all_measure_are_sent_away_and_room_comes_back(waiting: Waiting) -> None:
    silent = [socket.create_connection(("127.0.0.1", waiting.port)) for _ in range(80)]
    time.sleep(0.5)
    assert threading.active_count() < 80
    for connection in silent:
        connection.close()
    for _ in range(50):
        if get(waiting.port, "/callback?state=ours").startswith(b"HTTP/1.0 200"):
            break
        time.sleep(0.1)
    assert 1 == len(waiting.told)


def drip(connections: list[socket.socket], until: float) -> list[float]:
    """Send a letter over each connection, again and again; how long each one lasted."""
    ended: dict[int, float] = {}
    began = time.monotonic()
    while time.monotonic() - began < until and len(ended) < len(connections):
        for number, connection in enumerate(connections):
            if number not in ended:
                try:
                    connection.sendall(b"G")
                    connection.recv(1, socket.MSG_DONTWAIT)
                    ended[number] = time.monotonic() - began
                except BlockingIOError:
                    continue
                except OSError:
                    ended[number] = time.monotonic() - began
        time.sleep(0.1)
    return [ended.get(number, until) for number in range(len(connections))]


def test_who_drips_is_cut_off_in_time(waiting: Waiting) -> None:
    with socket.create_connection(("127.0.0.1", waiting.port)) as slow:
        [lasted] = drip([slow], until=15.0)
    assert 3.0 < lasted < 10.0


def test_as_many_as_there_is_room_for_do_not_keep_the_browser_out(waiting: Waiting) -> None:
    dripping = [socket.create_connection(("127.0.0.1", waiting.port)) for _ in range(70)]
    try:
        drip(dripping, until=0.5)
        assert 200 == status(get(waiting.port, "/callback?state=ours"))
    finally:
        for connection in dripping:
            connection.close()


def test_the_program_s_terminal_hears_nothing_of_what_was_asked(
    waiting: Waiting, capfd: pytest.CaptureFixture[str]
) -> None:
    get(waiting.port, "/callback?state=ours&code=secret")
    asked("127.0.0.1", waiting.port, "GET secret\r\n\r\n")
    assert ("", "") == capfd.readouterr()


def test_nobody_listens_once_it_is_over(waiting: Waiting) -> None:
    with waiting.listener:
        pass
    with pytest.raises(ConnectionRefusedError):
        get(waiting.port, "/callback?state=ours")


def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            LoopbackListener(f"http://127.0.0.1:{port}/callback")


def test_localhost_takes_both_addresses_or_none() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            LoopbackListener(f"http://localhost:{port}/callback")
        with LoopbackListener(f"http://127.0.0.1:{port}/callback") as listener:
            assert f"http://127.0.0.1:{port}/callback" == listener.redirect_uri


def test_it_waits_no_longer_than_told() -> None:
    with LoopbackListener(ANY_PORT) as listener:
        assert listener.wait(0.1) is None


@pytest.mark.parametrize(
    ("redirect_uri", "expected"),
    [
        ("http://127.0.0.1/callback", True),
        ("http://[::1]/callback", True),
        ("http://127.0.0.1:8080/", True),
        ("http://localhost:8080/callback", True),
        ("http://localhost/callback", False),
        ("https://127.0.0.1/callback", False),
        ("http://127.0.0.1.evil.example/callback", False),
        ("com.example.app:/callback", False),
    ],
)
def test_where_a_program_can_wait_itself(redirect_uri: str, expected: bool) -> None:
    assert expected is is_loopback_redirect_uri(redirect_uri)


@pytest.mark.parametrize(
    ("redirect_uri", "expected"),
    [
        ("http://127.0.0.1/callback", "http://127.0.0.1:7/callback"),
        ("http://127.0.0.1", "http://127.0.0.1:7"),
        ("http://[::1]:9/a/b?c=d", "http://[::1]:7/a/b?c=d"),
        ("http://localhost:80/", "http://localhost:7/"),
    ],
)
def test_a_port_is_all_that_changes(redirect_uri: str, expected: str) -> None:
    assert expected == with_port(redirect_uri, 7)
