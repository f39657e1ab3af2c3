"""Takes the README's pictures of the playground: `make pictures`, or `python -m tests.demo.take_pictures FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import BrowserContext, async_playwright, expect

from tests.browser import CHROMIUM, window
from tests.demo.picture import with_few_colours
from tests.demo.reader import Reader
from tests.dev_server import DevServer


async def take_desktop(server: DevServer, context: BrowserContext, *, height: int) -> bytes:
    """A thief has just been refused: the code alone is worth nothing."""
    reader = await Reader.open(server, context)
    await reader.page.set_viewport_size({"width": 1440, "height": height})
    await reader.walk_to(6)
    await reader.page.locator("#panel").get_by_role("button", name="Guess a verifier").click()
    await expect(reader.page.locator("#panel .verdict")).to_be_visible()
    return await reader.page.screenshot()


async def take_phone(server: DevServer, context: BrowserContext, *, height: int) -> bytes:
    """The verifier becomes the challenge."""
    reader = await Reader.open(server, context)
    await reader.page.set_viewport_size({"width": 390, "height": height})
    await reader.go_on(to=2)
    return await reader.page.screenshot()


async def take_all(server: DevServer, folder: Path) -> None:
    """Both pictures into *folder*."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        async with window(browser, width=1440) as context:
            desktop = await take_desktop(server, context, height=870)
        async with window(browser, scheme="dark", width=390) as context:
            phone = await take_phone(server, context, height=870)
        await browser.close()
    for name, picture in (("playground-desktop.png", desktop), ("playground-phone.png", phone)):
        (folder / name).write_bytes(with_few_colours(picture))


def main() -> None:
    """Start a demo of one's own, walk, take pictures, stop."""
    with TemporaryDirectory() as scratch:
        server = DevServer(Path(scratch) / "kept", (), Path(scratch) / "log")
        try:
            asyncio.run(take_all(server, Path(sys.argv[1])))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
