"""One tab with the test app in it, and what a person does in it."""

from __future__ import annotations

from typing import Any, Self

from playwright.async_api import BrowserContext, Page, Request, expect

from tests.spa.setting import PASSWORD, Setting

SIGNED_OUT = {"refused": "login_required", "isOurs": True, "isIssuers": False}


class Tab:
    """A tab. `navigations` are the addresses its main frame went to."""

    def __init__(self, setting: Setting, page: Page) -> None:
        self.setting = setting
        self.page = page
        self.navigations: list[str] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.is_navigation_request() and request.frame == self.page.main_frame:
            self.navigations.append(request.url)

    @classmethod
    async def open(cls, setting: Setting, context: BrowserContext, path: str = "/") -> Self:
        """A new tab with the app started."""
        tab = cls(setting, await context.new_page())
        await tab.page.goto(f"{setting.app}{path}")
        await tab.ready()
        return tab

    async def ready(self) -> None:
        """Wait until the app has started."""
        await expect(self.page.locator("#state")).to_have_text("ready", timeout=15_000)

    async def run(self, script: str, *arguments: Any) -> Any:
        """What an expression comes to, in the page."""
        return await self.page.evaluate(script, *arguments)

    async def outcome(self, script: str) -> Any:
        """What a promise of the library comes to: `{"value": …}` or `{"refused": …}`."""
        return await self.page.evaluate(f"outcome({script})")

    async def leave_to_sign_in(self, options: str = "{}") -> None:
        """Begin a login by redirect, and wait for the issuer's page."""
        await self.page.evaluate(f"void client.login({options})")
        await self.page.wait_for_url(f"{self.setting.issuer.rpartition('/')[0]}/**", wait_until="load")

    async def give_password(self, username: str = "alice", page: Page | None = None) -> None:
        """Fill in the issuer's page, here or in a window."""
        at = page or self.page
        await at.get_by_label("Email or username").fill(username)
        await at.get_by_label("Password").fill(PASSWORD)
        await at.get_by_role("button", name="Sign in", exact=True).click()

    async def sign_in(self, username: str = "alice", options: str = "{}") -> None:
        """The whole way by redirect."""
        await self.leave_to_sign_in(options)
        await self.give_password(username)
        await self.returns()

    async def returns(self) -> None:
        """Wait until the browser is back at the app and the app has started."""
        await self.page.wait_for_url(f"{self.setting.app}/**")
        await self.ready()

    async def token(self) -> str:
        """An access token; fails where there is none."""
        token: str = await self.page.evaluate("client.getToken()")
        return token

    async def name(self) -> str | None:
        """Who is signed in, as this tab tells."""
        name: str | None = await self.page.evaluate("client.user().then((user) => user && user.name)")
        return name

    async def events(self, name: str) -> list[Any]:
        """What listeners of *name* were told so far."""
        told: list[Any] = await self.page.evaluate(
            "name => events.filter(([each]) => each === name).map(([, what]) => what)", name
        )
        return told

    async def reload(self) -> None:
        """Press reload."""
        self.navigations.clear()
        await self.page.reload()
        await self.ready()
