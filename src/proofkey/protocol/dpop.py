"""What a DPoP proof must say to prove that a request's sender holds a key (RFC 9449 §4.2, §4.3; RFC 7638).

1. A header brings a public key of an accepted kind and nothing private; its signature is `proofkey.possession`'s.
2. A proof is for one method, one address, one moment and, at an API, for one access token; each refuses on its own.
3. Addresses are compared after RFC 3986 §6.2.2 and §6.2.3, without query and fragment. Dot segments are not resolved:
   an application may route `/a/../b` elsewhere than `/b`, and no client that normalizes would send it.
4. A `ProvenProof` still has to be spent: only a store knows whether its `jti` came before.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from proofkey.protocol.base64url import decode_base64url, encode_base64url
from proofkey.protocol.errors import DpopUrlDiffers, InvalidDpopProof
from proofkey.protocol.numeric_date import read_numeric_date
from proofkey.protocol.record import record
from proofkey.protocol.records import SECOND

ALGORITHMS = ("ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256")
"""What a proof may be signed with, in the order a challenge lists them: all asymmetric (RFC 9449 §4.3, check 5)."""

FRESH_FOR = 60 * SECOND
"""How long after its `iat` a proof may arrive."""
LEEWAY_FOR = 30 * SECOND
"""How far the two clocks may differ, either way."""
MAX_JTI = 256
MAX_NONCE = 512

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_SIZES = {("EC", "P-256"): 32, ("EC", "P-384"): 48, ("OKP", "Ed25519"): 32}
_ED25519_PRIME = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL = {0, 1, _ED25519_PRIME - 1, _ED25519_PRIME, _ED25519_PRIME + 1, _ORDER_8, _ED25519_PRIME - _ORDER_8}
"""Ed25519 points of small order, by y: anybody can make a signature that such a key verifies."""
_FITTING = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
    "PS256": ("RSA", None),
    "RS256": ("RSA", None),
}
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=%-]+)(?::(?P<port>[0-9]*))?"
    r"(?P<path>/[a-z0-9._~!$&'()*+,;=:@/%-]*)?(?:\?[a-z0-9._~!$&'()*+,;=:@/?%-]*)?(?:\#[a-z0-9._~!$&'()*+,;=:@/?%-]*)?",
    re.ASCII | re.IGNORECASE,
)
_ENCODED = re.compile(r"%(?:(?P<octet>[0-9a-f]{2})|)", re.ASCII | re.IGNORECASE)
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@record(frozen=True, slots=True)
class ProofKey:
    """The public key that a proof's header brings, reduced to the members that make it, and its RFC 7638 thumbprint."""

    alg: str
    jkt: str
    jwk: Mapping[str, str] = field(hash=False)


@record(frozen=True, slots=True)
class ProvenProof:
    """A proof that holds for this request. `issued_at` is in milliseconds; `nonce` is as sent, and not judged yet."""

    jkt: str
    jti: str
    issued_at: int
    nonce: str | None


def check_header(header: Mapping[str, Any]) -> ProofKey:
    """The key a proof is signed with, or `InvalidDpopProof` (RFC 9449 §4.3, checks 3 to 5 and 7). Nothing is verified yet."""
    if header.get("typ") != "dpop+jwt":
        raise InvalidDpopProof("dpop_typ_wrong", "typ of the DPoP proof must be dpop+jwt")
    if "crit" in header:
        raise InvalidDpopProof("dpop_crit_not_understood", "crit of the DPoP proof names an extension unknown here")
    alg, jwk = header.get("alg"), header.get("jwk")
    if not isinstance(alg, str) or alg not in _FITTING:
        raise InvalidDpopProof("dpop_alg_not_accepted", "alg of the DPoP proof must be one that the challenge lists")
    if not isinstance(jwk, dict):
        raise InvalidDpopProof("dpop_key_missing", "jwk of the DPoP proof must be the public key it is signed with")
    if not _PRIVATE.isdisjoint(jwk):
        raise InvalidDpopProof("dpop_key_private", "jwk of the DPoP proof holds a private key: it is compromised now")
    members = _read_members(alg, jwk)
    if members is None:
        raise InvalidDpopProof(
            "dpop_key_not_accepted",
            "jwk of the DPoP proof must fit alg and be P-256, P-384, Ed25519, or RSA of 2048 to 4096 bits",
        )
    return ProofKey(alg, thumbprint(members), members)


def thumbprint(members: Mapping[str, str]) -> str:
    """`jkt`: the SHA-256 thumbprint of a public key given by its required members alone (RFC 7638 §3)."""
    canonical = json.dumps(dict(members), sort_keys=True, separators=(",", ":"))
    return _hash(canonical)


def access_token_hash(access_token: str) -> str:
    """`ath`: the hash by which a proof names its access token (RFC 9449 §4.2)."""
    return _hash(access_token)


