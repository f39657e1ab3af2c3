"""Somebody who signs in at any provider: over plain HTTP, or in a page of a real browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx2
from playwright.async_api import Page

from tests.person import Form, form_with, read_forms

_MOST_STEPS = 20
_NAMES = ("login", "username")
_YES = (("decision", "allow"), ("allow", "Authorize"), ("logout", "yes"), ("confirmed", "yes"))


@dataclass(frozen=True, slots=True)
class FormPost:
    """An answer that the browser is to POST (OAuth 2.0 Form Post Response Mode): where to, and what."""

    url: str
    fields: Mapping[str, str]


class ForeignPerson:
    """Somebody at a browser without JavaScript that remembers cookies. Signs in and agrees wherever a page asks.

    It never leaves the provider: the address that leads out of it is the answer. Blocks: `asyncio.to_thread` where
    the loop must go on. *decision* is what is pressed on the consent page.
    """

    def __init__(self, issuer: str, name: str = "alice", password: str = "password", decision: str = "allow") -> None:
        self.origin = _origin(issuer)
        self.name, self.password, self.decision = name, password, decision
        self.http = httpx2.Client(trust_env=False, timeout=30.0, event_hooks={"response": [self._keep_cookies]})

    def _keep_cookies(self, page: httpx2.Response) -> None:
        """As browsers do: Secure cookies go to this machine over http, too."""
        self.http.cookies.extract_cookies(page)
        for cookie in self.http.cookies.jar:
            cookie.secure = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def visit(self, url: str) -> str:
        """Where an authorization or logout request leads in the end: the address at the client with its query."""
        ended = self.go(url)
        assert isinstance(ended, str), f"no way out of the provider: {ended}"
        return ended

    def visit_for_form(self, url: str) -> FormPost:
        """What `response_mode=form_post` has the browser send to the client."""
        ended = self.go(url)
        assert isinstance(ended, FormPost), ended
        return ended

    def go(self, url: str) -> str | FormPost | httpx2.Response:
        """Follow redirects, fill in forms; ends at what leads out, or at a page that asks nothing."""
        page = self.http.get(url)
        for _ in range(_MOST_STEPS):
            location = page.headers.get("location")
            if location is not None:
                target = urljoin(str(page.url), location)
                if _origin(target) != self.origin:
                    return target
                page = self.http.get(target)
                continue
            form = next(iter(read_forms(page)), None)
            if form is None:
                return page
            action = urljoin(str(page.url), form.action) if form.action else str(page.url)
            if _origin(action) != self.origin:
                return FormPost(action, form.fields)
            page = self.http.request(form.method, action, data=form.fields | self._answers(page, form))
        raise AssertionError(f"too many pages after {url}: {page.text}")

    def enter_user_code(self, verification_uri: str, user_code: str) -> httpx2.Response:
        """Type *user_code* where the device said to (RFC 8628 §3.3), sign in and agree; the last page."""
        page = self.http.get(verification_uri)
        form = form_with(page, "user_code")
        if form is None:
            self.go(verification_uri)
            page = self.http.get(verification_uri)
            form = form_with(page, "user_code")
        assert form is not None, page.text
        self._user_code = user_code
        ended = self.go(verification_uri)
        assert isinstance(ended, httpx2.Response), ended
        return ended

    _user_code = ""

    def _answers(self, page: httpx2.Response, form: Form) -> dict[str, str]:
        if form.fields.get("user_code") == "":
            return {"user_code": self._user_code}
        if "password" in form.fields:
            name = next(field for field in _NAMES if field in form.fields)
            return {name: self.name, "password": self.password}
        if self.decision != "allow":
            return {"decision": self.decision}
        return dict(_YES)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def sign_in(page: Page, issuer: str, name: str = "alice", password: str = "password") -> None:
    """In a real browser that stands, or will stand, at *issuer*'s sign-in page: fill in what is asked until it has left."""
    origin = _origin(issuer)
    await page.wait_for_url(f"{origin}/**")
    while _origin(page.url) == origin:
        if await page.locator("input[name=password]").count():
            await page.locator("input[name=login], input[name=username]").fill(name)
            await page.locator("input[name=password]").fill(password)
            button = page.locator("button[type=submit], input[type=submit]").first
        else:
            button = page.locator("[name=decision][value=allow], [name=allow]").first
        left = page.url
        await button.click()
        await page.wait_for_url(lambda url, left=left: url != left)
