"""The sample single-page app in a browser window, seen as the person in front of it sees it."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Page, Request, expect

from tests.browser import complaints_of
from tests.dev_server import DevServer

expect.set_options(timeout=15_000)
"""As long as a window waits for its buttons: machines that test are busy."""


class SampleApp:
    """One tab with the sample app. `complaints` is what the browser's console said."""

    def __init__(self, server: DevServer, page: Page) -> None:
        self.server = server
        self.page = page
        self.complaints = complaints_of(page)
        self.token_requests: list[Request] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.method == "POST" and urlsplit(request.url).path.endswith("/oauth2/token"):
            self.token_requests.append(request)

    @classmethod
    async def open(cls, server: DevServer, context: BrowserContext) -> Self:
        """The app in a new tab, ready to sign in."""
        app = cls(server, await context.new_page())
        await app.visit("/")
        return app

    async def visit(self, path: str) -> None:
        """Go to an address of the app's own origin."""
        await self.page.goto(f"{self.server.told['app']}{path}")
        await self.settled()

    @property
    def redemptions(self) -> list[Request]:
        """The token requests that presented a code."""
        return [each for each in self.token_requests if "authorization_code" in (each.post_data or "")]

    async def settled(self) -> None:
        """Wait until the app is there and does nothing."""
        await expect(self.page.locator("body")).to_have_attribute("aria-busy", "false")
        await expect(self.page.locator("#issuer")).to_have_text(self.server.issuer)

    async def press(self, name: str) -> None:
        """Press the button called *name*, at the app or at the issuer."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def ask_to_sign_in(self) -> None:
        """Press the app's own button; the issuer answers with a page of its own."""
        await self.press("Sign in")
        await self.page.wait_for_url(f"{self.server.issuer}/**")

    async def give_password(self, username: str = "alice") -> None:
        """Fill in the issuer's sign-in page."""
        await self.page.get_by_label("Email or username").fill(username)
        await self.page.get_by_label("Password").fill(self.server.password_of(username))
        await self.press("Sign in")

    async def allow_if_asked(self) -> None:
        """Press Allow as often as the issuer asks, which it does again where another tab signed in meanwhile."""
        allow = self.page.get_by_role("button", name="Allow", exact=True)
        back = self.page.locator("#signed-in")
        await expect(allow.or_(back)).to_be_visible()
        for _ in range(2):
            if await allow.is_visible():
                await allow.click()
                await expect(allow.or_(back)).to_be_visible()

    async def sign_in(self, username: str = "alice") -> None:
        """The whole way, up to the app with tokens in hand."""
        await self.ask_to_sign_in()
        await self.give_password(username)
        await self.press("Allow")
        await self.is_signed_in()

    async def is_signed_in(self, name: str = "Alice Adler") -> None:
        """The app shows who is there, and its address holds nothing of the answer."""
        await expect(self.page.locator("#who")).to_have_text(name)
        await self.settled()
        assert f"{self.server.told['app']}/" == self.page.url

    async def is_signed_out(self, problem: str = "") -> None:
        """The app shows nobody, and names *problem* if there is one."""
        await expect(self.page.locator("#signed-out")).to_be_visible()
        await self.settled()
        await expect(self.page.locator("#signed-in")).to_be_hidden()
        await expect(self.page.locator("#problem-code")).to_have_text(problem)
        assert f"{self.server.told['app']}/" == self.page.url

    async def says(self, notice: str) -> None:
        """The app tells the person this."""
        await expect(self.page.locator("#notice")).to_have_text(notice)
