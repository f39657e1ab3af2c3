"""A real browser for tests: one Chromium for the whole run, a fresh profile and window for each test.

Playwright's objects belong to the loop they were made on, so a module that uses them says
`pytestmark = pytest.mark.asyncio(loop_scope="session")`. Registered in conftest.py.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CHROMIUM = os.environ.get("PROOFKEY_TEST_CHROMIUM", "/usr/bin/chromium")
PHONE = 360
DESKTOP = 1280

_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, headless, started once."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGS)
        yield chromium
        await chromium.close()


@asynccontextmanager
async def window(
    browser: Browser, *, scheme: Literal["light", "dark"] = "light", width: int = DESKTOP, **options: Any
) -> AsyncIterator[BrowserContext]:
    """A profile of its own (cookies, storage) whose pages have this colour scheme and width; closed at the end."""
    height = 800 if width >= DESKTOP else 740
    context = await browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": height}, reduced_motion="reduce", **options
    )
    context.set_default_timeout(15_000)
    try:
        yield context
    finally:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A fresh page on a desktop, light."""
    async with window(browser) as context:
        yield await context.new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def dark_page(browser: Browser) -> AsyncIterator[Page]:
    """A fresh page on a desktop, dark."""
    async with window(browser, scheme="dark") as context:
        yield await context.new_page()


def complaints_of(page: Page) -> list[str]:
    """A list that fills with what the page complains of from now on: console errors, warnings, exceptions."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints
