"""What of a request goes on to an API, and what of the answer comes back (RFC 9110 §7.6, §4.2; Browser-Based Apps §6.1.3).

1. Scheme, host and port are the configuration's; the request chooses a path below the API's and a query, as bytes.
2. A path that two readers could read differently is refused: dot segments (also before path parameters, which some
   servers cut off), empty segments, encoded slashes and control characters.
3. Cookies, credentials and whatever speaks of the connection or of other proxies stay here, both ways.
4. An answer is content of this application's origin: it may set nothing there, and run nothing. So what comes back is named
   here, and what browsers will learn to obey is not among it.
5. An answer is for whoever signed in. The API saw their `Authorization`, which keeps shared caches away (RFC 9111 §3.5);
   the browser sent a cookie. So: private, kept apart by cookie, and not stored where the API does not speak of caches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

from proofkey.client.web.api import Api
from proofkey.protocol.challenge import read_challenges, write_challenge
from proofkey.protocol.errors import InvalidRequest
from proofkey.protocol.issuer import origin_of

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
_REST = re.compile(rb"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*")
_QUERY = re.compile(rb"[\x21\x24-\x3b\x3d\x3f-\x7e]*")
_AMBIGUOUS = re.compile(rb"//|(?:^|/)(?:\.|%2e){1,2}(?:/|;|%3b|$)|%2f|%5c|%[01][0-9a-f]|%7f", re.IGNORECASE)
_NAME = re.compile(rb"[a-z0-9-]+")
_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)
_STAYS = _HOP | frozenset(
    b"authorization cookie cookie2 host content-length dpop expect forwarded origin referer via x-csrf-token"
    b" x-http-method-override x-http-method x-method-override x-rewrite-url x-real-ip x-client-ip x-cluster-client-ip"
    b" client-cert client-cert-chain client-ip true-client-ip fastly-client-ip remote-user x-remote-user x-user".split()
)
_FAMILIES = (
    *(b"x-forwarded-", b"x-original-", b"x-envoy-", b"x-ssl-", b"x-client-cert", b"x-auth-request-"),
    *(b"ssl-", b"sec-", b"proxy-", b"cf-", b"x-amzn-"),
)
"""What a proxy says of whoever it lets through: an API behind this one believes it."""
_COMES_BACK = frozenset(
    b"accept-patch accept-post accept-ranges age allow api-supported-versions api-version content-digest content-disposition"
    b" content-encoding content-language content-length content-location content-range content-type correlation-id"
    b" deprecation digest etag expires last-modified location pragma preference-applied repr-digest request-id retry-after"
    b" server-timing sunset total-count traceparent tracestate www-authenticate".split()
)
_COME_BACK = (b"x-", b"ratelimit", b"pagination-", b"upload-", b"tus-", b"grpc-")
_OBEYED = frozenset(
    b"x-content-security-policy x-content-type-options x-dns-prefetch-control x-download-options x-frame-options"
    b" x-permitted-cross-domain-policies x-powered-by x-sendfile x-sourcemap x-ua-compatible x-webkit-csp"
    b" x-xss-protection".split()
)
_ORDERS = (b"x-accel-", b"x-litespeed-", b"x-lighttpd-")
"""Of the names that begin with `x-` those that a browser, or a proxy in front of this application, would obey."""
_NAMED_IN_VAIN = _HOP | frozenset(
    b"cache-control content-security-policy cross-origin-resource-policy set-cookie vary".split()
)
"""What `Api.answer_headers` has no say in."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_SAID = frozenset({"no-store", "private", "public", "s-maxage"})
"""An API that says one of these knows that there are shared caches."""
_APART = ("Cookie", "Sec-Fetch-Dest")
"""By whom, and for what, an answer was asked for: an image that is kept is no script."""
_OWN: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def upstream_url(prefix: str, api: Api, raw_path: bytes, query: bytes) -> str:
    """The API's address for a path under *prefix*. Raises `InvalidRequest`."""
    rest = raw_path.removeprefix(prefix.encode("ascii"))
    under = raw_path.startswith(prefix.encode("ascii")) and rest[:1] in {b"", b"/"}
    if not under or not _REST.fullmatch(rest) or _AMBIGUOUS.search(rest) or not _QUERY.fullmatch(query):
        raise InvalidRequest("proxied_path_ambiguous", "The path or query can be read in more than one way")
    asked = b"?" + query if query else b""
    return f"{api.origin}{api.path}{(rest + asked).decode('ascii')}"


