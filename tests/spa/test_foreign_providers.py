"""The library, unmodified, at providers that are not ours: npm `oidc-provider` and django-oauth-toolkit."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from typing import Any

import jwt
import pytest
from playwright.async_api import Browser
from playwright.async_api import Error as TargetClosed

from tests.browser import window
from tests.providers.foreign import ForeignProvider
from tests.providers.person import sign_in
from tests.spa.setting import Setting
from tests.spa.tab import SIGNED_OUT, Tab
from tests.spa.test_fetch import CALL, claims_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

TWO_FACTORS = "urn:example:two-factors"


def at(provider: ForeignProvider, setting: Setting, scope: str, **metadata: Any) -> dict[str, Any]:
    """The app's configuration as a new client of *provider*."""
    registered = provider.register(f"{setting.app}/callback", post_logout_redirect_uris=[f"{setting.app}/"], **metadata)
    return {
        "issuer": provider.issuer,
        "clientId": registered["client_id"],
        "redirectUri": f"{setting.app}/callback",
        "postLogoutRedirectUri": f"{setting.app}/",
        "scope": scope,
        "apis": [setting.api_url],
    }


async def come_in(tab: Tab, options: str = "{}") -> None:
    """Sign in by redirect at whichever provider."""
    issuer: str = tab.setting.site.config["issuer"]
    await tab.run(f"void client.login({options})")
    await sign_in(tab.page, issuer)
    await tab.returns()
    assert "refused" not in await tab.run("back"), await tab.run("back")


async def live_through_it(browser: Browser, setting: Setting, sub: str) -> None:
    """Sign in, call an API, renew, reload, a second tab, userinfo, sign out."""
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await come_in(tab)
        assert sub == await tab.run("client.user().then(({sub}) => sub)")
        assert 200 == (await tab.run(CALL, f"{setting.api_url}/notes"))["value"][0]
        first = await tab.token()
        assert first != await tab.run("client.getToken({renew: true})")
        other = await Tab.open(setting, context)
        assert await tab.token() == await other.token()
        await other.page.close()
        await tab.reload()
        assert sub == await tab.run("client.user().then(({sub}) => sub)")
        assert [f"{setting.app}/callback"] == tab.navigations
        assert sub == await tab.run("client.userinfo().then(({sub}) => sub)")
        await tab.run("client.logout({redirect: false})")
        assert SIGNED_OUT == await tab.outcome("client.getToken()")


async def test_npm_oidc_provider(browser: Browser, setting: Setting, oidc_provider: ForeignProvider) -> None:
    setting.site.config = at(oidc_provider, setting, "openid profile email", id_token_signed_response_alg="ES256")
    await live_through_it(browser, setting, "alice")


async def test_django_oauth_toolkit(browser: Browser, setting: Setting, django_oauth_toolkit: ForeignProvider) -> None:
    setting.site.config = at(django_oauth_toolkit, setting, "openid profile email notes:read")
    await live_through_it(browser, setting, "1")


def check_proof(proof: str, token: str, url: str) -> str:
    """A proof for a GET of *url* with *token* (RFC 9449 §4.3); its key's thumbprint."""
    header = jwt.get_unverified_header(proof)
    claims = jwt.decode(proof, jwt.PyJWK(header["jwk"]).key, algorithms=["ES256"])
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    assert ("dpop+jwt", "GET", url, ath) == (header["typ"], claims["htm"], claims["htu"], claims["ath"])
    members = {name: header["jwk"][name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(members, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize("nonce", [False, True])
async def test_proof_of_possession_with_and_without_a_nonce(
    browser: Browser, setting: Setting, oidc_provider: ForeignProvider, *, nonce: bool
) -> None:
    config = at(oidc_provider, setting, "openid notes:read", dpop_nonce_required=nonce, dpop_bound_access_tokens=True)
    setting.site.config = {**config, "resource": setting.api_url, "dpop": True}
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await come_in(tab)
        assert 200 == (await tab.run(CALL, f"{setting.api_url}/notes?page=2"))["value"][0]
        await tab.reload()
        assert 200 == (await tab.run(CALL, f"{setting.api_url}/notes"))["value"][0]
        used = setting.api.seen
        assert ["DPoP", "DPoP"] == [each.partition(" ")[0] for each in used]
        keys = {
            check_proof(p, t.partition(" ")[2], f"{setting.api_url}/notes")
            for p, t in zip(setting.api.proofs, used, strict=True)
        }
        assert {claims_of(each.partition(" ")[2])["cnf"]["jkt"] for each in used} == keys
        assert 2 == len({claims_of(proof)["jti"] for proof in setting.api.proofs})


async def test_a_challenge_for_a_second_factor_is_met_and_the_call_repeated(
    browser: Browser, setting: Setting, oidc_provider: ForeignProvider
) -> None:
    """RFC 9470 with `acr_values`, end to end: the API's word, the issuer's page, the repeated request."""
    setting.site.config = {**at(oidc_provider, setting, "openid notes:read"), "resource": setting.api_url}
    setting.api.step_up = f'Bearer error="insufficient_user_authentication", acr_values="{TWO_FACTORS}"'
    setting.api.step_up_met = lambda token: claims_of(token)["acr"] == TWO_FACTORS
    async with window(browser) as context:
        tab = await Tab.open(setting, context)
        await come_in(tab)
        async with tab.page.expect_popup() as opening:
            await tab.run(
                "url => { window.call = outcome(client.fetch(url).then((r) => r.status)); }", f"{setting.api_url}/vault"
            )
        popup = await opening.value
        await popup.wait_for_url(f"{oidc_provider.issuer}/**")
        with suppress(TargetClosed):
            await sign_in(popup, oidc_provider.issuer)
        assert {"value": 200} == await tab.run("call")
        assert ["urn:example:password", TWO_FACTORS] == [
            claims_of(each.partition(" ")[2])["acr"] for each in setting.api.seen
        ]
