"""An API that asks for a stronger or fresher sign-in (RFC 9470): a person goes there once, a script hears where it is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from proofkey.client.web import SignIn
from tests.client.web.browser import WebBrowser
from tests.client.web.sample_api import Reply, SampleApi
from tests.client.web.test_proxy import notes, proxied
from tests.client.web.web_app import browser_of

CHALLENGE = 'Bearer error="insufficient_user_authentication", max_age="300"'
__all__ = ["notes", "proxied"]


@pytest_asyncio.fixture
async def alice(proxied: SignIn, notes: SampleApi) -> AsyncIterator[WebBrowser]:
    """Somebody who signed in, and whose API is never content."""
    notes.reply = lambda _sent: Reply(401, headers=[("www-authenticate", CHALLENGE)])
    async with browser_of(proxied) as browser:
        await browser.sign_in()
        yield browser


async def test_a_person_is_sent_to_sign_in_once_and_not_in_circles(alice: WebBrowser) -> None:
    sent_away = await alice.go("/api/notes")
    assert (303, "/auth/login?max_age=300&return_to=%2Fapi%2Fnotes") == (
        sent_away.status_code,
        sent_away.headers["location"],
    )
    back = await alice.follow(sent_away)
    assert (401, "insufficient_user_authentication") == (back.status_code, back.json()["error"])


async def test_a_script_hears_what_is_asked_for_and_where(alice: WebBrowser) -> None:
    told = (await alice.fetch("GET", "/api/notes")).json()
    assert ("300", "/auth/login?max_age=300&return_to=%2F") == (told["max_age"], told["login"])


@pytest.mark.parametrize("status", [200, 403])
async def test_only_a_401_is_a_challenge(alice: WebBrowser, notes: SampleApi, status: int) -> None:
    notes.reply = lambda _sent: Reply(status, headers=[("www-authenticate", CHALLENGE)], body=b"the API's own")
    answer = await alice.go("/api/notes")
    assert (status, "the API's own") == (answer.status_code, answer.text)
