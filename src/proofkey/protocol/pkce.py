"""Proof Key for Code Exchange (RFC 7636): S256 or nothing.

1. A challenge is 43 characters of base64url that are exactly 32 bytes; the method must be named, and is S256.
2. A challenge that was sent is enforced; a verifier without a challenge is an error (RFC 9700 §2.1.1, downgrade).
3. No outcome tells the caller more than that the two do not match; `find_near_miss` is for the log.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping

from proofkey.protocol.base64url import decode_base64url, encode_base64url
from proofkey.protocol.errors import InvalidGrant, InvalidRequest
from proofkey.protocol.records import CodeChallenge

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_HEX_DIGEST = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_URLSAFE = str.maketrans("+/ ", "-_-")
_PLAIN = str.maketrans("-_", "+/")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)


def challenge_for(code_verifier: str) -> CodeChallenge:
    """BASE64URL-DECODE(code_challenge) = SHA256(ASCII(code_verifier)) (RFC 7636 §4.2), with no opinion on its length."""
    return CodeChallenge(hashlib.sha256(code_verifier.encode()).digest())


def encode_challenge(challenge: CodeChallenge) -> str:
    """The challenge as it travels: 43 characters, no padding."""
    return encode_base64url(challenge.digest)


def parse_challenge(params: Mapping[str, str]) -> CodeChallenge | None:
    """Read code_challenge and its method; None where neither was sent. Whether that is allowed, the client's mode tells."""
    sent = params.get("code_challenge")
    method = params.get("code_challenge_method")
    if sent is None:
        if method is not None:
            raise InvalidRequest("pkce_challenge_missing", "code_challenge is required with code_challenge_method")
        return None
    if method is None:
        raise InvalidRequest("pkce_method_missing", "code_challenge_method is required and must be S256")
    if method != "S256":
        raise InvalidRequest("pkce_method_not_s256", "code_challenge_method must be S256; plain is not accepted")
    if not _CHALLENGE.fullmatch(sent):
        raise InvalidRequest(
            "pkce_challenge_malformed",
            "code_challenge must be the base64url SHA-256 of code_verifier: 43 characters, no padding",
            detail=_challenge_near_miss(sent),
        )
    return CodeChallenge(decode_base64url(sent))


def check_verifier(code_verifier: str | None, challenge: CodeChallenge | None) -> None:
    """Refuse unless *code_verifier* hashes to *challenge* (RFC 7636 §4.6); both absent passes."""
    if challenge is not None:
        verify(code_verifier, challenge)
    elif code_verifier is not None:
        raise InvalidGrant(
            "pkce_unexpected", "code_verifier was sent but the authorization request had no code_challenge"
        )


def verify(code_verifier: str | None, challenge: CodeChallenge) -> None:
    """Refuse unless *code_verifier* hashes to *challenge* (RFC 7636 §4.6)."""
    if code_verifier is None:
        raise InvalidGrant("pkce_verifier_missing", "code_verifier is required")
    if not _VERIFIER.fullmatch(code_verifier):
        raise InvalidGrant(
            "pkce_verifier_malformed",
            "code_verifier must be 43 to 128 unreserved characters",
            detail=find_near_miss(code_verifier, challenge),
        )
    if not hmac.compare_digest(challenge_for(code_verifier).digest, challenge.digest):
        raise InvalidGrant(
            "pkce_mismatch",
            "code_verifier does not match the code_challenge",
            detail=find_near_miss(code_verifier, challenge),
        )


def _challenge_near_miss(sent: str) -> str:
    """Name the mistake in a malformed code_challenge, for the log; empty where none is known."""
    near_misses = (
        (sent.endswith("="), "the base64 padding was kept: strip the ="),
        (bool(_HEX_DIGEST.fullmatch(sent)), "the hex digest was sent: encode the raw 32 bytes with base64url"),
        (len(sent) == 86, "the hex digest was encoded: encode the raw 32 bytes with base64url"),
        (any(c in sent for c in "+/ "), "plain base64 alphabet: use - and _ in place of + and /"),
        (len(sent) < 43, "under 43 characters"),
        (bool(_VERIFIER.fullmatch(sent)), "the code_verifier was sent as the code_challenge"),
    )
    return next((mistake for made, mistake in near_misses if made), "")


def find_near_miss(code_verifier: str, challenge: CodeChallenge) -> str:
    """Name the known mistake that explains why *code_verifier* does not match. For the log, never the caller."""
    digest = challenge_for(code_verifier).digest
    encoded = urlsafe_b64encode(digest)
    sent_challenge = encode_challenge(challenge)

    def hashed(*texts: bytes) -> bool:
        return challenge.digest in {hashlib.sha256(text).digest() for text in texts}

    bare, urlsafe = code_verifier.rstrip("="), code_verifier.translate(_URLSAFE)
    near_misses = (
        (len(code_verifier) < 43, "under 43 characters"),
        (len(code_verifier) > 128, "over 128 characters"),
        (
            bare == sent_challenge,
            "code_verifier equals code_challenge: the challenge was sent as the verifier, or the verifier as the challenge",
        ),
        (encode_challenge(challenge_for(sent_challenge)) == code_verifier, "verifier and challenge were swapped"),
        (hashed(encoded.rstrip(b"="), encoded, digest, b64encode(digest)), "the code_verifier was hashed twice"),
        (hashed(digest.hex().encode()), "the hex digest of the code_verifier was hashed"),
        (
            hashed(f"{code_verifier}=".encode())
            or (code_verifier.endswith("=") and hashed(bare.encode(), f"{bare}=".encode())),
            "the base64 padding was kept on one side",
        ),
        (
            hashed(urlsafe.encode(), urlsafe.rstrip("=").encode()),
            "plain base64 alphabet: use - and _ in place of + and /",
        ),
        (hashed(code_verifier.translate(_PLAIN).encode()), "plain base64 alphabet: use - and _ in place of + and /"),
    )
    return next((mistake for made, mistake in near_misses if made), "")
