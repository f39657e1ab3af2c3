"""What a listener takes from strangers, below any application."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from tests.dev_server import DevServer


@pytest.fixture
def connection(dev: DevServer) -> socket.socket:
    """A connection to the issuer's listener."""
    return socket.create_connection(("127.0.0.1", urlsplit(dev.issuer).port or 0), timeout=10)


def everything_from(connection: socket.socket) -> bytes:
    """All bytes until the other side closes."""
    received = b""
    try:
        while chunk := connection.recv(65_536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def test_an_endless_head_is_cut_off(connection: socket.socket) -> None:
    with connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        sent = 0
        try:
            while sent < 100_000_000:
                sent += connection.send(b"X-Filler: " + b"a" * 8_000 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 20_000_000


def test_a_head_that_is_too_long_is_told_so(connection: socket.socket) -> None:
    with connection:
        for part in (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Filler: ", b"a" * 66_000):
            connection.sendall(part)
        answer = everything_from(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert f"content-length: {len(body)}".encode() in head.splitlines()
    assert b"[head_too_long]" in body


def test_a_long_head_in_many_pieces_is_taken(connection: socket.socket) -> None:
    with connection:
        for part in (
            b"GET /healthz HTTP/1.1\r\n",
            b"X-Filler: ",
            b"a" * 30_000,
            b"\r\nConnection: close\r\nHost: localhost\r\n\r\n",
        ):
            connection.sendall(part)
        assert everything_from(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"]
)
def test_what_is_not_http_is_a_400(connection: socket.socket, nonsense: bytes) -> None:
    with connection:
        connection.sendall(nonsense)
        assert everything_from(connection).startswith(b"HTTP/1.1 400 ")
