"""The guard in front of WSGI: the address as it was sent, headers as servers join them, and what comes through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from proofkey.guard import CertificateBound, Dpop, Nonces, ResourceServer, require
from proofkey.guard.wsgi import Guard, access_of, protect, read_request
from tests.guard.bound import BoundClient
from tests.guard.sample_issuer import Clock, SampleIssuer
from tests.guard.test_guard_mtls import MINE, OTHER, pem, thumbprint
from tests.listening import bind, listening, url_of


@pytest.fixture(scope="module")
def issuer() -> Iterator[SampleIssuer]:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(sample, listener):
        yield sample


def who_calls(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [access_of(environ).subject.encode()]


def environ_of(method: str = "GET", path: str = "/notes", **more: Any) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        **more,
    }
    setup_testing_defaults(environ)
    return environ


def call(app: Any, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """What *app* answers, held to PEP 3333 on the way."""
    answered: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        answered.extend((int(status.split()[0]), dict(headers)))

    parts = validator(app)(environ, start_response)
    body = b"".join(parts)
    parts.close()  # type: ignore[attr-defined]
    return answered[0], answered[1], body


def test_a_good_token_comes_through_and_the_application_knows_whose(issuer: SampleIssuer) -> None:
    server = ResourceServer(issuer.issuer, audience="https://api.example", clock=Clock())
    guarded = Guard(who_calls, server, require("notes:read"))
    status, _, body = call(guarded, environ_of(HTTP_AUTHORIZATION=f"Bearer {issuer.token()}"))
    assert (200, b"alice") == (status, body)


def test_everybody_else_gets_the_challenge(issuer: SampleIssuer) -> None:
    guarded = protect(who_calls, issuer=issuer.issuer, audience="https://api.example", scopes=["notes:read"])
    status, headers, body = call(guarded, environ_of())
    assert (401, True) == (status, headers["www-authenticate"].startswith("Bearer realm="))
    assert b"[access_token_missing]" in body
    assert (401, b"") == call(guarded, environ_of("HEAD"))[::2]


def test_what_a_route_needs_may_depend_on_the_request(issuer: SampleIssuer) -> None:
    server = ResourceServer(issuer.issuer, audience="https://api.example", clock=Clock())
    guarded = Guard(
        who_calls, server, lambda environ: require("notes:write" if environ["REQUEST_METHOD"] == "POST" else "")
    )
    authorization = f"Bearer {issuer.token()}"
    assert 200 == call(guarded, environ_of(HTTP_AUTHORIZATION=authorization))[0]
    assert 403 == call(guarded, environ_of("POST", HTTP_AUTHORIZATION=authorization))[0]


def test_the_metadata_are_served(issuer: SampleIssuer) -> None:
    guarded = protect(who_calls, issuer=issuer.issuer, audience="https://api.example")
    status, headers, body = call(guarded, environ_of(path="/.well-known/oauth-protected-resource"))
    assert (200, "*", True) == (status, headers["access-control-allow-origin"], b'"resource"' in body)
    assert 401 == call(guarded, environ_of("POST", path="/.well-known/oauth-protected-resource"))[0]


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"PATH_INFO": "/notes"}, "/notes"),
        ({"SCRIPT_NAME": "/api", "PATH_INFO": "/notes"}, "/api/notes"),
        ({"PATH_INFO": "/caf\xc3\xa9 1"}, "/caf%C3%A9%201"),
        ({"PATH_INFO": "/a/b", "RAW_URI": "/a%2Fb?c=d"}, "/a%2Fb"),
        ({"PATH_INFO": "/a/b", "REQUEST_URI": "/a%2Fb"}, "/a%2Fb"),
        ({"PATH_INFO": "/a", "RAW_URI": "http://evil.example/a?b"}, "/a"),
        ({"PATH_INFO": "/a", "RAW_URI": "//evil.example/a"}, "//evil.example/a"),
        ({"PATH_INFO": "/a", "RAW_URI": "*"}, "/a"),
        ({"PATH_INFO": "/a", "RAW_URI": ""}, "/a"),
    ],
)
def test_the_address_is_the_path_as_sent_under_the_configured_origin(
    issuer: SampleIssuer, environ: dict[str, Any], path: str
) -> None:
    server = ResourceServer(issuer.issuer, audience="https://api.example")
    sent = {"REQUEST_METHOD": "GET", "HTTP_HOST": "evil.example", **environ}
    assert f"https://api.example{path}" == read_request(sent, server).url


def test_a_bound_token_opens_with_its_proof_once(issuer: SampleIssuer) -> None:
    client = BoundClient(issuer, Dpop(), Clock())
    guarded = Guard(who_calls, client.server)
    bound = {"HTTP_AUTHORIZATION": f"DPoP {client.token}", "HTTP_DPOP": client.proof()}
    assert (200, b"alice") == call(guarded, environ_of(**bound))[::2]
    assert b"[dpop_replayed]" in call(guarded, environ_of(**bound))[2]


def test_a_proof_is_spent_once_although_two_guards_ask(issuer: SampleIssuer) -> None:
    client = BoundClient(issuer, Dpop(), Clock())
    guarded = Guard(Guard(who_calls, client.server, require("notes:read")), client.server)
    bound = {"HTTP_AUTHORIZATION": f"DPoP {client.token}", "HTTP_DPOP": client.proof()}
    assert (200, b"alice") == call(guarded, environ_of(**bound))[::2]
    assert b"[dpop_replayed]" in call(guarded, environ_of(**bound))[2]


def test_an_ageing_nonce_is_answered_with_the_next_one(issuer: SampleIssuer) -> None:
    nonces = Nonces(b"n" * 32)
    client = BoundClient(issuer, Dpop(nonces=nonces), Clock())
    guarded, nonce = Guard(who_calls, client.server), nonces.mint(client.clock.now)
    client.clock.turn(200_000)
    bound = {"HTTP_AUTHORIZATION": f"DPoP {client.token}", "HTTP_DPOP": client.proof(nonce=nonce)}
    status, headers, _ = call(guarded, environ_of(**bound))
    assert (200, nonces.mint(client.clock.now)) == (status, headers["dpop-nonce"])


def test_headers_that_the_server_joined_are_malformed(issuer: SampleIssuer) -> None:
    client = BoundClient(issuer, Dpop(), Clock())
    guarded = Guard(who_calls, client.server)
    twice = {"HTTP_AUTHORIZATION": f"DPoP {client.token}", "HTTP_DPOP": f"{client.proof()},{client.proof()}"}
    assert b"[dpop_proof_malformed]" in call(guarded, environ_of(**twice))[2]
    doubled = f"DPoP {client.token},DPoP {client.token}"
    assert b"[authorization_malformed]" in call(guarded, environ_of(HTTP_AUTHORIZATION=doubled))[2]


def test_the_servers_own_word_on_the_certificate_counts(issuer: SampleIssuer) -> None:
    server = ResourceServer(issuer.issuer, audience="https://api.example", bindings=[CertificateBound()], clock=Clock())
    guarded = Guard(who_calls, server)
    token = issuer.token(cnf={"x5t#S256": thumbprint(MINE)})
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    assert 200 == call(guarded, environ_of(**bearer, SSL_CLIENT_CERT=pem(MINE)))[0]
    assert b"[certificate_differs]" in call(guarded, environ_of(**bearer, SSL_CLIENT_CERT=pem(OTHER)))[2]
    for none in ({}, {"SSL_CLIENT_CERT": ""}, {"SSL_CLIENT_CERT": "(null)"}, {"HTTP_SSL_CLIENT_CERT": "forged"}):
        assert b"[certificate_missing]" in call(guarded, environ_of(**bearer, **none))[2]


def test_an_application_that_is_not_guarded_is_told() -> None:
    with pytest.raises(TypeError):
        access_of({"proofkey.access": "alice"})