def check_claims(
    claims: Mapping[str, Any],
    *,
    jkt: str,
    expected_method: str,
    expected_url: str,
    expected_token: str | None,
    now: int,
    fresh_for: int = FRESH_FOR,
    leeway_for: int = LEEWAY_FOR,
) -> ProvenProof:
    """Hold the claims of a verified proof against the request it came with (RFC 9449 §4.3, checks 8 to 12).

    *expected_token* is the access token beside it; None at a token endpoint, where there is none. All times are in
    milliseconds. Raises `InvalidDpopProof`.
    """
    jti, nonce, issued_at = claims.get("jti"), claims.get("nonce"), read_numeric_date(claims.get("iat"))
    if not _is_text(jti, MAX_JTI) or issued_at is None or not (nonce is None or _is_text(nonce, MAX_NONCE)):
        raise InvalidDpopProof(
            "dpop_claims_malformed", "jti, iat or nonce of the DPoP proof is missing, malformed or too long"
        )
    if claims.get("htm") != expected_method:
        raise InvalidDpopProof("dpop_method_differs", "htm of the DPoP proof is not this request's method")
    if not same_address(claims.get("htu"), expected_url):
        raise DpopUrlDiffers(
            "dpop_url_differs",
            "htu of the DPoP proof is not this request's URL",
            detail=f"htu={_told(claims.get('htu'))} expected={expected_url!a}",
        )
    if now >= issued_at + fresh_for + leeway_for:
        raise InvalidDpopProof("dpop_too_old", "iat of the DPoP proof is too long ago: make one for each request")
    if now < issued_at - leeway_for:
        raise InvalidDpopProof("dpop_from_the_future", "iat of the DPoP proof is in the future: compare the clocks")
    if expected_token is not None and not _names_token(claims.get("ath"), expected_token):
        raise InvalidDpopProof("dpop_token_differs", "ath of the DPoP proof is not the hash of this access token")
    return ProvenProof(jkt, str(jti), issued_at, nonce)


def _told(htu: Any) -> str:
    """For the log: an address without what may be secret in it."""
    return ascii(re.split("[?#]", htu, maxsplit=1)[0])[:300] if isinstance(htu, str) else type(htu).__name__


def same_address(sent: Any, expected: str) -> bool:
    """Whether `htu` is the address of this request, both without query, `htu` without fragment (RFC 9449 §4.3, check 9)."""
    if not isinstance(sent, str) or "#" in expected:  # a request has no fragment; what looks like one is its path
        return False
    if sent == expected:
        return True
    address = normal_address(sent)
    return address is not None and address == normal_address(expected)


def normal_address(url: str) -> str | None:
    """*url* normalized by syntax and scheme, without query and fragment; None where it is no http(s) URL."""
    parts = _ADDRESS.fullmatch(url)
    if parts is None or any(found["octet"] is None for found in _ENCODED.finditer(url)):
        return None
    scheme, port = parts["scheme"].lower(), parts["port"]
    host = _ENCODED.sub(_decoded, parts["host"]).lower()
    path = _ENCODED.sub(_decoded, parts["path"] or "/")
    return f"{scheme}://{host}{'' if port in {None, '', _DEFAULT_PORTS[scheme]} else f':{port}'}{path}"


def _decoded(found: re.Match[str]) -> str:
    """RFC 3986 §6.2.2.1 and §6.2.2.2: unreserved characters stand for themselves, others in upper-case hex."""
    letter = chr(int(found["octet"], 16))
    return letter if _UNRESERVED.fullmatch(letter) else found[0].upper()


def _names_token(ath: Any, access_token: str) -> bool:
    return isinstance(ath, str) and hmac.compare_digest(ath.encode(), _hash(access_token).encode())


def _hash(text: str) -> str:
    return encode_base64url(hashlib.sha256(text.encode("ascii")).digest())


def _is_text(sent: Any, longest: int) -> bool:
    return isinstance(sent, str) and 0 < len(sent) <= longest


def _read_members(alg: str, jwk: Mapping[str, Any]) -> dict[str, str] | None:
    """The members RFC 7638 §3.2 hashes, each in its only spelling; None for a key that is not accepted."""
    kty, curve = _FITTING[alg]
    if jwk.get("kty") != kty or (curve is not None and jwk.get("crv") != curve):
        return None
    if kty == "RSA":
        return _read_rsa(jwk)
    names = ("x", "y") if kty == "EC" else ("x",)
    if any(len(_octets(jwk.get(name))) != _SIZES[kty, str(curve)] for name in names):
        return None
    if kty == "OKP" and int.from_bytes(_octets(jwk["x"]), "little") % 2**255 in _SMALL:
        return None
    return {"crv": str(curve), "kty": kty, **{name: jwk[name] for name in names}}


def _read_rsa(jwk: Mapping[str, Any]) -> dict[str, str] | None:
    modulus, exponent = _octets(jwk.get("n")), _octets(jwk.get("e"))
    minimal = bool(modulus and exponent and modulus[0] and exponent[0])  # a leading zero would be a second spelling
    fitting = 2_048 <= int.from_bytes(modulus, "big").bit_length() <= 4_096 and len(exponent) <= 4
    return {"e": jwk["e"], "kty": "RSA", "n": jwk["n"]} if minimal and fitting else None


def _octets(sent: Any) -> bytes:
    """The octets of canonical base64url; none where it is something else, or longer than any accepted key."""
    if not isinstance(sent, str) or len(sent) > 700:
        return b""
    try:
        return decode_base64url(sent)
    except ValueError:
        return b""
