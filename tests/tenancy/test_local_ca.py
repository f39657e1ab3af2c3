"""The development authority: kept between starts, good for its names, useless elsewhere."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from proofkey.server.local_ca import LocalAuthority, open_local_authority, trusting

NAMES = ("localhost", "127.0.0.1", "::1", "auth.test")


def certificate(path: Path) -> x509.Certificate:
    """The certificate at *path*."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_it_may_only_vouch_for_servers_of_its_names(tmp_path: Path) -> None:
    authority = certificate(open_local_authority(tmp_path / "tls", NAMES).ca_file)
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (True, True, 0) == (constraints.critical, constraints.value.ca, constraints.value.path_length)
    usage = authority.extensions.get_extension_for_class(x509.KeyUsage)
    assert (True, True, False) == (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature)
    permitted = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert permitted.critical
    assert ["localhost", "auth.test", "127.0.0.0/8", "::1/128"] == [
        str(name.value) for name in permitted.value.permitted_subtrees or ()
    ]


def test_its_server_certificate_is_short_lived_and_for_servers(tmp_path: Path) -> None:
    open_local_authority(tmp_path / "tls", NAMES)
    server = certificate(tmp_path / "tls" / "server.pem")
    assert server.not_valid_after_utc - server.not_valid_before_utc < timedelta(days=91)
    usage = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [ExtendedKeyUsageOID.SERVER_AUTH] == list(usage)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(NAMES) == [str(name.value) for name in names]


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    open_local_authority(tmp_path / "tls", NAMES)
    assert [0o600, 0o600] == [(tmp_path / "tls" / name).stat().st_mode & 0o777 for name in ("ca.key", "server.key")]


def test_it_is_kept_between_starts_and_certificates_are_renewed(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = open_local_authority(tmp_path / "tls", NAMES, now).ca_file.read_bytes()
    server = (tmp_path / "tls" / "server.pem").read_bytes()
    open_local_authority(tmp_path / "tls", NAMES, now + timedelta(days=59))
    assert server == (tmp_path / "tls" / "server.pem").read_bytes()
    again = open_local_authority(tmp_path / "tls", NAMES, now + timedelta(days=61))
    assert first == again.ca_file.read_bytes()
    assert server != (tmp_path / "tls" / "server.pem").read_bytes()


def test_another_name_or_a_broken_file_makes_a_new_one(tmp_path: Path) -> None:
    first = open_local_authority(tmp_path / "tls", NAMES).ca_file.read_bytes()
    other = open_local_authority(tmp_path / "tls", (*NAMES, "other.test")).ca_file
    assert first != other.read_bytes()
    fewer = open_local_authority(tmp_path / "tls", NAMES).ca_file.read_bytes()
    assert other.read_bytes() == fewer
    (tmp_path / "tls" / "ca.key").write_text("torn")
    assert fewer != open_local_authority(tmp_path / "tls", NAMES).ca_file.read_bytes()


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[tuple[LocalAuthority, int]]:
    """An authority, and the port on which its certificate is shown to whoever connects."""
    authority = open_local_authority(tmp_path / "ours", NAMES)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_show, args=(listener, authority.server_context), daemon=True).start()
        yield authority, listener.getsockname()[1]


def _show(listener: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError):
        while True:
            accepted, _ = listener.accept()
            with accepted, contextlib.suppress(OSError):
                context.wrap_socket(accepted, server_side=True).close()


def connect(port: int, ca_file: Path, name: str) -> str | None:
    """The version of TLS a client agrees on that trusts *ca_file* and wants *name*."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    with plain, trusting(ca_file).wrap_socket(plain, server_hostname=name) as secured:
        return secured.version()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "auth.test"])
def test_a_client_that_trusts_it_is_content(shown: tuple[LocalAuthority, int], name: str) -> None:
    authority, port = shown
    assert "TLSv1.3" == connect(port, authority.ca_file, name)


def test_a_client_that_trusts_another_is_not(shown: tuple[LocalAuthority, int], tmp_path: Path) -> None:
    other = open_local_authority(tmp_path / "other", NAMES)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(shown[1], other.ca_file, "localhost")


def test_a_client_that_wants_another_name_is_not(shown: tuple[LocalAuthority, int]) -> None:
    authority, port = shown
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(port, authority.ca_file, "auth.example")
