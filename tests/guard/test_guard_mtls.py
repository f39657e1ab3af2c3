"""Tokens bound to a client certificate: from the connection itself, and from a proxy that is trusted to say it (RFC 8705 §3)."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proofkey.guard import Access, CertificateBound, Dpop, Guard, ResourceServer, TokenRejected
from proofkey.guard.asgi import read_request
from proofkey.guard.request import ApiRequest
from proofkey.guard.wsgi import read_request as read_environ
from tests.guard.sample_issuer import Clock, SampleIssuer
from tests.guard.tls_proxy import ending_tls
from tests.listening import bind, listening, url_of
from tests.protocol.refusals import refused

URL = "https://api.example/notes"


def certificate(name: str, key: ec.EllipticCurvePrivateKey | None = None) -> x509.Certificate:
    """A self-signed certificate for 127.0.0.1."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begun, ended = (
        datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC),
        datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC),
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, begun, ended)
    builder = builder.add_extension(address, critical=False)
    return builder.sign(key, hashes.SHA256())


def der(of: x509.Certificate) -> bytes:
    return of.public_bytes(serialization.Encoding.DER)


def pem(of: x509.Certificate) -> str:
    return of.public_bytes(serialization.Encoding.PEM).decode()


def thumbprint(of: x509.Certificate) -> str:
    return urlsafe_b64encode(hashlib.sha256(der(of)).digest()).rstrip(b"=").decode()


MINE, OTHER = certificate("mine"), certificate("other")


@pytest.fixture(scope="module")
def issuer() -> Iterator[SampleIssuer]:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(sample, listener):
        yield sample


class Api:
    """An API that takes bound tokens."""

    def __init__(self, issuer: SampleIssuer, *bindings: CertificateBound | Dpop) -> None:
        self.server = ResourceServer(issuer.issuer, audience="https://api.example", bindings=bindings, clock=Clock())
        self.token = issuer.token(cnf={"x5t#S256": thumbprint(MINE)})

    async def send(
        self,
        *headers: tuple[bytes, bytes],
        shown: bytes | None = None,
        token: str | None = None,
        scheme: str = "Bearer",
    ) -> Access:
        sent = [(b"authorization", f"{scheme} {token or self.token}".encode()), *headers]
        return await self.server.admit(ApiRequest("GET", URL, sent, shown))


async def test_the_certificate_of_the_connection_opens(issuer: SampleIssuer) -> None:
    api = Api(issuer, CertificateBound())
    assert "alice" == (await api.send(shown=der(MINE))).subject
    with refused(TokenRejected, "certificate_differs"):
        await api.send(shown=der(OTHER))
    with refused(TokenRejected, "certificate_missing"):
        await api.send()


async def test_a_header_says_nothing_unless_a_proxy_was_named(issuer: SampleIssuer) -> None:
    forged = (b"client-cert", b":" + b64encode(der(MINE)) + b":")
    with refused(TokenRejected, "certificate_missing"):
        await Api(issuer, CertificateBound()).send(forged)
    with refused(TokenRejected, "certificate_differs"):
        await Api(issuer, CertificateBound()).send(forged, shown=der(OTHER))


async def test_a_named_proxy_tells_the_certificate_as_rfc_9440_or_as_pem(issuer: SampleIssuer) -> None:
    api = Api(issuer, CertificateBound(proxy_header="Client-Cert"))
    on_one_line = pem(MINE).replace("\n", "").encode()  # as some gateways write it
    escaped = quote(pem(MINE)).encode(), quote(pem(MINE), safe="").encode()
    for told in (b":" + b64encode(der(MINE)) + b":", *escaped, on_one_line):
        assert "alice" == (await api.send((b"client-cert", told))).subject
    with refused(TokenRejected, "certificate_differs"):
        await api.send((b"client-cert", quote(pem(OTHER)).encode()))


async def test_behind_a_named_proxy_the_connection_is_the_proxys(issuer: SampleIssuer) -> None:
    api = Api(issuer, CertificateBound(proxy_header="Client-Cert"))
    with refused(TokenRejected, "certificate_missing"):
        await api.send(shown=der(MINE))


@pytest.mark.parametrize("told", [b"", b" "])
async def test_no_certificate_told_is_none_shown(issuer: SampleIssuer, told: bytes) -> None:
    with refused(TokenRejected, "certificate_missing"):
        await Api(issuer, CertificateBound(proxy_header="Client-Cert")).send((b"client-cert", told))


@pytest.mark.parametrize(
    "told", [b":::", b"::", b":A:", b"no certificate", b"-----BEGIN", b"\xff", b":" + b"A" * 20_000 + b":"]
)
async def test_what_cannot_be_read_opens_nothing(issuer: SampleIssuer, told: bytes) -> None:
    with refused(TokenRejected, "certificate_malformed"):
        await Api(issuer, CertificateBound(proxy_header="Client-Cert")).send((b"client-cert", told))


async def test_a_certificate_told_twice_opens_nothing(issuer: SampleIssuer) -> None:
    told = (b"client-cert", b":" + b64encode(der(MINE)) + b":")
    with refused(TokenRejected, "certificate_repeated"):
        await Api(issuer, CertificateBound(proxy_header="Client-Cert")).send(told, told)


