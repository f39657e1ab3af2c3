"""The guard in front of a real server, with the keys of a real issuer: who comes in, and what everybody else is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest
from joserfc.jwk import import_key

from proofkey import jose
from proofkey.guard import Guard, ResourceServer, access_of, protect, require
from tests.guard.sample_issuer import KEY, NOON, OTHER_KEY, RSA_KEY, Clock, SampleIssuer
from tests.listening import bind, listening, url_of

AUDIENCE = "https://api.example"
METADATA = ', resource_metadata="https://api.example/.well-known/oauth-protected-resource"'
REFUSAL = 'Bearer realm="https://api.example", error="{}", error_description="{}"'


@dataclass
class Api:
    """A guarded API that answers."""

    url: str
    issuer: SampleIssuer

    def get(
        self, token: str | None = None, *, query: str = "", headers: list[tuple[str, str]] | None = None
    ) -> httpx2.Response:
        sent = headers or ([] if token is None else [("authorization", f"Bearer {token}")])
        with httpx2.Client(trust_env=False) as client:
            return client.get(f"{self.url}/{query}", headers=sent)


async def who_calls(scope: dict[str, object], _receive: object, send: object) -> None:
    access = access_of(scope)
    body = json.dumps([access.subject, access.client_id, sorted(access.scope)]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": body})  # type: ignore[operator]


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    listener = bind()
    issuer = SampleIssuer(f"{url_of(listener)}/acme/main")
    clock = Clock()
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=clock)
    guarded = Guard(who_calls, server, require("notes:read"))  # type: ignore[arg-type]
    with listening(issuer, listener), listening(guarded, bind()) as url:
        yield Api(url, issuer)


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def forge(
    header: dict[str, object],
    claims: dict[str, object],
    signature: bytes = b"",
    *,
    secret: bytes | None = None,
    signed_by: jose.SigningKey | None = None,
) -> str:
    signed = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"
    if secret is not None:
        signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
    if signed_by is not None:
        signature = signed_by._sign(signed.encode())
    return f"{signed}.{encode(signature)}"


def json_of(key: jose.SigningKey) -> bytes:
    return json.dumps(key.public_jwk).encode()


def pem_of(key: jose.SigningKey) -> bytes:
    return import_key(key.public_jwk).as_pem(private=False)


@pytest.mark.parametrize("key", [KEY, RSA_KEY])
def test_a_good_token_comes_in(api: Api, key: jose.SigningKey) -> None:
    answer = api.get(api.issuer.token(key))
    assert (200, ["alice", "spa", ["notes:read"]]) == (answer.status_code, answer.json())


def test_without_a_token_the_challenge_names_no_error(api: Api) -> None:
    answer = api.get()
    expected = 'Bearer realm="https://api.example", scope="notes:read"' + METADATA
    assert (401, expected) == (answer.status_code, answer.headers["www-authenticate"])
    assert ["error_description"] == list(answer.json())
    assert answer.json()["error_description"].endswith("[access_token_missing]")
    assert ("application/json", "no-store") == (answer.headers["content-type"], answer.headers["cache-control"])


def test_another_scheme_is_no_token(api: Api) -> None:
    assert "error=" not in api.get(headers=[("authorization", "Basic YTpi")]).headers["www-authenticate"]


def test_a_token_in_the_query_is_no_token(api: Api) -> None:
    answer = api.get(query=f"?access_token={api.issuer.token()}")
    assert (401, False) == (answer.status_code, "error=" in answer.headers["www-authenticate"])


def test_two_tokens_are_one_too_many(api: Api) -> None:
    bearer = ("authorization", f"Bearer {api.issuer.token()}")
    answer = api.get(headers=[bearer, bearer])
    assert (400, "invalid_request") == (answer.status_code, answer.json()["error"])
    assert answer.json()["error_description"].endswith("[authorization_repeated]")


@pytest.mark.parametrize("value", ["Bearer", "Bearer a b", 'Bearer "a"', "Bearer a,b", "Bearer ä"])
def test_what_is_no_bearer_token_is_a_bad_request(api: Api, value: str) -> None:
    answer = api.get(headers=[("authorization", value.encode("latin-1"))])  # type: ignore[list-item]
    assert (400, True) == (answer.status_code, answer.json()["error_description"].endswith("[authorization_malformed]"))


def test_a_lower_case_scheme_is_the_same_scheme(api: Api) -> None:
    assert 200 == api.get(headers=[("authorization", f"bearer {api.issuer.token()}")]).status_code


def test_a_signed_token_that_ends_beyond_all_time_is_malformed(api: Api) -> None:
    assert_rejected(api.get(api.issuer.token(exp=1e308)), "access_token_times_malformed")


def assert_rejected(answer: httpx2.Response, reason: str) -> None:
    told = answer.json()
    assert (401, "invalid_token") == (answer.status_code, told["error"])
    assert told["error_description"].endswith(f"[{reason}]")
    assert REFUSAL.format("invalid_token", told["error_description"]) + METADATA == answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": NOON // 1_000 - 30}, "access_token_expired"),
        ({"aud": "https://other.example"}, "access_token_audience_differs"),
        ({"iss": "https://issuer.example"}, "access_token_issuer_unknown"),
        ({"iss": ["https://issuer.example"]}, "access_token_issuer_unknown"),
        ({"iss": None}, "access_token_issuer_unknown"),
        ({"typ": "JWT"}, "access_token_type"),
        ({"typ": "logout+jwt"}, "access_token_type"),
        ({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, "access_token_binding_unknown"),
        ({"cnf": {}}, "access_token_confirmation_malformed"),
        ({"cnf": "key"}, "access_token_confirmation_malformed"),
        ({"key": OTHER_KEY}, "access_token_key_unknown"),
    ],
)
def test_a_signed_token_that_is_not_for_here_and_now_is_refused(
    api: Api, changed: dict[str, object], reason: str
) -> None:
    assert_rejected(api.get(api.issuer.token(**changed)), reason)  # type: ignore[arg-type]


def test_a_missing_scope_is_403_and_names_what_it_takes(api: Api) -> None:
    answer = api.get(api.issuer.token(scope="notes:write"))
    told = answer.json()
    assert (403, "insufficient_scope") == (answer.status_code, told["error"])
    expected = REFUSAL.format("insufficient_scope", told["error_description"]) + ', scope="notes:read"' + METADATA
    assert expected == answer.headers["www-authenticate"]


def forgeries(issuer: SampleIssuer) -> dict[str, tuple[str, str]]:
    """Tokens that nobody should believe, and what each is called."""
    claims = issuer.claims()
    good = issuer.token()
    head, body, signature = good.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    header = {"alg": "HS256", "typ": "at+jwt", "kid": KEY.kid}
    es256 = {**header, "alg": "ES256"}
    stolen = KEY.sign("at+jwt", claims).rpartition(".")[2]
    own = {**es256, "jwk": OTHER_KEY.public_jwk}
    own_message = f"{encode(json.dumps(own).encode())}.{encode(json.dumps(claims).encode())}"
    tail = encode(raw)
    loose = tail[:-1] + chr(ord(tail[-1]) + 1)
    return {
        "none": (forge({**header, "alg": "none"}, claims), "access_token_unsigned"),
        "None": (forge({**header, "alg": "None"}, claims), "access_token_unsigned"),
        "none, with a signature": (forge({**header, "alg": "none"}, claims, raw), "access_token_unsigned"),
        "HS256, keyed by the EC key": (forge(header, claims, secret=pem_of(KEY)), "access_token_algorithm"),
        "HS256, keyed by the JWK": (forge(header, claims, secret=json_of(KEY)), "access_token_algorithm"),
        "HS256, keyed by the RSA key": (
            forge({**header, "kid": RSA_KEY.kid}, claims, secret=pem_of(RSA_KEY)),
            "access_token_algorithm",
        ),
        "the algorithm of another key": (
            forge({**header, "alg": "RS256"}, claims, b"x" * 256),
            "access_token_algorithm",
        ),
        "a flipped bit": (f"{head}.{body}.{encode(bytes([raw[0] ^ 1, *raw[1:]]))}", "access_token_forged"),
        "no signature": (f"{head}.{body}.", "access_token_forged"),
        "half a signature": (f"{head}.{body}.{encode(raw[:32])}", "access_token_forged"),
        "another token's signature": (f"{head}.{body[:-4]}AAAA.{stolen}", "access_token_malformed"),
        "other claims": (
            f"{head}.{encode(json.dumps({**claims, 'sub': 'bob'}).encode())}.{signature}",
            "access_token_forged",
        ),
        "another key under this kid": (forge(es256, claims, signed_by=OTHER_KEY), "access_token_forged"),
        "its own key": (f"{own_message}.{encode(OTHER_KEY._sign(own_message.encode()))}", "access_token_forged"),
        "its own key's address": (
            forge({**es256, "jku": "http://127.0.0.1:9/keys"}, claims, signed_by=OTHER_KEY),
            "access_token_forged",
        ),
        "an unknown extension": (forge({**es256, "crit": ["b64"], "b64": False}, claims), "access_token_critical"),
        "a key of nobody": (forge({**es256, "kid": "../../etc/passwd"}, claims), "access_token_key_unknown"),
        "stray bits": (f"{head}.{body}.{loose}", "access_token_malformed"),
        "padding": (f"{good}==", "access_token_malformed"),
        "two parts": (f"{head}.{body}", "access_token_malformed"),
        "five parts": (f"{good}.a.b", "access_token_malformed"),
        "no parts": ("nothing", "access_token_malformed"),
        "a header that is no object": (f"{encode(b'[]')}.{body}.{signature}", "access_token_malformed"),
        "deep claims": (f"{head}.{encode(b'[' * 9_000)}.{signature}", "access_token_malformed"),
        "a long one": (f"{head}.{'A' * 20_000}.{signature}", "access_token_too_long"),
    }


def test_each_forgery_is_refused_by_name(api: Api) -> None:
    forged = forgeries(api.issuer)
    found = {}
    for name, (token, _) in forged.items():
        answer = api.get(token)
        slug = answer.json()["error_description"].rpartition("[")[2].rstrip("]")
        assert_rejected(answer, slug)
        found[name] = slug
    assert {name: slug for name, (_, slug) in forged.items()} == found


def test_an_issuer_is_https_or_on_this_machine() -> None:
    for issuer in (
        "http://issuer.example",
        "ftp://127.0.0.1",
        "https://a@b",
        "https://a?b",
        "https://a#b",
        "https://",
        "a",
    ):
        with pytest.raises(ValueError, match="issuer"):
            protect(who_calls, issuer=issuer, audience=AUDIENCE)  # type: ignore[arg-type]


def test_a_realm_that_would_break_the_challenge_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="quotes"):
        protect(who_calls, issuer="https://issuer.example", audience='a"b')  # type: ignore[arg-type]
