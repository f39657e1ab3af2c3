"""One sign-in from the client's side, and the forms of the pages on the way."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import httpx2

ALL_SCOPES = "openid profile email notes:read notes:write"


def s256(code_verifier: str) -> str:
    """The challenge of *code_verifier* (RFC 7636 §4.2), written here a second time on purpose."""
    return base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode("ascii")).digest()).rstrip(b"=").decode()


@dataclass(slots=True)
class Attempt:
    """What a client makes up for one authorization request."""

    client_id: str
    redirect_uri: str
    scope: str = ALL_SCOPES
    code_verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def query(self) -> dict[str, str]:
        """The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3)."""
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": s256(self.code_verifier),
            "code_challenge_method": "S256",
        }

    def redemption(self, code: str) -> dict[str, str]:
        """The token request (RFC 6749 §4.1.3), without the client's credentials."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "code_verifier": self.code_verifier,
        }


@dataclass(slots=True)
class Form:
    """One form of a page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            assert given["method"] == "post"
            self.found.append(Form(given["action"]))
        elif self.found and tag in ("input", "button") and "name" in given:
            self.found[-1].fields[given["name"]] = given.get("value", "")


def form_with(page: httpx2.Response, name: str) -> Form | None:
    """The form of *page* that has a field or button called *name*."""
    parser = _Forms()
    parser.feed(page.text)
    return next((form for form in parser.found if name in form.fields), None)


def sent_back(response: httpx2.Response) -> dict[str, str]:
    """The parameters the client gets in the query of its redirect URI."""
    assert response.status_code == 303, response.text
    return dict(parse_qsl(urlsplit(response.headers["location"]).query, keep_blank_values=True, strict_parsing=True))