async def test_two_certificates_joined_in_one_header_open_nothing(issuer: SampleIssuer) -> None:
    """As WSGI joins a header that was sent twice, and some proxies do: the first one is the client's own word."""
    api = Api(issuer, CertificateBound(proxy_header="Client-Cert"))
    padded = next(each for each in (certificate(f"{n}") for n in range(99)) if "=" in pem(each))
    token = issuer.token(cnf={"x5t#S256": thumbprint(padded)})
    first, second = quote(pem(padded)).encode(), quote(pem(OTHER)).encode()
    assert "alice" == (await api.send((b"client-cert", first), token=token)).subject
    joined = [first + between + second for between in (b",", b", ", b"%2C", b"", b"%0A")]
    rfc9440 = b":" + b64encode(der(padded)) + b":"
    for told in (*joined, rfc9440 + b", :" + b64encode(der(OTHER)) + b":", first + b",", b"," + first):
        with refused(TokenRejected, "certificate_malformed"):
            await api.send((b"client-cert", told), token=token)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/notes", "HTTP_AUTHORIZATION": f"Bearer {token}"}
    environ["HTTP_CLIENT_CERT"] = f"{first.decode()},{second.decode()}"
    with refused(TokenRejected, "certificate_malformed"):
        await api.server.admit(read_environ(environ, api.server))


async def test_pem_with_anything_else_in_it_is_none(issuer: SampleIssuer) -> None:
    api = Api(issuer, CertificateBound(proxy_header="Client-Cert"))
    head, body = pem(MINE).split("\n", 1)
    for odd in (f"{head}\n!!{body}", f"{head}\n{body[:7]}-{body[7:]}", f"x{head}\n{body}", f"{head}\n{body}x"):
        with refused(TokenRejected, "certificate_malformed"):
            await api.send((b"client-cert", quote(odd).encode()))


async def test_a_bound_token_opens_nothing_where_certificates_are_not_asked_for(issuer: SampleIssuer) -> None:
    for api in (Api(issuer), Api(issuer, Dpop())):
        with refused(TokenRejected, "access_token_binding_unknown"):
            await api.send(shown=der(MINE))


async def test_tokens_that_are_not_bound_are_refused_where_binding_is_required(issuer: SampleIssuer) -> None:
    token = issuer.token()
    assert "alice" == (await Api(issuer, CertificateBound()).send(token=token)).subject
    with refused(TokenRejected, "access_token_binding_missing"):
        await Api(issuer, CertificateBound(required=True)).send(token=token, shown=der(MINE))


async def test_a_token_bound_to_a_certificate_is_no_dpop_token(issuer: SampleIssuer) -> None:
    with refused(TokenRejected, "access_token_scheme_differs"):
        await Api(issuer, CertificateBound(), Dpop()).send(shown=der(MINE), scheme="DPoP")


async def test_the_certificate_is_read_from_asgis_tls_extension(issuer: SampleIssuer) -> None:
    api = Api(issuer, CertificateBound())
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/notes",
        "headers": [(b"authorization", f"Bearer {api.token}".encode())],
        "extensions": {"tls": {"client_cert_chain": [pem(MINE), pem(OTHER)]}},
    }
    assert "alice" == (await api.server.admit(read_request(scope, api.server))).subject
    scope["extensions"] = {"tls": {"client_cert_chain": []}}
    with refused(TokenRejected, "certificate_missing"):
        await api.server.admit(read_request(scope, api.server))


def context_of(
    key: ec.EllipticCurvePrivateKey, own: x509.Certificate, folder: Path, *trusted: x509.Certificate
) -> ssl.SSLContext:
    """TLS with a certificate of one's own, trusting others; for both sides."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{own.fingerprint(hashes.SHA256()).hex()}.pem"
    file.write_bytes(private + pem(own).encode())
    server_side = len(trusted) > 1
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(file)
    context.load_verify_locations(cadata="".join(map(pem, trusted)))
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_over_real_mutual_tls_a_stolen_token_opens_nothing(issuer: SampleIssuer, tmp_path: Path) -> None:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    proxy, mine, thief = (certificate(name, key) for name, key in zip(("proxy", "mine", "thief"), keys, strict=True))
    server = ResourceServer(
        issuer.issuer,
        audience="https://api.example",
        bindings=[CertificateBound(proxy_header="Client-Cert")],
        clock=Clock(),
    )
    token = issuer.token(cnf={"x5t#S256": thumbprint(mine)})
    forged = {"client-cert": f":{b64encode(der(mine)).decode()}:"}
    told = context_of(keys[0], proxy, tmp_path, mine, thief)
    with listening(Guard(let_in, server), bind()) as backend, ending_tls(backend, told) as url:

        def call(place: int, shown: x509.Certificate, **headers: str) -> httpx2.Response:
            context = context_of(keys[place], shown, tmp_path, proxy)
            with httpx2.Client(verify=context, trust_env=False) as client:
                return client.get(url, headers={"authorization": f"Bearer {token}", **headers})

        assert 204 == call(1, mine).status_code
        for headers in ({}, forged):
            answer = call(2, thief, **headers)
            assert (401, True) == (answer.status_code, "[certificate_differs]" in answer.text)


async def let_in(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
