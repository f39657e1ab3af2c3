"""An authorization request passed by reference: signed where the client has a key (RFC 9101; OpenID Connect Core §6).

1. What the browser carries is the client's id, what §6.2 wants repeated, and where the issuer fetches the rest.
2. Everything that counts stands in the object; it is for one issuer, and for as long as the login may take.
3. Without a key it is not signed (OpenID Connect Core §6.1): then it hides the request from the browser, no more.
"""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from proofkey.client.protocol import PendingLogin
from proofkey.jose import SigningKey
from proofkey.protocol.base64url import encode_base64url
from proofkey.protocol.records import MINUTE, seconds

__all__ = ["by_reference", "request_object"]

TYP = "oauth-authz-req+jwt"
VALID_FOR = 15 * MINUTE
_IN_URL = ("client_id", "response_type", "scope")


def request_object(pending: PendingLogin, *, key: SigningKey | None, now: int, jti: str) -> str:
    """The request of *pending* as a JWT under *key*, at *now* (milliseconds); unsigned where there is no key.

    >>> from proofkey.client import Registration, begin_login
    >>> pending = begin_login(METADATA, Registration(CLIENT_ID, REDIRECT_URI), scope="openid", entropy=bytes(range(96)))
    >>> request_object(pending, key=None, now=NOW, jti="3e4fd1").endswith(".")
    True
    """
    claims = {
        **dict(parse_qsl(urlsplit(pending.url).query, keep_blank_values=True)),
        "iss": pending.registration.client_id,
        "aud": pending.issuer,
        "iat": seconds(now),
        "exp": seconds(now + VALID_FOR),
        "jti": jti,
    }
    if key is not None:
        return key.sign(TYP, claims)
    header = encode_base64url(json.dumps({"alg": "none", "typ": TYP}).encode())
    return f"{header}.{encode_base64url(json.dumps(claims).encode())}."


def by_reference(pending: PendingLogin, endpoint: str, request_uri: str) -> PendingLogin:
    """*pending* with an address at *endpoint* that only names *request_uri*, where the issuer fetches the object.

    >>> from proofkey.client import Registration, begin_login
    >>> pending = begin_login(METADATA, Registration(CLIENT_ID, REDIRECT_URI), scope="openid", entropy=bytes(range(96)))
    >>> shorter = by_reference(pending, METADATA.authorization_endpoint, "https://notes.example/auth/request?id=1")
    >>> "code_challenge" in shorter.url, shorter.state == pending.state
    (False, True)
    """
    asked = dict(parse_qsl(urlsplit(pending.url).query, keep_blank_values=True))
    parameters = {name: asked[name] for name in _IN_URL} | {"request_uri": request_uri}
    return replace(pending, url=f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}")
