"""Finding a person's issuer from what they type (WebFinger, RFC 7033; OpenID Connect Discovery §2).

1. Only the host that was typed is asked, over https; what it answers is an issuer to be asked for its own metadata.
2. The answer must be about the identifier that was asked for.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from proofkey.client.conversation import Conversation
from proofkey.client.messages import HttpRequest, ResponseRefused, read_object
from proofkey.protocol.issuer import is_issuer, is_safe_address

__all__ = ["find_issuer", "read_identifier", "read_webfinger", "webfinger_request"]

REL = "http://openid.net/specs/connect/1.0/issuer"
_JRD = "application/jrd+json, application/json"


def read_identifier(typed: str) -> str:
    """What a person typed, as the resource that is asked for (§2.1.2): an e-mail address becomes `acct:`, else an https URL.

    >>> read_identifier("joe@example.com"), read_identifier("example.com:8080/joe#work")
    ('acct:joe@example.com', 'https://example.com:8080/joe')
    """
    typed = typed.strip()
    if typed.startswith(("acct:", "https://")):
        resource = typed
    else:
        user, at, _ = typed.partition("/")[0].rpartition("@")
        resource = f"acct:{typed}" if at and user and "/" not in typed else f"https://{typed}"
    return resource.partition("#")[0]


def webfinger_request(resource: str) -> HttpRequest:
    """The question for the issuer of *resource*, put to its host. Raises `ResponseRefused` where that is none.

    >>> webfinger_request("acct:joe@example.com").url.partition("?")[0]
    'https://example.com/.well-known/webfinger'
    """
    host = resource.rpartition("@")[2] if resource.startswith("acct:") else urlsplit(resource).netloc
    address = f"https://{host}/.well-known/webfinger"
    if urlsplit(address).path != "/.well-known/webfinger" or not is_safe_address(address):
        raise ResponseRefused("identifier_without_host", "The identifier names no host that could be asked")
    return HttpRequest("GET", f"{address}?{urlencode({'resource': resource, 'rel': REL})}", (("accept", _JRD),))


def read_webfinger(status: int, body: bytes, *, expected_resource: str) -> str:
    """The issuer of *expected_resource*, which is https (§2.2.2). Raises `ResponseRefused`.

    >>> link = '{"rel": "http://openid.net/specs/connect/1.0/issuer", "href": "https://login.example.com"}'
    >>> told = '{"subject": "acct:joe@example.com", "links": [' + link + "]}"
    >>> read_webfinger(200, told.encode(), expected_resource="acct:joe@example.com")
    'https://login.example.com'
    """
    told = read_object(status, body)
    if told.get("subject", expected_resource) != expected_resource:
        raise ResponseRefused("webfinger_subject_differs", "The answer is about another identifier")
    issuer = _find_issuer(told.get("links"))
    if issuer is None or not is_issuer(issuer) or not issuer.startswith("https:"):
        raise ResponseRefused("webfinger_without_issuer", "The host knows no issuer for this identifier")
    return issuer


def _find_issuer(links: Any) -> str | None:
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == REL and isinstance(link.get("href"), str):
            return str(link["href"])
    return None


def find_issuer(typed: str) -> Conversation[str]:
    """The issuer of the person who typed *typed*. Nothing of it is believed until its own metadata name it, too.

    >>> next(find_issuer("joe@example.com")).url.partition("?")[0]
    'https://example.com/.well-known/webfinger'
    """
    resource = read_identifier(typed)
    response = yield webfinger_request(resource)
    return read_webfinger(response.status, response.body, expected_resource=resource)
