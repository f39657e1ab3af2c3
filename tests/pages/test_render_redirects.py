"""Where a browser lets a form's redirect lead, under the policy that pages travel with (CSP Level 3, form-action)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page

from proofkey.server.pages.render import page_headers
from tests.browser import complaints_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORM = b"<!doctype html><title>Form</title><form method=post><button>Go</button></form>"


@asynccontextmanager
async def asking(leads_to: str, *, form_action: str) -> AsyncIterator[str]:
    """A server with a form whose answer redirects to *leads_to*; gives the form's address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        lines = [name + b": " + value for name, value in page_headers(form_action=form_action)]
        body = FORM if asked.startswith(b"GET") else b""
        status = b"HTTP/1.1 200 OK" if body else b"HTTP/1.1 303 See Other\r\nlocation: " + leads_to.encode("ascii")
        length = b"content-length: %d" % len(body)
        writer.write(b"\r\n".join([status, *lines, length, b"connection: close", b"", body]))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@asynccontextmanager
async def application(host: str, family: socket.AddressFamily) -> AsyncIterator[str]:
    """An application on an origin of its own; gives the origin."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, host, 0, family=family) as server:
        shown = f"[{host}]" if family == socket.AF_INET6 else host
        yield f"http://{shown}:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
async def test_a_form_leads_to_the_proven_return_address(page: Page, host: str, family: socket.AddressFamily) -> None:
    async with application(host, family) as origin, asking(f"{origin}/callback", form_action=origin) as address:
        complaints = complaints_of(page)
        await page.goto(address)
        async with page.expect_response(f"{origin}/callback") as arrived:
            await page.get_by_role("button").click()

        assert 200 == (await arrived.value).status
        assert [] == complaints


async def test_a_form_leads_nowhere_else(page: Page) -> None:
    async with application("127.0.0.1", socket.AF_INET) as origin, asking(origin, form_action="") as address:
        await page.goto(address)
        async with page.expect_console_message() as complaint:
            await page.get_by_role("button").click()

        assert "form-action 'self'" in (await complaint.value).text
        assert address == page.url


async def test_a_sign_in_in_a_popup_returns_to_an_application_that_still_holds_it(page: Page) -> None:
    async with application("127.0.0.1", socket.AF_INET) as origin, asking(origin, form_action=origin) as address:
        await page.goto(origin)
        async with page.expect_popup() as opening:
            await page.evaluate("address => { window.opened = window.open(address) }", address)
        popup = await opening.value
        await popup.get_by_role("button").click()
        await popup.wait_for_url(f"{origin}/")

        assert await popup.evaluate("window.opener !== null")
        assert not await page.evaluate("window.opened.closed")
