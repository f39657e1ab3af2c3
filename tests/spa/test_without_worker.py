"""Where no worker can be started, the page does the worker's work: nothing else changes."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.browser import window
from tests.spa.setting import Setting
from tests.spa.tab import Tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_WORKER = (b"content-security-policy", b"script-src 'self' 'unsafe-inline'; worker-src 'none'")


async def test_a_policy_without_workers_leaves_everything_working(browser: Browser, setting: Setting) -> None:
    setting.site.headers.append(NO_WORKER)
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        first = await tab.token()
        assert first != await tab.run("client.getToken({renew: true})")
        assert [] == tab.page.workers
        await tab.reload()
        assert "Alice Adler" == await tab.name()
        assert 2 == len(setting.wire.refreshes())
        await tab.run("client.logout({redirect: false})")
        assert {"refused": "login_required"} == {"refused": (await tab.outcome("client.getToken()"))["refused"]}


TRUSTED = (b"content-security-policy", b"default-src 'self'; connect-src *; require-trusted-types-for 'script'")


async def test_under_trusted_types_everything_works_without_a_worker(browser: Browser, setting: Setting) -> None:
    """The browser refuses to start one in the constructor, not in an event."""
    setting.site.headers.append(TRUSTED)
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        assert await tab.token() != await tab.run("client.getToken({renew: true})")
        assert [] == tab.page.workers
        await tab.reload()
        assert "Alice Adler" == await tab.name()


async def test_a_refresh_is_made_by_a_worker_where_there_may_be_one(browser: Browser, setting: Setting) -> None:
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await tab.sign_in()
        assert [] == tab.page.workers
        await tab.run("client.getToken({renew: true})")
        assert [f"{setting.app}/spa/worker.js"] == [worker.url for worker in tab.page.workers]
