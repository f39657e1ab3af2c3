"""Token exchange (RFC 8693): `@proofkey/spa/exchange` at npm `oidc-provider`, which was given the grant for these tests."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser import window
from tests.providers.foreign import ForeignProvider
from tests.spa.setting import Setting
from tests.spa.tab import Tab
from tests.spa.test_fetch import claims_of
from tests.spa.test_foreign_providers import at, come_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

GRANTS = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"]
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
BILLS = "https://bills.example"
EXCHANGE = "asked => import('/spa/exchange.js').then(({exchange}) => outcome(exchange(client, asked)))"


async def signed_in(setting: Setting, provider: ForeignProvider, context: Any, grants: list[str]) -> Tab:
    setting.site.config = at(provider, setting, "openid profile", grant_types=grants)
    tab = await Tab.open(setting, context)
    await come_in(tab)
    return tab


@pytest.mark.parametrize("name", ["audience", "resource"])
async def test_an_access_token_is_exchanged_for_one_of_another_api(
    browser: Browser, setting: Setting, oidc_provider: ForeignProvider, *, name: str
) -> None:
    async with window(browser) as context:
        tab = await signed_in(setting, oidc_provider, context, GRANTS)
        held = await tab.token()
        given = (await tab.run(EXCHANGE, {name: BILLS, "scope": "notes:read"}))["value"]
        claims = claims_of(given["token"])
        assert (BILLS, "alice", "notes:read") == (claims["aud"], claims["sub"], claims["scope"])
        assert (ACCESS_TOKEN, 300, "notes:read") == (given["type"], given["expiresIn"], given["scope"])
        assert held == await tab.token()


async def test_what_the_issuer_refuses_to_exchange_is_its_refusal(
    browser: Browser, setting: Setting, oidc_provider: ForeignProvider
) -> None:
    async with window(browser) as context:
        tab = await signed_in(setting, oidc_provider, context, GRANTS)
        refused = {"isOurs": True, "isIssuers": True}
        for asked, code in [
            ({"audience": BILLS, "subjectToken": "forged"}, "invalid_request"),
            ({"audience": BILLS, "requestedTokenType": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
            ({"audience": [BILLS, "https://other.example"]}, "invalid_target"),
            ({"audience": BILLS, "scope": "bills:pay"}, "invalid_scope"),
            ({}, "invalid_target"),
        ]:
            assert {**refused, "refused": code} == await tab.run(EXCHANGE, asked)


async def test_a_client_without_the_grant_exchanges_nothing(
    browser: Browser, setting: Setting, oidc_provider: ForeignProvider
) -> None:
    async with window(browser) as context:
        tab = await signed_in(setting, oidc_provider, context, GRANTS[:2])
        told = "asked => import('/spa/exchange.js').then(({exchange}) => exchange(client, asked)).catch((error) => error.message)"
        assert "grant type is not allowed for this client" in await tab.run(told, {"audience": BILLS})
