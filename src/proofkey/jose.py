"""JSON Web Tokens and key sets: the only file that imports the JOSE library (RFC 7515, 7517, 7518, 7519, 8725).

1. The verifier names the algorithms and the `typ`; nothing in a token chooses how it is checked (RFC 8725 §3.1, §3.11).
2. Keys come from the set given, by `kid`; `jwk`, `jku`, `x5c`, `x5u` in a header are never followed; `crit` is refused.
3. Sizes are bounded before anything is parsed.
4. The hot path signs ES256 over `cryptography` directly, with a header encoded once; everything else goes through joserfc.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.jwk import KeySet as JoseKeySet

Algorithm: TypeAlias = Literal["ES256", "RS256"]
MAX_TOKEN = 16_384
MAX_KEYS = 64
SIGNATURE_ALGORITHMS = frozenset({"ES256", "ES384", "EdDSA", "Ed25519", "RS256", "PS256"})
_FAMILY: Mapping[str, frozenset[str]] = {
    "EC:P-256": frozenset({"ES256"}),
    "EC:P-384": frozenset({"ES384"}),
    "OKP:Ed25519": frozenset({"EdDSA", "Ed25519"}),
    "RSA:": frozenset({"RS256", "PS256"}),
}
_URLSAFE = bytes.maketrans(b"+/", b"-_")
_ES256 = ec.ECDSA(hashes.SHA256())


class TokenInvalid(Exception):
    """A token that cannot be believed; the message says why and is safe to log."""


class UnknownKey(TokenInvalid):
    """A `kid` that is not in the set: the set may be out of date."""


def _encode(raw: bytes) -> bytes:
    return b2a_base64(raw, newline=False).translate(_URLSAFE, b"=")


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
            head = self._heads[typ] = _encode(msgspec.json.encode(header)) + b"."
        message = head + _encode(msgspec.json.encode(claims))
        return (message + b"." + _encode(self._sign(message))).decode("ascii")

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


class KeySet:
    """Public keys to verify with, by `kid` (RFC 7517 §5)."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Mapping[str, ECKey | RSAKey | OKPKey]) -> None:
        self._keys = dict(keys)

    @classmethod
    def from_jwks(cls, jwks: Mapping[str, Any]) -> KeySet:
        """The usable signature keys of a JWK Set; keys of other kinds, uses and sizes are left out.

        Raises `TokenInvalid` where *jwks* is not a JWK Set.
        """
        members = jwks.get("keys")
        if not isinstance(members, list) or len(members) > MAX_KEYS:
            raise TokenInvalid("the JWK Set has no usable keys member")
        return cls({jwk["kid"]: key for jwk in members if (key := _usable_key(jwk)) is not None})

    @property
    def kids(self) -> frozenset[str]:
        """The ids of the keys in the set."""
        return frozenset(self._keys)

    def find(self, kid: str) -> ECKey | RSAKey | OKPKey | None:
        """The key with that id."""
        return self._keys.get(kid)


def _usable_key(jwk: Any) -> ECKey | RSAKey | OKPKey | None:
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or jwk.get("use", "sig") != "sig":
        return None
    if f"{jwk.get('kty')}:{jwk.get('crv', '')}" not in _FAMILY or "d" in jwk:
        return None
    try:
        key = import_key(jwk)
    except (JoseError, ValueError, TypeError):
        return None
    if isinstance(key, RSAKey) and not 2_048 <= key.public_key.key_size <= 4_096:
        return None
    return key if isinstance(key, ECKey | RSAKey | OKPKey) else None


def _find_key(header: Mapping[str, Any], keys: KeySet, typ: str | None, algorithms: frozenset[str]) -> Any:
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in algorithms:
        raise TokenInvalid("alg is not one that is accepted here")
    if "crit" in header:
        raise TokenInvalid("crit names an extension that is not understood")
    if typ is not None and _media_type(header.get("typ")) != typ:
        raise TokenInvalid(f"typ is not {typ}")
    kid = header.get("kid")
    key = keys.find(kid) if isinstance(kid, str) else None
    if key is None:
        raise UnknownKey("kid names no known key")
    if alg not in _FAMILY[f"{key.key_type}:{getattr(key, 'curve_name', '')}"]:
        raise TokenInvalid("alg does not fit the key")
    return key


def _is_canonical(part: str) -> bool:
    """One token, one spelling: no padding, no stray bits in the last character."""
    try:
        return _encode(urlsafe_b64decode(part + "=" * (-len(part) % 4))) == part.encode("ascii")
    except ValueError:
        return False


def _media_type(typ: Any) -> str | None:
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else None


def verify_jwt(
    token: str, keys: KeySet, *, expected_typ: str | None, algorithms: frozenset[str] = SIGNATURE_ALGORITHMS
) -> dict[str, Any]:
    """The claims of *token* once its signature, `alg`, `kid` and `typ` hold. Times, issuer and audience are the caller's.

    `expected_typ=None` leaves `typ` unchecked, for ID tokens of issuers that set none. Raises `TokenInvalid`.
    """
    if len(token) > MAX_TOKEN or not all(map(_is_canonical, token.split("."))):
        raise TokenInvalid("the token is too long or not canonical base64url")
    try:
        parts = jws.extract_compact(token.encode())
        key = _find_key(parts.headers(), keys, expected_typ, algorithms)
        verified = jws.deserialize_compact(token.encode(), JoseKeySet([key]), algorithms=sorted(algorithms))
    except (JoseError, ValueError, RecursionError) as broken:
        raise TokenInvalid("the token is malformed or its signature does not verify") from broken
    return decode_claims(verified.payload)


def decode_claims(payload: bytes) -> dict[str, Any]:
    """A JSON object, or `TokenInvalid`."""
    try:
        claims = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError, ValueError) as broken:
        raise TokenInvalid("the claims are not JSON") from broken
    if not isinstance(claims, dict):
        raise TokenInvalid("the claims are not a JSON object")
    return claims


def left_half_hash(value: str) -> str:
    """at_hash and c_hash for algorithms over SHA-256 (OpenID Connect Core §3.1.3.6)."""
    return _encode(hashlib.sha256(value.encode("ascii")).digest()[:16]).decode("ascii")


def jwk_set(keys: Iterable[SigningKey]) -> dict[str, Any]:
    """The public JWK Set (RFC 7517 §5)."""
    return {"keys": [key.public_jwk for key in keys]}
