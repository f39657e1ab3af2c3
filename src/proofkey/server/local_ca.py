"""A certificate authority for one machine, so that development speaks https (RFC 5280): kept between starts.

1. The authority can only vouch for loopback and the names it was made for (name constraints, §4.2.1.10), so that its key,
   which lies in a project's folder, is worth nothing anywhere else.
2. Private keys are 0600; the authority's lives as long as its directory, a server certificate for 90 days at most.
3. Nothing is installed into the system's or a browser's trust: whoever wants that is told the file.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_FOR = timedelta(days=3650)
CERTIFICATE_FOR = timedelta(days=90)
RENEW_BEFORE = timedelta(days=30)
_BACKDATED = timedelta(minutes=5)
_LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


@dataclass(frozen=True, slots=True)
class LocalAuthority:
    """Where the authority's certificate is, for clients to trust, and the server's side of TLS."""

    ca_file: Path
    server_context: ssl.SSLContext


def open_local_authority(directory: Path, names: Sequence[str], now: datetime | None = None) -> LocalAuthority:
    """The authority in *directory*, made where there was none, and a server context for *names*.

    *names* are host names and addresses. An authority that is broken, near its end or not for them is made anew.
    """
    now = now or datetime.now(UTC)
    directory.mkdir(mode=0o700, exist_ok=True)
    ca_file, chain_file = directory / "ca.pem", directory / "server.pem"
    authority = _read_pair(directory / "ca.key", ca_file)
    if authority is None or not _is_alive(authority[1], now) or not _may_vouch(authority[1], names):
        authority = _make_authority(names, now)
        _write_pair(directory / "ca.key", ca_file, authority)
    server = _read_pair(directory / "server.key", chain_file)
    if server is None or not _is_alive(server[1], now) or not _is_ours(server[1], authority[1], names):
        server = _make_server(authority, names, now)
        _write_pair(directory / "server.key", chain_file, server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(chain_file, directory / "server.key")
    return LocalAuthority(ca_file, context)


def trusting(ca_file: Path) -> ssl.SSLContext:
    """A client's side of TLS that trusts this authority and no other."""
    return ssl.create_default_context(cafile=str(ca_file))


_Pair = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


def _make_authority(names: Sequence[str], now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Proofkey development CA {os.urandom(4).hex()}")
    permitted = [*_dns_names(names), *(x509.IPAddress(network) for network in _LOOPBACK)]
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_FOR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, excluded_subtrees=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _make_server(authority: _Pair, names: Sequence[str], now: datetime) -> _Pair:
    signer, issuer = authority
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(names[0][:64]), issuer.subject, key.public_key(), now, CERTIFICATE_FOR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return key, certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + lasts)
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _dns_names(names: Sequence[str]) -> list[x509.GeneralName]:
    return [name for name in map(_general_name, names) if isinstance(name, x509.DNSName)]


def _is_alive(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc - RENEW_BEFORE


def _may_vouch(authority: x509.Certificate, names: Sequence[str]) -> bool:
    try:
        constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return False
    return set(_dns_names(names)) <= set(constraints.permitted_subtrees or ())


def _is_ours(server: x509.Certificate, authority: x509.Certificate, names: Sequence[str]) -> bool:
    """Whether the authority signed it, for exactly these names."""
    try:
        server.verify_directly_issued_by(authority)
        found = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return set(found) == {_general_name(name) for name in names}


def _read_pair(key_file: Path, certificate_file: Path) -> _Pair | None:
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return key, certificate


def _write_pair(key_file: Path, certificate_file: Path, pair: _Pair) -> None:
    """Key and certificate, each whole or not at all; a pair torn by a crash does not match and is made anew."""
    key, certificate = pair
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key_file, encoded, 0o600)
    _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
