"""A person at a browser without JavaScript, in front of a web application of this process and a real issuer.

The application is called in this process at the origin of its redirect URI; everything else is the network. One cookie
jar for both, as a browser has.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpx2

from tests.person import form_with

NAVIGATION = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
MOST_STEPS = 12


class WebBrowser:
    """One browser; without *app* the application listens there. Use as an async context manager."""

    def __init__(self, app: Any, origin: str, *, username: str = "alice", password: str = "") -> None:
        mounts = {} if app is None else {origin: httpx2.ASGITransport(app=app, raise_app_exceptions=True)}
        self.origin = origin
        self.username, self.password = username, password
        self.http = httpx2.AsyncClient(mounts=mounts, trust_env=False, timeout=30)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    def at(self, path: str) -> str:
        """The address of a path of the application."""
        return urljoin(self.origin, path)

    async def go(self, url: str, **headers: str) -> httpx2.Response:
        """Go to an address (or a path of the application); no redirect is followed."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(self.at(url), headers={**NAVIGATION, **named})

    async def fetch(self, method: str, path: str, *, content: bytes = b"", **headers: str) -> httpx2.Response:
        """What a script of the application's own pages sends."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        own = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "origin": self.origin}
        return await self.http.request(method, self.at(path), headers={**own, **named}, content=content)

    async def follow(self, page: httpx2.Response, *, until: str | None = None) -> httpx2.Response:
        """Follow redirects, sign in and allow, until nothing is asked for, or a redirect leads to *until*."""
        for _ in range(MOST_STEPS):
            if page.is_redirect:
                onward = urljoin(str(page.url), page.headers["location"])
                if until is not None and onward.startswith(until):
                    return page
                page = await self.go(onward)
            elif (form := form_with(page, "password")) is not None:
                filled = {**form.fields, "username": self.username, "password": self.password}
                page = await self.submit(page, form.action, filled)
            elif (form := form_with(page, "decision")) is not None:
                page = await self.submit(page, form.action, {**form.fields, "decision": "allow"})
            elif (form := form_with(page, "code")) is not None:
                page = await self.submit(page, form.action, form.fields)
            else:
                return page
        raise AssertionError(f"the pages lead nowhere: {page.url}")

    async def submit(self, page: httpx2.Response, action: str, fields: dict[str, str]) -> httpx2.Response:
        """Send a form as a browser does."""
        at = urlsplit(str(page.url))
        headers = {**NAVIGATION, "origin": f"{at.scheme}://{at.netloc}"}
        return await self.http.post(urljoin(str(page.url), action), data=fields, headers=headers)

    async def sign_in(self, path: str = "/", **asked: str) -> httpx2.Response:
        """Sign in and come to *path*; what is there."""
        parameters = httpx2.QueryParams({"return_to": path, **asked})
        return await self.follow(await self.go(f"{self.folder}/login?{parameters}"))

    folder = "/auth"

    async def session(self) -> dict[str, Any]:
        """What the application's session endpoint tells its pages."""
        answer = await self.fetch("GET", f"{self.folder}/session")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told
