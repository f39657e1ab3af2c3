"""Signatures that prove possession: the one place where the key in a header is used (RFC 9449 §4.2, RFC 7515 §4.1.3).

1. Such a key says nothing of who the signer is: only that whoever sent this holds it. A token's `cnf` gives it meaning.
2. The header is judged by `protocol.dpop` before its key is built; its signature is verified by exactly that key.
3. A client signs all its proofs with one header, so headers that were judged are kept, a bounded number of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from proofkey.jose import SignatureInvalid, TokenInvalid, VerifyingKey, decode_claims
from proofkey.protocol.base64url import decode_octets, encode_base64url, encode_octets
from proofkey.protocol.dpop import ProofKey, check_header, thumbprint
from proofkey.protocol.errors import InvalidDpopProof

MAX_PROOF = 8_192
KEPT_HEADERS = 1_024
_ES256 = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """What the holder of a key signed, and that key's thumbprint. Whether it fits the request is another question."""

    jkt: str
    claims: Mapping[str, Any]


class HolderKey:
    """A P-256 key whose public half travels in the header of what it signs. It lives as long as this object, or *private_der*."""

    __slots__ = ("_head", "_private", "jkt", "public_jwk")

    def __init__(self, private_der: bytes) -> None:
        private = serialization.load_der_private_key(private_der, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise ValueError("a key that proves possession is a P-256 key in PKCS#8 DER")
        numbers = private.public_key().public_numbers()
        x, y = (encode_base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        self._private = private
        self.public_jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        self.jkt = thumbprint(self.public_jwk)
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.public_jwk}
        self._head = encode_octets(msgspec.json.encode(header)) + b"."

    @classmethod
    def generate(cls) -> HolderKey:
        """A new key."""
        return cls(_to_der(ec.generate_private_key(ec.SECP256R1())))

    def to_der(self) -> bytes:
        """The private key as PKCS#8 DER, unencrypted."""
        return _to_der(self._private)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A DPoP proof over *claims*."""
        message = self._head + encode_octets(msgspec.json.encode(claims))
        r, s = decode_dss_signature(self._private.sign(message, _ES256))
        return (message + b"." + encode_octets(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode("ascii")


def verify_proof(proof: str) -> VerifiedProof:
    """The claims of a DPoP proof whose signature verifies with the key it brings (RFC 9449 §4.3, checks 2 to 7).

    Raises `InvalidDpopProof`.
    """
    if len(proof) > MAX_PROOF or not proof.isascii():
        raise InvalidDpopProof("dpop_proof_too_long", "The DPoP proof must be ASCII of at most 8192 characters")
    if proof.count(".") != 2:
        raise InvalidDpopProof("dpop_proof_malformed", "The DPoP proof must be one signed JWT of three parts")
    message, _, signature = proof.encode("ascii").rpartition(b".")
    head, _, body = message.partition(b".")
    key, public = _read_header(head)
    try:
        public.verify(key.alg, message, _decode(signature))
    except SignatureInvalid:
        raise InvalidDpopProof("dpop_signature_wrong", "The DPoP proof is not signed by the key it brings") from None
    return VerifiedProof(key.jkt, _read_object(_decode(body)))


@lru_cache(maxsize=KEPT_HEADERS)
def _read_header(head: bytes) -> tuple[ProofKey, VerifyingKey]:
    key = check_header(_read_object(_decode(head)))
    public = VerifyingKey.from_jwk(key.jwk)
    if public is None:
        raise InvalidDpopProof("dpop_key_impossible", "jwk of the DPoP proof is no point of its curve")
    return key, public


def _read_object(octets: bytes) -> dict[str, Any]:
    try:
        return decode_claims(octets)
    except TokenInvalid:
        raise InvalidDpopProof(
            "dpop_proof_not_json", "Header and claims of the DPoP proof must be JSON objects"
        ) from None


def _decode(part: bytes) -> bytes:
    try:
        octets = decode_octets(part)
    except ValueError:
        octets = b""
    if not octets:
        raise InvalidDpopProof(
            "dpop_proof_not_base64url", "The parts of the DPoP proof must be base64url without padding"
        )
    return octets


def _to_der(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
