"""Signatures held against libraries of their own, and tokens that must not be believed (RFC 8725)."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jwk import KeySet as JoseKeySet

from proofkey import jose

ES = jose.SigningKey(jose.generate_key("ES256"), "ES256")
OTHER = jose.SigningKey(jose.generate_key("ES256"), "ES256")
RSA = RSAKey.generate_key(2048, private=True)
RS = jose.SigningKey(jose.generate_key("RS256"), "RS256")
PRIVATE = ECKey.generate_key("P-256", private=True)
JWKS = jose.jwk_set([ES, RS])
KEYS = jose.KeySet.from_jwks(JWKS)
CLAIMS = {"iss": "https://login.example/demo/main", "sub": "alice", "n": 1, "é": ["☃", None, True]}


def encoded(raw: bytes | dict[str, Any]) -> str:
    text = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.mark.parametrize("key", [ES, RS], ids=["ES256", "RS256"])
def test_pyjwt_and_joserfc_verify_what_is_signed(key: jose.SigningKey) -> None:
    token = key.sign("at+jwt", CLAIMS)
    assert {"alg": key.alg, "kid": key.kid, "typ": "at+jwt"} == jwt.get_unverified_header(token)
    assert CLAIMS == jwt.decode(token, jwt.PyJWK(key.public_jwk), [key.alg])
    assert CLAIMS == joserfc_jwt.decode(token, JoseKeySet.import_key_set(JWKS), algorithms=[key.alg]).claims


@pytest.mark.parametrize("key", [ES, RS], ids=["ES256", "RS256"])
def test_its_own_signatures_verify_again_and_again(key: jose.SigningKey) -> None:
    for number in range(40):  # r and s are short now and then
        token = key.sign("JWT", {"n": number})
        assert {"n": number} == jose.verify_jwt(token, KEYS, expected_typ="jwt")


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_what_other_libraries_sign_verifies() -> None:
    for private, alg in (
        (ECKey.generate_key("P-256", private=True), "ES256"),
        (ECKey.generate_key("P-384", private=True), "ES384"),
        (ECKey.generate_key("P-521", private=True), "ES512"),
        *((RSA, f"{kind}{bits}") for kind in ("RS", "PS") for bits in (256, 384, 512)),
        (OKPKey.generate_key("Ed25519", private=True), "EdDSA"),
        (OKPKey.generate_key("Ed25519", private=True), "Ed25519"),
    ):
        keys = jose.KeySet.from_jwks({"keys": [{**private.as_dict(private=False), "kid": "k"}]})
        header = {"alg": alg, "kid": "k", "typ": "JWT"}
        token = jws.serialize_compact(header, json.dumps(CLAIMS).encode(), private, algorithms=[alg])
        assert CLAIMS == jose.verify_jwt(token, keys, expected_typ="jwt"), alg


def resigned(header: dict[str, Any], payload: bytes | dict[str, Any] = CLAIMS) -> str:
    """A token with any header at all, signed as the ES256 key signs."""
    message = f"{encoded(header)}.{encoded(payload)}".encode()
    return f"{message.decode()}.{encoded(ES._sign(message))}"


HEADER = {"alg": "ES256", "kid": ES.kid, "typ": "JWT"}


def test_the_header_that_the_refusals_below_alter_is_sound() -> None:
    assert CLAIMS == jose.verify_jwt(resigned(HEADER), KEYS, expected_typ="jwt")


@pytest.mark.parametrize(
    "header",
    [
        {**HEADER, "alg": "none"},
        {**HEADER, "alg": "None"},
        {**HEADER, "alg": "HS256"},
        {**HEADER, "alg": "RS256"},
        {**HEADER, "alg": "ES384"},
        {**HEADER, "alg": "ES512"},
        {**HEADER, "alg": None},
        {**HEADER, "alg": ["ES256"]},
        {**HEADER, "kid": "other"},
        {**HEADER, "kid": RS.kid},
        {**HEADER, "kid": 1},
        {**HEADER, "typ": "at+jwt"},
        {**HEADER, "typ": None},
        {**HEADER, "crit": ["exp"]},
        {**HEADER, "crit": []},
        {**HEADER, "b64": False, "crit": ["b64"]},
        {"kid": ES.kid, "typ": "JWT"},
        {},
    ],
)
def test_a_header_chooses_nothing(header: dict[str, Any]) -> None:
    with pytest.raises(jose.TokenInvalid):
        jose.verify_jwt(resigned(header), KEYS, expected_typ="jwt")


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        ({"alg": "none"}, jose.TokenUnsigned),
        ({"alg": "nOnE"}, jose.TokenUnsigned),
        ({"alg": "HS256"}, jose.AlgorithmRefused),
        ({"alg": "RS256"}, jose.AlgorithmRefused),
        ({"crit": ["b64"]}, jose.ExtensionUnknown),
        ({"typ": "at+jwt"}, jose.TypeDiffers),
        ({"kid": "new"}, jose.UnknownKey),
        ({"alg": 1}, jose.TokenMalformed),
    ],
)
def test_each_way_to_be_wrong_has_its_class(header: dict[str, Any], refusal: type[Exception]) -> None:
    with pytest.raises(jose.TokenInvalid) as caught:
        jose.verify_jwt(resigned({**HEADER, **header}), KEYS, expected_typ="jwt")
    assert refusal is type(caught.value)


def test_a_token_without_kid_is_verified_by_the_only_key_for_its_algorithm() -> None:
    token = resigned({"alg": "ES256", "typ": "JWT"})
    assert CLAIMS == jose.verify_jwt(token, KEYS, expected_typ="jwt")
    two = jose.KeySet.from_jwks({"keys": [ES.public_jwk, {**OTHER.public_jwk, "kid": "other"}]})
    with pytest.raises(jose.UnknownKey):
        jose.verify_jwt(token, two, expected_typ="jwt")


def test_a_key_in_the_header_is_not_even_looked_at() -> None:
    for member, key in (
        ("jwk", OTHER.public_jwk),
        ("jku", "https://thief.example/keys"),
        ("x5u", "https://thief.example"),
    ):
        message = f"{encoded({**HEADER, member: key})}.{encoded(CLAIMS)}"
        with pytest.raises(jose.SignatureInvalid):
            jose.verify_jwt(f"{message}.{encoded(OTHER._sign(message.encode()))}", KEYS, expected_typ="jwt")


def test_a_key_verifies_only_the_algorithm_it_is_for() -> None:
    private = RSAKey.generate_key(2048, private=True)
    keys = jose.KeySet.from_jwks({"keys": [{**private.as_dict(private=False), "kid": "k", "alg": "RS256"}]})
    token = jws.serialize_compact({"alg": "PS256", "kid": "k"}, b"{}", private, algorithms=["PS256"])
    with pytest.raises(jose.AlgorithmRefused):
        jose.verify_jwt(token, keys, expected_typ=None)


def test_the_caller_pins_the_algorithms() -> None:
    """Also where the key would fit."""
    token = RS.sign("JWT", CLAIMS)
    assert CLAIMS == jose.verify_jwt(token, KEYS, expected_typ="jwt", algorithms=frozenset({"RS256"}))
    with pytest.raises(jose.AlgorithmRefused):
        jose.verify_jwt(token, KEYS, expected_typ="jwt", algorithms=frozenset({"ES256"}))


def test_two_kinds_of_keys_may_have_one_kid() -> None:
    """RFC 7517 §4.5: the same value where kty differs."""
    keys = jose.KeySet.from_jwks({"keys": [{**ES.public_jwk, "kid": "k"}, {**RS.public_jwk, "kid": "k"}]})
    for key in (ES, RS):
        message = f"{encoded({'alg': key.alg, 'kid': 'k'})}.{encoded(CLAIMS)}"
        assert CLAIMS == jose.verify_jwt(f"{message}.{encoded(key._sign(message.encode()))}", keys, expected_typ=None)


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from(["ES256", "RS256", "PS256", "HS256", "none", "ES384", "", 7]),
        "kid": st.sampled_from([ES.kid, RS.kid, "other", 7]),
        "typ": st.sampled_from(["JWT", "at+jwt", "application/JWT", 7]),
        "crit": st.just(["exp"]),
        "x": st.integers(),
    },
)


@settings(deadline=None)  # an RSA signature on a busy machine
@given(HEADERS, st.sampled_from([ES, RS]), st.booleans(), st.integers(0, 511))
def test_what_is_believed_joserfc_believes_too(
    header: dict[str, Any], key: jose.SigningKey, flip: bool, bit: int
) -> None:
    """And the other way round, where our stricter rules hold: kid names the key, typ is the expected one, no crit."""
    message = f"{encoded(header)}.{encoded(CLAIMS)}"
    signature = bytearray(key._sign(message.encode()))
    signature[bit // 8] ^= flip << bit % 8
    token = f"{message}.{encoded(bytes(signature))}"
    named = {ES.kid: ES, RS.kid: RS}.get(header.get("kid"))
    try:
        oracle = named is not None and joserfc_verifies(token, named)
    except (JoseError, ValueError, TypeError):
        oracle = False
    strict = header.get("typ") in {"JWT", "application/JWT"} and "crit" not in header
    try:
        ours = CLAIMS == jose.verify_jwt(token, KEYS, expected_typ="jwt") and "kid" in header
    except jose.TokenInvalid:
        ours = False
    assert (oracle and strict) == ours


def joserfc_verifies(token: str, key: jose.SigningKey) -> bool:
    keys = JoseKeySet.import_key_set({"keys": [key.public_jwk]})
    registry = jws.JWSRegistry(
        algorithms=[key.alg], strict_check_header=False
    )  # RFC 7515 §4: what is unknown is ignored
    found = jws.deserialize_compact(token, keys, registry=registry)
    return CLAIMS == json.loads(found.payload)


def test_a_public_key_is_no_hmac_secret() -> None:
    head = encoded({**HEADER, "alg": "HS256"})
    message = f"{head}.{encoded(CLAIMS)}"
    for secret in (json.dumps(ES.public_jwk).encode(), b"", ES.kid.encode()):
        forged = f"{message}.{encoded(hmac.digest(secret, message.encode(), 'sha256'))}"
        with pytest.raises(jose.TokenInvalid):
            jose.verify_jwt(forged, KEYS, expected_typ=None)


@pytest.mark.parametrize("payload", [b"", b"x", b"[]", b"1", b"null", b'"x"', b"{", b"\xff", b"[" * 9_000])
def test_claims_are_a_json_object(payload: bytes) -> None:
    with pytest.raises(jose.TokenInvalid):
        jose.verify_jwt(resigned(HEADER, payload), KEYS, expected_typ="jwt")


@given(st.data())
def test_no_altered_character_verifies(data: st.DataObject) -> None:
    token = ES.sign("JWT", {"sub": "alice"})
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABab09-_.=+/ é").filter(lambda character: character != token[at]))
    with pytest.raises(jose.TokenInvalid):
        jose.verify_jwt(token[:at] + other + token[at + 1 :], KEYS, expected_typ="jwt")


@given(st.text(max_size=200))
def test_no_other_text_verifies(text: str) -> None:
    with pytest.raises(jose.TokenInvalid):
        jose.verify_jwt(text, KEYS, expected_typ=None)


def test_size_is_bounded_before_anything_is_parsed() -> None:
    with pytest.raises(jose.TokenInvalid, match="too long"):
        jose.verify_jwt(ES.sign("JWT", {"x": "y" * 20_000}), KEYS, expected_typ="jwt")


def test_a_signature_of_other_length_or_in_der_is_none() -> None:
    token = ES.sign("JWT", CLAIMS)
    message = token.rpartition(".")[0]
    assert ES._ec is not None
    der = ES._ec.sign(message.encode(), ec.ECDSA(hashes.SHA256()))
    good = urlsafe_b64decode(f"{token.rpartition('.')[2]}==")
    spelt_longer = (good[:32] + b"\0" + good[32:], b"\0" + good)
    for signature in (b"", bytes(64), b"\xff" * 64, der, bytes(63), bytes(65), *spelt_longer):
        with pytest.raises(jose.TokenInvalid):
            jose.verify_jwt(f"{message}.{encoded(signature)}", KEYS, expected_typ="jwt")


def test_long_headers_of_strangers_are_not_kept() -> None:
    kept = jose._kept_header.cache_info().currsize
    for number in range(3):
        header = encoded({"alg": "ES256", "kid": f"{number}" * 1_000})
        with pytest.raises(jose.UnknownKey):
            jose.verify_jwt(f"{header}.{encoded(CLAIMS)}.AAAA", KEYS, expected_typ=None)
    assert kept == jose._kept_header.cache_info().currsize


def test_typ_is_compared_as_a_media_type() -> None:
    for typ in ("JWT", "jwt", "application/jwt"):
        assert jose.verify_jwt(resigned({**HEADER, "typ": typ}), KEYS, expected_typ="jwt")


def test_an_unknown_key_is_told_apart_so_that_a_stale_set_can_be_fetched_again() -> None:
    with pytest.raises(jose.UnknownKey):
        jose.verify_jwt(resigned({**HEADER, "kid": "new"}), KEYS, expected_typ="jwt")


# --- key sets ------------------------------------------------------------------------------------------------------


EC_JWK = {**ES.public_jwk, "kid": "k"}


@pytest.mark.parametrize(
    "jwk",
    [
        {**EC_JWK, "use": "enc"},
        {**EC_JWK, "kid": None},
        {**EC_JWK, "x": "AAAA"},
        {**EC_JWK, "x": EC_JWK["y"], "y": EC_JWK["x"]},
        {**EC_JWK, "crv": "secp256k1"},
        {**EC_JWK, "crv": "P-521"},
        {**EC_JWK, "d": "AAAA"},
        {**PRIVATE.as_dict(private=True), "kid": "k"},
        {"kty": "RSA", "kid": "k", "e": "AQAB", "n": "_" * 684},  # 4,096 bits and eight
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k"},
        {"kty": "RSA", "kid": "k"},
        {"kid": "k"},
        "k",
        None,
        [],
    ],
)
def test_keys_that_cannot_be_used_are_left_out(jwk: Any) -> None:
    assert frozenset({ES.kid}) == jose.KeySet.from_jwks({"keys": [jwk, ES.public_jwk]}).kids


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_rsa_keys_are_2048_to_4096_bits() -> None:
    small = RSAKey.import_key(rsa.generate_private_key(65_537, 1_024).public_key())
    assert frozenset() == jose.KeySet.from_jwks({"keys": [{**small.as_dict(private=False), "kid": "k"}]}).kids
    assert RS.kid in KEYS.kids


@pytest.mark.parametrize("jwks", [{}, {"keys": None}, {"keys": {}}, {"keys": [ES.public_jwk] * 65}])
def test_what_is_no_key_set_is_refused(jwks: dict[str, Any]) -> None:
    with pytest.raises(jose.TokenInvalid):
        jose.KeySet.from_jwks(jwks)


def test_the_public_set_holds_no_private_member() -> None:
    for jwk in JWKS["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi"} & set(jwk)


def test_only_ec_and_rsa_keys_sign() -> None:
    private = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(TypeError):
        jose.SigningKey(private, "ES256")


def test_at_hash_is_the_left_half_of_sha_256() -> None:
    """The example of OpenID Connect Core 1.0, appendix A.3."""
    assert "77QmUPtjPfzWtF2AnpK9RQ" == jose.left_half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y")


@pytest.mark.parametrize(
    ("alg", "name"),
    [
        ("RS256", "sha256"),
        ("PS256", "sha256"),
        ("RS384", "sha384"),
        ("PS512", "sha512"),
        ("ES384", "sha384"),
        ("ES512", "sha512"),
        ("EdDSA", "sha512"),
        ("Ed25519", "sha512"),
    ],
)
def test_at_hash_is_hashed_as_the_id_token_is_signed(alg: str, name: str) -> None:
    digest = hashlib.new(name, b"token").digest()
    assert encoded(digest[: len(digest) // 2]) == jose.left_half_hash("token", alg)
