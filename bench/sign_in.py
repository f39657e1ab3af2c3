"""Sign a person in over the real pages, as a browser without scripts would: follow redirects, fill in forms, keep cookies."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

from bench.wire import Answer, Connection, get, post_form

PAGES_AT_MOST = 12
REDIRECTS = (301, 302, 303, 307)


class FirstForm(HTMLParser):
    """The first form of a page: where it goes, and its inputs with what stands in them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.buttons: set[tuple[str, str]] = set()
        self.closed = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if self.closed or tag not in ("form", "input", "button"):
            return
        if tag == "form":
            self.action = found.get("action", "")
        elif tag == "button":
            self.buttons.add((found.get("name", ""), found.get("value", "")))
        elif found.get("name") and found.get("type") not in ("submit", "checkbox"):
            self.fields[found["name"]] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self.closed = self.closed or tag == "form"


@dataclass(slots=True)
class Browser:
    """One browser at one origin."""

    connection: Connection
    username: str
    password: str
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        """The Cookie header as it stands now."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    async def visit(self, url: str, until: str) -> str:
        """Go to *url* and on, through every page, to the redirect whose address starts with *until*."""
        target, fields = url, None
        for _ in range(PAGES_AT_MOST):
            answer = await self.send(target, fields)
            if answer.status in REDIRECTS:
                target, fields = urljoin(target, answer.header(b"location")), None
                if target.startswith(until):
                    return target
            else:
                target, fields = self.fill_in(target, answer)
        raise RuntimeError(f"still not at {until} after {PAGES_AT_MOST} pages; now at {urlsplit(target).path}")

    async def send(self, url: str, fields: dict[str, str] | None) -> Answer:
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        headers = {"Cookie": self.cookie} if self.cookies else {}
        authority = self.connection.authority
        if fields is None:
            answer = await self.connection.send(get(authority, target, headers))
        else:
            headers["Origin"] = f"{parts.scheme}://{parts.netloc}"
            answer = await self.connection.send(post_form(authority, target, fields, headers))
        self.keep_cookies(answer)
        return answer

    def fill_in(self, url: str, answer: Answer) -> tuple[str, dict[str, str]]:
        """Where the page's form goes, and what a person would send."""
        form = FirstForm(answer.body.decode())
        if answer.status != 200 or form.action is None:
            raise RuntimeError(f"{answer.status} instead of a form at {urlsplit(url).path}: {answer.body[:500]!r}")
        known = {"username": self.username, "password": self.password}
        fields = form.fields | {name: value for name, value in known.items() if name in form.fields}
        if ("decision", "allow") in form.buttons:
            fields["decision"] = "allow"
        return urljoin(url, form.action), fields

    def keep_cookies(self, answer: Answer) -> None:
        for value in answer.headers(b"set-cookie"):
            self.cookies.update({key: morsel.value for key, morsel in SimpleCookie(value).items()})
        self.cookies = {key: value for key, value in self.cookies.items() if value}


def with_query(url: str, parameters: dict[str, str]) -> str:
    """*url* with *parameters* as its query."""
    return f"{url}?{urlencode(parameters)}"
