"""An authorization request by reference: what the browser carries, what the issuer fetches, and who signed it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs, parse_qsl, urlsplit

from proofkey import jose
from proofkey.client import Registration, begin_login, read_metadata
from proofkey.client.request_object import by_reference, request_object

ISSUER = "https://login.example"
NOON = 1_800_000_000_000
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize?tenant=acme",
    "token_endpoint": f"{ISSUER}/token",
    "code_challenge_methods_supported": ["S256"],
}
SERVER = read_metadata(200, json.dumps(METADATA).encode(), expected_issuer=ISSUER)
PENDING = begin_login(
    SERVER, Registration("notes", "https://notes.example/callback"), scope="openid email", entropy=bytes(range(96))
)


def test_the_object_says_what_the_request_would_have_said_and_for_whom_and_how_long() -> None:
    key = jose.SigningKey(jose.generate_key("ES256"), "ES256")
    token = request_object(PENDING, key=key, now=NOON, jti="3e4fd1")
    claims = jose.verify_jwt(token, jose.KeySet.from_jwks(jose.jwk_set([key])), expected_typ="oauth-authz-req+jwt")
    envelope = {"iss": "notes", "aud": ISSUER, "iat": NOON // 1_000, "exp": NOON // 1_000 + 900, "jti": "3e4fd1"}
    assert {**dict(parse_qsl(urlsplit(PENDING.url).query)), **envelope} == claims
    assert PENDING.state == claims["state"]


def test_without_a_key_it_is_not_signed() -> None:
    header, _, signature = request_object(PENDING, key=None, now=NOON, jti="3e4fd1").split(".")
    assert ("none", "") == (json.loads(urlsafe_b64decode(header + "=="))["alg"], signature)


def test_the_browser_carries_the_reference_and_nothing_that_counts() -> None:
    request_uri = "https://notes.example/auth/request?id=1"
    shorter = by_reference(PENDING, SERVER.authorization_endpoint, request_uri)
    assert {
        "tenant": ["acme"],
        "client_id": ["notes"],
        "response_type": ["code"],
        "scope": ["openid email"],
        "request_uri": [request_uri],
    } == parse_qs(urlsplit(shorter.url).query)
    assert (PENDING.state, PENDING.code_verifier) == (shorter.state, shorter.code_verifier)
