"""A person at a browser, for programs that say "open this address": signs in, allows, and follows where it leads.

Run as `visitor.py USERNAME PASSWORD URL` it can stand where a browser would (the BROWSER variable of Python's
`webbrowser`). The pages are read as HTML, sent as forms, without JavaScript.
"""

from __future__ import annotations

import contextlib
import sys
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx2


class FormReader(HTMLParser):
    """The one form of a page: where it goes, and its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.names: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "form":
            self.action = told.get("action") or ""
        elif tag in ("input", "button") and told.get("name"):
            name = str(told["name"])
            self.names.add(name)
            if told.get("type") == "hidden":
                self.fields[name] = told.get("value") or ""


def answer_to(form: FormReader, username: str, password: str) -> dict[str, str]:
    """What the person fills in: their name and password, or the button that allows."""
    if "password" in form.names:
        return {**form.fields, "username": username, "password": password}
    return {**form.fields, "decision": "allow"}


def sign_in(url: str, username: str, password: str) -> str:
    """Go to *url*, sign in, allow; the address outside the server that the browser is sent to."""
    home = urlsplit(url).netloc
    with httpx2.Client(timeout=30) as browser:
        response = browser.get(url)
        for _ in range(6):
            while response.is_redirect:
                url = urljoin(str(response.request.url), response.headers["location"])
                if urlsplit(url).netloc != home:
                    return url
                response = browser.get(url)
            form = FormReader(response.text)
            if form.action is None:
                raise AssertionError(f"{response.status_code} without a form: {response.text[:2000]}")
            target = urljoin(str(response.request.url), form.action)
            response = browser.post(target, data=answer_to(form, username, password))
    raise AssertionError("the pages lead nowhere")


def come_back(callback: str) -> None:
    """Go to *callback*, then ask for its origin's icon as browsers do, whether or not anybody still listens."""
    httpx2.get(callback)
    with contextlib.suppress(httpx2.HTTPError):
        httpx2.get(urljoin(callback, "/favicon.ico"), timeout=30)


if __name__ == "__main__":
    come_back(sign_in(sys.argv[3], sys.argv[1], sys.argv[2]))