def request_headers(sent: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """The headers that go on to the API; its token is added by whoever has it."""
    sent = list(sent)
    nominated = _nominated(sent)
    return [(name, value) for name, value in sent if _goes_on(name) and name not in nominated and _is_clean(value)]


def _goes_on(name: bytes) -> bool:
    """Names with underscores are left out: some servers read them as hyphens."""
    return _NAME.fullmatch(name) is not None and name not in _STAYS and not name.startswith(_FAMILIES)


def _is_clean(value: bytes) -> bool:
    return not any(mark in value for mark in (b"\r", b"\n", b"\0"))


def _nominated(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """What `Connection` declares to be of this connection alone (RFC 9110 §7.6.1)."""
    values = b",".join(value for name, value in headers if name == b"connection")
    return {option.strip().lower() for option in values.split(b",")}


def response_headers(prefix: str, api: Api, url: str, status: int, sent: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """The headers that come back from *url*, and ours."""
    sent = [(name.lower(), value) for name, value in sent]
    nominated = _nominated(sent)
    kept = [(name, value) for name, value in sent if _comes_back(api, name, value) and name not in nominated]
    headers = [(name, _told(prefix, api, url, name, value)) for name, value in kept]
    return [(name, value) for name, value in headers if value is not None] + _caching(status, sent) + _OWN


def _comes_back(api: Api, name: bytes, value: bytes) -> bool:
    if not _is_clean(value):
        return False
    if name == b"set-cookie":
        return api.set_cookie and b"proofkey_" not in value.partition(b";")[0].lower()
    if name in _COMES_BACK or (name not in _NAMED_IN_VAIN and name.decode("latin-1") in api.answer_headers):
        return True
    return name.startswith(_COME_BACK) and name not in _OBEYED and not name.startswith(_ORDERS)


def _caching(status: int, sent: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Rule 5. A 304 without a word leaves it at what the answer it confirms had (RFC 9111 §4.3.4)."""
    said, vary = (_joined(sent, name) for name in (b"cache-control", b"vary"))
    directives = {directive.strip().lower().partition("=")[0::2] for directive in _QUOTED.sub('""', said).split(",")}
    if not said:
        said = "" if status == 304 else "no-store"
    elif not any(name in _SAID and value != '""' for name, value in directives):
        said = f"private, {said}"
    varied = {name.strip().lower() for name in vary.split(",")}
    apart = [name for name in _APART if not varied & {"*", name.lower()}]
    told = [(b"cache-control", said), (b"vary", ", ".join(filter(None, (vary, *apart))))]
    return [(name, value.encode("latin-1")) for name, value in told if value]


def _joined(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str:
    return ", ".join(value.decode("latin-1") for name, value in headers if name == wanted and _is_clean(value))


def _told(prefix: str, api: Api, url: str, name: bytes, value: bytes) -> bytes | None:
    """What comes back of *value*; of challenges those for an access token: a browser asks the person about others."""
    if name == b"location":
        return _rewritten(prefix, api, url, value)
    if name == b"www-authenticate":
        ours = [write_challenge(each.scheme, each.parameters) for each in read_challenges([value.decode("latin-1")])]
        return ", ".join(ours).encode("latin-1") or None
    return value


def _rewritten(prefix: str, api: Api, url: str, location: bytes) -> bytes | None:
    """A redirect that stays within the API stays behind the proxy; any other is the browser's, without a token.

    None for what is no address.
    """
    try:
        target = urljoin(url, location.decode("latin-1"))
        parts = urlsplit(target)
    except ValueError:
        return None
    path = parts.path.removeprefix(api.path)
    inside = origin_of(target) == api.origin and parts.path.startswith(api.path)
    if inside and path[:1] in {"", "/"} and not _AMBIGUOUS.search(path.encode("latin-1")):
        target = f"{prefix}{path}{'?' + parts.query if parts.query else ''}"
    return target.encode("latin-1", "replace")
