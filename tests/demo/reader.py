"""Somebody who reads the playground in a browser: presses its buttons, signs in where it leads, and looks at what it shows."""

from __future__ import annotations

from typing import Self

from playwright.async_api import BrowserContext, Locator, Page, Request, expect

from tests.browser import complaints_of
from tests.dev_server import DevServer

expect.set_options(timeout=15_000)


class Reader:
    """One tab with the playground. `complaints` is what the console said, less what Chromium says of any refusal."""

    def __init__(self, server: DevServer, page: Page) -> None:
        self.server = server
        self.page = page
        self.requests: list[Request] = []
        self._heard = complaints_of(page)
        page.on("request", lambda sent: self.requests.append(sent))

    @classmethod
    async def open(cls, server: DevServer, context: BrowserContext) -> Self:
        """The playground in a new tab, at its first step."""
        reader = cls(server, await context.new_page())
        await reader.page.goto(server.told["playground"])
        await reader.stands_at(1)
        return reader

    @property
    def complaints(self) -> list[str]:
        """What should not have been said."""
        return [words for words in self._heard if "Failed to load resource: the server responded" not in words]

    @property
    def title(self) -> Locator:
        """The title of the step that is shown."""
        return self.page.locator("#panel-title")

    async def stands_at(self, step: int) -> None:
        """Step *step* is shown and everything is settled."""
        await expect(self.page.locator("#panel-step")).to_contain_text(f"Step {step} of 11")
        await expect(self.page.locator("body")).to_have_attribute("aria-busy", "false")

    async def press(self, name: str) -> None:
        """Press the button called *name*."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def go_on(self, *, to: int) -> None:
        """Press the step's own button; it leads to step *to*."""
        await self.page.locator("#next").click()
        await self.stands_at(to)

    async def look_at(self, step: int) -> None:
        """Press a row of the diagram."""
        await self.page.locator("#rows > li > button").nth(step - 1).click()
        await self.stands_at(step)

    async def visit_the_issuer(self) -> None:
        """Leave at step 3, sign in and allow as far as the issuer asks, and come back to step 6."""
        await self.press("Go to the issuer")
        await self.sign_in(self.page.locator("#panel-step", has_text="Step 6"))
        await self.stands_at(6)

    async def sign_in(self, back: Locator) -> None:
        """At the issuer's pages, as far as they ask, until *back* is there."""
        password, allow = self.page.get_by_label("Password"), self.page.get_by_role("button", name="Allow", exact=True)
        await expect(password.or_(allow).or_(back)).to_be_visible()
        if await password.is_visible():
            await self.page.get_by_label("Email or username").fill("alice")
            await password.fill(self.server.password_of("alice"))
            await self.press("Sign in")
            await expect(allow.or_(back)).to_be_visible()
        if await allow.is_visible():
            await allow.click()

    async def walk_to(self, step: int) -> None:
        """From the first step to *step*, by the buttons."""
        for each in (2, 3):
            await self.go_on(to=each)
        await self.visit_the_issuer()
        for each in range(7, step + 1):
            await self.go_on(to=each)

    async def attack(self, name: str) -> Locator:
        """Press an attack's button; its card, with the verdict on it."""
        card = self.page.locator(f"#attack-{name}")
        await card.locator(".trigger button").click()
        await self.sign_in(card.locator(".verdict"))
        await expect(card.locator(".verdict")).to_be_visible()
        await expect(self.page.locator("body")).to_have_attribute("aria-busy", "false")
        return card

    async def value(self, name: str) -> str:
        """The value of this kind that the step shows first, in full."""
        found = self.page.locator(f"#panel-body mark.{name}").first
        whole = found.locator(".whole")
        return str(await (whole if await whole.count() else found).text_content())

    async def knows(self, value: str, party: int) -> str:
        """What the board says of *value* (its name) and the party in this column: knows, hash or never."""
        row = self.page.locator("#board-table tbody tr").filter(
            has=self.page.get_by_role("rowheader", name=value, exact=True)
        )
        mark = row.locator("td").nth(party).locator(".mark")
        classes = str(await mark.get_attribute("class")).split()
        return classes[1]
