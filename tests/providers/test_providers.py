"""The foreign providers answer as their fixtures promise: asked with a plain HTTP client, none of ours."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from playwright.async_api import Browser

from tests.browser import window
from tests.providers.foreign import ForeignProvider
from tests.providers.oidc_provider import StartOidcProvider
from tests.providers.person import ForeignPerson, sign_in

CALLBACK = "http://127.0.0.1:9/callback"


class Asking:
    """One authorization request of a client, and the exchange of its answer."""

    def __init__(self, provider: ForeignProvider, client: dict[str, Any], **parameters: str) -> None:
        self.provider, self.client = provider, client
        self.verifier = secrets.token_urlsafe(32)
        challenge = urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": CALLBACK,
            "scope": "openid profile email",
            "state": "a state",
            "nonce": "a-nonce",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **parameters,
        }
        self.url = f"{provider.metadata['authorization_endpoint']}?{urlencode(asked)}"

    def post(self, endpoint: str, **form: str) -> httpx2.Response:
        secret = self.client.get("client_secret")
        auth = (self.client["client_id"], secret) if secret else None
        form |= {} if secret else {"client_id": self.client["client_id"]}
        return httpx2.post(self.provider.metadata[f"{endpoint}_endpoint"], data=form, auth=auth, trust_env=False)

    def redeem(self, address: str, **form: str) -> dict[str, Any]:
        answer = dict(parse_qsl(urlsplit(address).query))
        assert ("a state", self.provider.issuer) == (answer.get("state"), answer.get("iss")), address
        told = self.post(
            "token",
            grant_type="authorization_code",
            code=answer["code"],
            redirect_uri=CALLBACK,
            code_verifier=self.verifier,
            **form,
        )
        assert told.status_code == 200, told.text
        tokens: dict[str, Any] = told.json()
        return tokens

    def claims(self, token: str) -> dict[str, Any]:
        keys = jwt.PyJWKClient(self.provider.metadata["jwks_uri"])
        key = keys.get_signing_key_from_jwt(token)
        options = {"verify_aud": False}
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=["ES256", "RS256"], options=options)  # type: ignore[arg-type]
        return claims


@pytest.fixture(params=["oidc_provider", "django_oauth_toolkit"])
def provider(request: pytest.FixtureRequest) -> ForeignProvider:
    found: ForeignProvider = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("name", ["spa", "web"])
def test_a_person_signs_in_and_the_client_refreshes_asks_and_revokes(provider: ForeignProvider, name: str) -> None:
    asking = Asking(provider, provider.clients[name])
    with ForeignPerson(provider.issuer) as alice:
        tokens = asking.redeem(alice.visit(asking.url))
    claims = asking.claims(tokens["id_token"])
    assert ("a-nonce", "Alice Example", "alice@example.test") == (claims["nonce"], claims["name"], claims["email"])
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    person = httpx2.get(provider.metadata["userinfo_endpoint"], headers=bearer, trust_env=False).json()
    assert (claims["sub"], "Alice Example") == (person["sub"], person["name"])
    fresh = asking.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    if name == "spa":
        again = asking.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert (400, "invalid_grant") == (again.status_code, again.json()["error"])
    else:
        assert asking.post("revocation", token=fresh["access_token"]).status_code == 200


def test_a_person_who_says_no_is_sent_back_with_the_refusal(oidc_provider: ForeignProvider) -> None:
    asking = Asking(oidc_provider, oidc_provider.clients["spa"])
    with ForeignPerson(oidc_provider.issuer, decision="deny") as alice:
        answer = parse_qs(urlsplit(alice.visit(asking.url)).query)
    assert ["access_denied"] == answer["error"]


@pytest.mark.parametrize(("resource", "alg"), [("https://api.example/", "ES256"), ("https://rs256.example/", "RS256")])
def test_a_token_for_a_resource_says_how_and_when_the_person_signed_in(
    oidc_provider: ForeignProvider, resource: str, alg: str
) -> None:
    scope, two_factors = "openid notes:read", "urn:example:two-factors"
    asking = Asking(oidc_provider, oidc_provider.clients["spa"], resource=resource, scope=scope, acr_values=two_factors)
    with ForeignPerson(oidc_provider.issuer) as alice:
        token = asking.redeem(alice.visit(asking.url), resource=resource)["access_token"]
    header, claims = jwt.get_unverified_header(token), asking.claims(token)
    assert ("at+jwt", alg, resource, two_factors) == (header["typ"], header["alg"], claims["aud"], claims["acr"])
    assert isinstance(claims["auth_time"], int)


def test_an_opaque_token_is_told_about_by_introspection(oidc_provider: ForeignProvider) -> None:
    resource = "https://opaque.example/"
    asking = Asking(oidc_provider, oidc_provider.clients["spa"], resource=resource, scope="openid notes:read")
    with ForeignPerson(oidc_provider.issuer) as alice:
        token = asking.redeem(alice.visit(asking.url), resource=resource)["access_token"]
    told = Asking(oidc_provider, oidc_provider.clients["api"]).post("introspection", token=token).json()
    assert (True, "notes:read", resource, "alice") == (told["active"], told["scope"], told["aud"], told["sub"])


def test_a_session_of_another_acr_or_too_old_signs_in_again(oidc_provider: ForeignProvider) -> None:
    spa = oidc_provider.clients["spa"]
    with ForeignPerson(oidc_provider.issuer) as alice:
        first = Asking(oidc_provider, spa)
        auth_time = first.claims(first.redeem(alice.visit(first.url))["id_token"]).get("auth_time")
        assert auth_time is None
        stepped = Asking(oidc_provider, spa, acr_values="urn:example:two-factors", prompt="none")
        assert "error=login_required" in alice.visit(stepped.url)
        stepped = Asking(oidc_provider, spa, acr_values="urn:example:two-factors", max_age="3600")
        claims = stepped.claims(stepped.redeem(alice.visit(stepped.url))["id_token"])
        assert "urn:example:two-factors" == claims["acr"]
        assert isinstance(claims["auth_time"], int)


def test_form_post_leaves_by_a_form(oidc_provider: ForeignProvider) -> None:
    asking = Asking(oidc_provider, oidc_provider.clients["web"], response_mode="form_post")
    with ForeignPerson(oidc_provider.issuer) as alice:
        sent = alice.visit_for_form(asking.url)
    assert (CALLBACK, "a state") == (sent.url, sent.fields["state"])
    assert asking.redeem(f"{CALLBACK}?{urlencode(sent.fields)}")["token_type"] == "Bearer"


def test_a_device_gets_tokens_once_its_person_agreed(oidc_provider: ForeignProvider) -> None:
    asking = Asking(oidc_provider, oidc_provider.clients["native"])
    told = asking.post("device_authorization", scope="openid").json()
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": told["device_code"]}
    assert "authorization_pending" == asking.post("token", **grant).json()["error"]
    with ForeignPerson(oidc_provider.issuer) as alice:
        alice.enter_user_code(told["verification_uri"], told["user_code"])
    assert "access_token" in asking.post("token", **grant).json()


def test_a_client_may_have_proofs_with_a_nonce_demanded_of_it(oidc_provider: ForeignProvider) -> None:
    registered = oidc_provider.register(CALLBACK, dpop_nonce_required=True)
    asking = Asking(oidc_provider, registered)
    with ForeignPerson(oidc_provider.issuer) as alice:
        code = dict(parse_qsl(urlsplit(alice.visit(asking.url)).query))["code"]
    proof = _proof(oidc_provider.metadata["token_endpoint"])
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    answer = httpx2.post(
        oidc_provider.metadata["token_endpoint"],
        data=form | {"client_id": registered["client_id"], "code_verifier": asking.verifier},
        headers={"dpop": proof},
        trust_env=False,
    )
    assert (400, "use_dpop_nonce") == (answer.status_code, answer.json()["error"])
    assert answer.headers["dpop-nonce"]


def _proof(url: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    claims = {"jti": secrets.token_urlsafe(), "htm": "POST", "htu": url, "iat": int(time.time())}
    return jwt.encode(claims, key, algorithm="ES256", headers={"typ": "dpop+jwt", "jwk": jwk})


def test_signing_out_is_confirmed_and_leads_back(provider: ForeignProvider) -> None:
    asking = Asking(provider, provider.clients["web"])
    with ForeignPerson(provider.issuer) as alice:
        tokens = asking.redeem(alice.visit(asking.url))
        parameters = {
            "id_token_hint": tokens["id_token"],
            "post_logout_redirect_uri": "http://127.0.0.1:9/",
            "state": "x",
        }
        assert "http://127.0.0.1:9/?state=x" == alice.visit(
            f"{provider.metadata['end_session_endpoint']}?{urlencode(parameters)}"
        )


def test_a_token_may_live_as_short_as_a_test_wants(start_oidc_provider: StartOidcProvider) -> None:
    provider = start_oidc_provider(accessTokenTTL=7)
    asking = Asking(provider, provider.clients["spa"])
    with ForeignPerson(provider.issuer) as alice:
        assert 7 == asking.redeem(alice.visit(asking.url))["expires_in"]


@pytest.mark.asyncio(loop_scope="session")
async def test_a_real_browser_signs_in(browser: Browser, provider: ForeignProvider) -> None:
    asking = Asking(provider, provider.clients["spa"])
    async with window(browser) as context:
        page = await context.new_page()
        landed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await page.route("http://127.0.0.1:9/**", lambda route: route.fulfill(body="back"))
        page.on(
            "framenavigated",
            lambda frame: landed.done() or not frame.url.startswith(CALLBACK) or landed.set_result(frame.url),
        )
        await page.goto(asking.url)
        await sign_in(page, provider.issuer)
        assert "access_token" in asking.redeem(await asyncio.wait_for(landed, 15))
