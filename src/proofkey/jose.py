"""JSON Web Tokens and key sets: the only file that imports the JOSE library (RFC 7515, 7517, 7518, 7519, 8725).

1. The verifier names the algorithms and the `typ`; nothing in a token chooses how it is checked (RFC 8725 §3.1, §3.11).
2. Keys come from the set given, by `kid`; `jwk`, `jku`, `x5c`, `x5u` in a header are never followed; `crit` is refused.
3. Sizes are bounded before anything is parsed.
4. Signatures are made and verified over `cryptography` directly, with headers written and read once; keys are read by
   joserfc, which is also what the tests hold this file against.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from proofkey.protocol.base64url import decode_octets, encode_base64url, encode_octets

Algorithm: TypeAlias = Literal["ES256", "RS256"]
MAX_TOKEN = 16_384
MAX_KEYS = 64
_RSA_FAMILY = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
SIGNATURE_ALGORITHMS = frozenset({"ES256", "ES384", "ES512", "EdDSA", "Ed25519", *_RSA_FAMILY})
_EDWARDS = frozenset({"EdDSA", "Ed25519"})
"""The older and the newer name of one algorithm (RFC 8037 §3.1, RFC 9864)."""
_FAMILY: Mapping[str, frozenset[str]] = {
    "EC:P-256": frozenset({"ES256"}),
    "EC:P-384": frozenset({"ES384"}),
    "EC:P-521": frozenset({"ES512"}),
    "OKP:Ed25519": _EDWARDS,
    "RSA:": _RSA_FAMILY,
}
_SHA256 = hashes.SHA256()
_ES256 = ec.ECDSA(_SHA256)
_ECDSA = {"ES256": (32, _ES256), "ES384": (48, ec.ECDSA(hashes.SHA384())), "ES512": (66, ec.ECDSA(hashes.SHA512()))}
_RSA = {
    f"{kind}{bits}": (
        padding.PKCS1v15() if kind == "RS" else padding.PSS(padding.MGF1(sha), padding.PSS.DIGEST_LENGTH),
        sha,
    )
    for kind in ("RS", "PS")
    for bits, sha in (("256", _SHA256), ("384", hashes.SHA384()), ("512", hashes.SHA512()))
}
_KEPT_HEADER = 512
"""Bytes of the longest header that is kept for the next token; an issuer sends few different ones."""


class TokenInvalid(Exception):
    """A token that cannot be believed; the message says why and is safe to log."""


class TokenMalformed(TokenInvalid):
    """No signed JWT in compact form, in its one spelling; or a JWK Set that is none."""


class TokenTooLong(TokenInvalid):
    """More than `MAX_TOKEN` characters."""


class AlgorithmRefused(TokenInvalid):
    """An `alg` that is not accepted here, or not for the key that `kid` names."""


class TokenUnsigned(AlgorithmRefused):
    """`alg` is none: anybody could have written this."""


class ExtensionUnknown(TokenInvalid):
    """`crit` demands what nobody here understands (RFC 7515 §4.1.11)."""


class TypeDiffers(TokenInvalid):
    """A `typ` that is not the expected one: a token for another purpose (RFC 8725 §3.11)."""


class SignatureInvalid(TokenInvalid):
    """The named key did not sign this."""


class UnknownKey(TokenInvalid):
    """A `kid` that is not in the set: the set may be out of date."""


class SigningKey:
    """A private key that signs JWTs under one algorithm; `kid` is its RFC 7638 thumbprint."""

    __slots__ = ("_ec", "_heads", "_rsa", "alg", "kid", "public_jwk")

    def __init__(self, private_der: bytes, alg: Algorithm) -> None:
        private = serialization.load_der_private_key(private_der, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise TypeError("a signing key is EC or RSA")
        self._ec = private if isinstance(private, ec.EllipticCurvePrivateKey) else None
        self._rsa: Any = None if self._ec else private
        self.alg = alg
        pem = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        key = ECKey.import_key(pem) if alg == "ES256" else RSAKey.import_key(pem)
        self.kid = key.thumbprint()
        self.public_jwk: dict[str, Any] = {**key.as_dict(private=False), "kid": self.kid, "alg": alg, "use": "sig"}
        self._heads: dict[str, bytes] = {}

    def sign(self, typ: str, claims: Mapping[str, Any]) -> str:
        """A compact JWS over *claims* with header alg, kid and *typ*."""
        head = self._heads.get(typ)
        if head is None:
            header = {"alg": self.alg, "kid": self.kid, "typ": typ}
            head = self._heads[typ] = encode_octets(msgspec.json.encode(header)) + b"."
        message = head + encode_octets(msgspec.json.encode(claims))
        return (message + b"." + encode_octets(self._sign(message))).decode("ascii")

    def _sign(self, message: bytes) -> bytes:
        if self._ec is None:
            signature: bytes = self._rsa.sign(message, padding.PKCS1v15(), hashes.SHA256())
            return signature
        r, s = decode_dss_signature(self._ec.sign(message, _ES256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def generate_key(alg: Algorithm) -> bytes:
    """A new private key for *alg*, as PKCS#8 DER: P-256, or RSA of 2,048 bits."""
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if alg == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_part(private_der: bytes) -> bytes:
    """The public half of a private key, as SubjectPublicKeyInfo DER."""
    public = serialization.load_der_private_key(private_der, password=None).public_key()
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class VerifyingKey:
    """One public key and the algorithms it may verify (RFC 8725 §3.1)."""

    __slots__ = ("_public", "algorithms", "kid")

    def __init__(self, kid: str | None, algorithms: frozenset[str], public: Any) -> None:
        self.kid = kid
        self.algorithms = algorithms
        self._public = public

    @classmethod
    def from_jwk(cls, jwk: Any) -> VerifyingKey | None:
        """The key of a JWK; None for private keys, and keys of other kinds, uses and sizes."""
        if not isinstance(jwk, dict) or "d" in jwk or not _is_for_signatures(jwk):
            return None
        algorithms = _FAMILY.get(f"{jwk.get('kty')}:{jwk.get('crv', '')}", frozenset()) & _named_by(jwk.get("alg"))
        try:
            key = import_key(jwk) if algorithms else None
        except (JoseError, ValueError, TypeError):
            return None
        if not isinstance(key, ECKey | RSAKey | OKPKey):
            return None
        if isinstance(key, RSAKey) and not 2_048 <= key.public_key.key_size <= 4_096:
            return None
        kid = jwk.get("kid")
        return cls(kid if isinstance(kid, str) else None, algorithms, key.public_key)

    def verify(self, alg: str, message: bytes, signature: bytes) -> None:
        """Raise `SignatureInvalid` unless this key signed *message* under *alg* (RFC 7518 §3, RFC 8037 §3.1)."""
        try:
            if alg in _ECDSA:
                size, algorithm = _ECDSA[alg]
                self._public.verify(_der(signature, size), message, algorithm)
            elif alg in _RSA:
                self._public.verify(signature, message, *_RSA[alg])
            else:
                self._public.verify(signature, message)
        except InvalidSignature:
            raise SignatureInvalid("the signature does not verify") from None


