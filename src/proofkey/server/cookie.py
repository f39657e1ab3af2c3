"""How a browser is recognised: two cookies per issuer, whose values are kept only hashed (RFC 6265bis).

1. `session` is who signed in; `browser` binds pending requests to the browser that opened them.
2. Names end in a hash of the issuer, because cookies ignore ports; `__Host-` pins them to this host over https.
3. Tabs that first visit at once each get a `browser` cookie; its name is numbered, so that none replaces another's.
"""

from __future__ import annotations

import hashlib


def cookie_name(kind: str, issuer_url: str) -> str:
    """The name of that issuer's cookie (RFC 6265bis §4.1.3.2)."""
    prefix = "__Host-" if issuer_url.startswith("https:") else ""
    return f"{prefix}proofkey_{kind}_{hashlib.sha256(issuer_url.encode()).hexdigest()[:8]}"


def numbered(name: str, value: str) -> str:
    """*name* with a number that goes with *value* before its last part."""
    stem, _, issuer_hash = name.rpartition("_")
    return f"{stem}_{hash_cookie(value).hex()[:4]}_{issuer_hash}"


def hash_cookie(value: str) -> bytes:
    """What a row or a sealed request keeps of a cookie: values are 256 random bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