def _der(signature: bytes, size: int) -> bytes:
    """The form `cryptography` reads; a JWS has r and s side by side (RFC 7518 §3.4)."""
    if len(signature) != 2 * size:
        raise SignatureInvalid("the signature has the wrong length")
    return encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))


def _is_for_signatures(jwk: Mapping[str, Any]) -> bool:
    """RFC 7517 §4.2 and §4.3."""
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _named_by(alg: Any) -> frozenset[str]:
    """The algorithms that a key with that `alg` member is for (RFC 7517 §4.4)."""
    if alg is None:
        return SIGNATURE_ALGORITHMS
    if not isinstance(alg, str):
        return frozenset()
    return _EDWARDS if alg in _EDWARDS else frozenset({alg})


class KeySet:
    """Public keys to verify with, by `kid` (RFC 7517 §5).

    A token without `kid` is verified by the only key for its algorithm; where there are several, nothing is tried out.
    """

    __slots__ = ("_alone", "_keys", "kids")

    def __init__(self, keys: Iterable[VerifyingKey]) -> None:
        self._keys: dict[tuple[str, str], VerifyingKey] = {}
        self._alone: dict[str, VerifyingKey | None] = {}
        for key in keys:
            for alg in key.algorithms:
                self._alone[alg] = None if alg in self._alone else key
                if key.kid is not None:
                    self._keys[key.kid, alg] = key
        self.kids = frozenset(kid for kid, _ in self._keys)

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be verified."""
        return not self._alone

    @classmethod
    def from_jwks(cls, jwks: Mapping[str, Any]) -> KeySet:
        """The usable signature keys of a JWK Set; keys of other kinds, uses and sizes are left out.

        Raises `TokenInvalid` where *jwks* is not a JWK Set.
        """
        members = jwks.get("keys")
        if not isinstance(members, list) or len(members) > MAX_KEYS:
            raise TokenMalformed("the JWK Set has no usable keys member")
        return cls(key for jwk in members if (key := VerifyingKey.from_jwk(jwk)) is not None)

    def find(self, kid: str | None, alg: str) -> VerifyingKey:
        """The key to verify *alg* with. Raises `UnknownKey`, or `AlgorithmRefused` where *kid* is for others."""
        key = self._alone.get(alg) if kid is None else self._keys.get((kid, alg))
        if key is None and kid in self.kids:
            raise AlgorithmRefused("alg does not fit the key")
        if key is None:
            raise UnknownKey("kid names no known key")
        return key


@dataclass(frozen=True, slots=True)
class Header:
    """What a JOSE header says, as far as anybody listens. `typ` is a media type without `application/`, in lower case."""

    alg: str
    kid: str | None
    typ: str | None
    is_critical: bool


@dataclass(frozen=True, slots=True)
class Unverified:
    """A JWT that was read, and of which nothing is believed yet."""

    header: Header
    message: bytes
    claims: dict[str, Any]
    signature: bytes


def parse_jwt(token: str) -> Unverified:
    """Read *token* without believing it: its claims may choose what it is verified by, never whether.

    Raises `TokenTooLong` or `TokenMalformed`.
    """
    if len(token) > MAX_TOKEN:
        raise TokenTooLong("the token is too long")
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        raise TokenMalformed("the token is no JWT in compact form")
    message, _, signature = token.encode("ascii").rpartition(b".")
    head, _, payload = message.partition(b".")
    try:
        header = _kept_header(head) if len(head) <= _KEPT_HEADER else _read_header(head)
        return Unverified(header, message, decode_claims(decode_octets(payload)), decode_octets(signature))
    except ValueError:
        raise TokenMalformed("the token is not canonical base64url") from None


def _read_header(head: bytes) -> Header:
    said = decode_claims(decode_octets(head))
    alg, kid, typ = said.get("alg"), said.get("kid"), said.get("typ")
    if not isinstance(alg, str) or not isinstance(kid, str | None) or not isinstance(typ, str | None):
        raise TokenMalformed("alg, kid or typ of the header is missing or malformed")
    return Header(alg, kid, typ and typ.lower().removeprefix("application/"), "crit" in said)


_kept_header = lru_cache(maxsize=256)(_read_header)


def verify_parsed(
    unverified: Unverified,
    keys: KeySet,
    *,
    expected_typ: str | frozenset[str | None] | None,
    algorithms: frozenset[str] = SIGNATURE_ALGORITHMS,
) -> dict[str, Any]:
    """The claims, once signature, `alg`, `kid` and `typ` hold. See `verify_jwt`."""
    header = unverified.header
    if header.alg not in algorithms:
        if header.alg.lower() == "none":
            raise TokenUnsigned("alg is none")
        raise AlgorithmRefused("alg is not one that is accepted here")
    if header.is_critical:
        raise ExtensionUnknown("crit names an extension that is not understood")
    if expected_typ is not None and header.typ not in _types(expected_typ):
        raise TypeDiffers("typ is not the expected one")
    keys.find(header.kid, header.alg).verify(header.alg, unverified.message, unverified.signature)
    return unverified.claims


def _types(expected: str | frozenset[str | None]) -> frozenset[str | None] | tuple[str]:
    return (expected,) if isinstance(expected, str) else expected


def verify_jwt(
    token: str,
    keys: KeySet,
    *,
    expected_typ: str | frozenset[str | None] | None,
    algorithms: frozenset[str] = SIGNATURE_ALGORITHMS,
) -> dict[str, Any]:
    """The claims of *token* once its signature, `alg`, `kid` and `typ` hold. Times, issuer and audience are the caller's.

    `expected_typ=None` leaves `typ` unchecked, for ID tokens of issuers that set none; in a set of types, None stands for
    a token without one. Raises `TokenInvalid`.
    """
    return verify_parsed(parse_jwt(token), keys, expected_typ=expected_typ, algorithms=algorithms)


def decode_claims(payload: bytes) -> dict[str, Any]:
    """A JSON object, or `TokenInvalid`."""
    try:
        claims = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError, ValueError) as broken:
        raise TokenMalformed("the claims are not JSON") from broken
    if not isinstance(claims, dict):
        raise TokenMalformed("the claims are not a JSON object")
    return claims


def left_half_hash(value: str, alg: str = "ES256") -> str:
    """at_hash and c_hash of an ID token that is signed under *alg* (OpenID Connect Core §3.1.3.6)."""
    bits = "512" if alg in _EDWARDS else alg[2:]  # RFC 7518 §3.1; RFC 8032 §5.1
    digest = hashlib.new(f"sha{bits}", value.encode("ascii")).digest()
    return encode_base64url(digest[: len(digest) // 2])


def jwk_set(keys: Iterable[SigningKey]) -> dict[str, Any]:
    """The public JWK Set (RFC 7517 §5)."""
    return {"keys": [key.public_jwk for key in keys]}
