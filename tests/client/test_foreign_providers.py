"""The shared conversations with providers that are not ours: oidc-provider and django-oauth-toolkit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from proofkey.client import (
    Issuer,
    Network,
    Registration,
    ResponseRefused,
    ServerRefused,
    SignedIn,
    read_callback,
    read_form_post,
)
from proofkey.client.device import AskAgain, ask_device, begin_device
from proofkey.client.dpop import DpopKey
from proofkey.client.logout_token import check_logout_token
from proofkey.client.protocol import introspection_request, logout_url, read_introspection
from proofkey.client.registration import register
from tests.listening import bind, listening
from tests.protocol.refusals import refused
from tests.providers.foreign import ForeignProvider
from tests.providers.person import ForeignPerson

CALLBACK = "http://127.0.0.1:9/callback"
SCOPE = "openid profile email"


class Client:
    """One client of ours at a foreign provider, with a network and a person."""

    def __init__(self, provider: ForeignProvider, registration: Registration, network: Network, **options: Any) -> None:
        self.issuer = Issuer(provider.issuer, registration, **options)
        self.network = network
        self.origin = provider.issuer

    def sign_in(self, scope: str = SCOPE, **asked: Any) -> SignedIn:
        pending = self.network.run(self.issuer.begin(scope=scope, **asked))
        with ForeignPerson(self.origin) as alice:
            address = alice.visit(pending.url)
        return self.network.run(self.issuer.redeem(read_callback(address, pending)))

    def refresh(self, signed_in: SignedIn, **asked: Any) -> SignedIn:
        token = signed_in.tokens.refresh_token
        assert token is not None
        subject = signed_in.claims["sub"] if signed_in.claims else None
        return self.network.run(self.issuer.refresh(token, subject=subject, **asked))


def registration_of(provider: ForeignProvider, name: str) -> Registration:
    client = provider.clients[name]
    authentication = client.get("token_endpoint_auth_method", "client_secret_basic")
    if authentication == "none":
        return Registration(client["client_id"], CALLBACK)
    return Registration(client["client_id"], CALLBACK, client["client_secret"], authentication)


@pytest.fixture(params=["oidc_provider", "django_oauth_toolkit"])
def provider(request: pytest.FixtureRequest) -> ForeignProvider:
    found: ForeignProvider = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def network() -> Iterator[Network]:
    with Network("http://127.0.0.1") as opened:
        yield opened


@pytest.mark.parametrize("name", ["spa", "web"])
def test_a_person_signs_in_and_the_id_token_is_verified(provider: ForeignProvider, network: Network, name: str) -> None:
    client = Client(provider, registration_of(provider, name), network)
    signed_in = client.sign_in()
    assert signed_in.claims is not None
    assert ("Alice Example", provider.issuer) == (signed_in.claims["name"], signed_in.claims["iss"])
    told = network.run(client.issuer.read_userinfo(signed_in.tokens, subject=signed_in.claims["sub"]))
    assert "alice@example.test" == told["email"]


def test_a_secret_may_go_into_the_body(oidc_provider: ForeignProvider, network: Network) -> None:
    client = Client(oidc_provider, registration_of(oidc_provider, "web-post"), network)
    assert client.issuer.registration.authentication == "client_secret_post"
    assert client.sign_in().claims is not None


def test_userinfo_may_come_signed(oidc_provider: ForeignProvider, network: Network) -> None:
    asked = {"userinfo_signed_response_alg": "ES256"}
    registered = network.run(register(oidc_provider.issuer, CALLBACK, metadata=asked))
    client = Client(oidc_provider, registered.registration, network)
    told = network.run(client.issuer.read_userinfo(client.sign_in().tokens, subject="alice"))
    assert ("Alice Example", oidc_provider.issuer) == (told["name"], told["iss"])


def test_refresh_tokens_rotate_and_a_used_one_ends_the_family(provider: ForeignProvider, network: Network) -> None:
    client = Client(provider, registration_of(provider, "spa"), network)
    first = client.sign_in()
    second = client.refresh(first)
    assert second.tokens.refresh_token != first.tokens.refresh_token
    assert second.tokens.access_token != first.tokens.access_token
    for used in (first, second):
        with pytest.raises(ServerRefused) as told:
            client.refresh(used)
        assert "invalid_grant" == told.value.code


def test_what_is_given_back_opens_nothing_any_more(oidc_provider: ForeignProvider, network: Network) -> None:
    client = Client(oidc_provider, registration_of(oidc_provider, "web"), network)
    signed_in = client.sign_in()
    assert signed_in.tokens.refresh_token is not None
    network.run(client.issuer.revoke(signed_in.tokens.refresh_token))
    with pytest.raises(ServerRefused) as told:
        client.refresh(signed_in)
    assert "invalid_grant" == told.value.code


@pytest.mark.parametrize("nonce_required", [False, True])
def test_tokens_are_bound_to_a_key_with_and_without_a_nonce(
    oidc_provider: ForeignProvider, network: Network, nonce_required: bool
) -> None:
    asked = {"dpop_nonce_required": nonce_required}
    registered = network.run(register(oidc_provider.issuer, CALLBACK, public=True, metadata=asked))
    client = Client(oidc_provider, registered.registration, network, dpop_key=DpopKey.generate())
    signed_in = client.sign_in()
    assert signed_in.claims is not None
    assert "DPoP" == signed_in.tokens.token_type
    told = network.run(client.issuer.read_userinfo(signed_in.tokens, subject="alice"))
    assert "Alice Example" == told["name"]
    assert "DPoP" == client.refresh(signed_in).tokens.token_type
    thief = Client(oidc_provider, registered.registration, network, dpop_key=DpopKey.generate())
    with pytest.raises(ServerRefused):
        network.run(thief.issuer.read_userinfo(signed_in.tokens, subject="alice"))


def test_introspection_tells_of_an_opaque_token(oidc_provider: ForeignProvider, network: Network) -> None:
    client = Client(oidc_provider, registration_of(oidc_provider, "spa"), network)
    resource = "https://opaque.example/"
    token = client.sign_in("openid notes:read", resource=resource).tokens.access_token
    endpoint = network.run(client.issuer.discover()).introspection_endpoint
    assert endpoint is not None
    answer = network.send(introspection_request(endpoint, registration_of(oidc_provider, "api"), token))
    told = read_introspection(answer.status, answer.body)
    assert (True, resource, "notes:read") == (told["active"], told["aud"], told["scope"])


def test_a_fresh_sign_in_says_when_it_was_and_how(oidc_provider: ForeignProvider, network: Network) -> None:
    client = Client(oidc_provider, registration_of(oidc_provider, "web"), network)
    claims = client.sign_in(extra={"max_age": "60", "acr_values": "urn:example:two-factors"}).claims
    assert claims is not None
    assert "urn:example:two-factors" == claims["acr"]
    assert type(claims["auth_time"]) is int


def test_an_answer_may_come_as_a_form(oidc_provider: ForeignProvider, network: Network) -> None:
    client = Client(oidc_provider, registration_of(oidc_provider, "web"), network)
    pending = network.run(client.issuer.begin(scope=SCOPE, extra={"response_mode": "form_post"}))
    with ForeignPerson(oidc_provider.issuer) as alice:
        sent = alice.visit_for_form(pending.url)
    body = urlencode(sent.fields).encode()
    signed_in = network.run(client.issuer.redeem(read_form_post(body, pending)))
    assert signed_in.claims is not None


def test_a_person_who_says_no_is_a_refusal_of_the_server(oidc_provider: ForeignProvider, network: Network) -> None:
    client = Client(oidc_provider, registration_of(oidc_provider, "spa"), network)
    pending = network.run(client.issuer.begin(scope=SCOPE))
    with ForeignPerson(oidc_provider.issuer, decision="deny") as alice:
        address = alice.visit(pending.url)
    with pytest.raises(ServerRefused) as told:
        read_callback(address, pending)
    assert "access_denied" == told.value.code


def test_a_code_is_spent_once(provider: ForeignProvider, network: Network) -> None:
    client = Client(provider, registration_of(provider, "spa"), network)
    pending = network.run(client.issuer.begin(scope=SCOPE))
    with ForeignPerson(provider.issuer) as alice:
        callback = read_callback(alice.visit(pending.url), pending)
    network.run(client.issuer.redeem(callback))
    with pytest.raises(ServerRefused) as told:
        network.run(client.issuer.redeem(callback))
    assert "invalid_grant" == told.value.code


def test_a_device_signs_in_once_its_person_agreed(oidc_provider: ForeignProvider, network: Network) -> None:
    issuer = Issuer(oidc_provider.issuer, registration_of(oidc_provider, "native"))
    asked = network.run(begin_device(issuer, scope=SCOPE))
    waiting = network.run(ask_device(issuer, asked, scope=SCOPE, interval_for=asked.interval_for))
    assert AskAgain(asked.interval_for) == waiting
    with ForeignPerson(oidc_provider.issuer) as alice:
        alice.enter_user_code(asked.verification_uri, asked.user_code)
    signed_in = network.run(ask_device(issuer, asked, scope=SCOPE, interval_for=asked.interval_for))
    assert isinstance(signed_in, SignedIn)
    assert signed_in.claims is not None
    assert "alice" == signed_in.claims["sub"]


def test_an_issuer_without_a_device_endpoint_is_not_asked(
    django_oauth_toolkit: ForeignProvider, network: Network
) -> None:
    issuer = Issuer(django_oauth_toolkit.issuer, registration_of(django_oauth_toolkit, "native"))
    with refused(ResponseRefused, "device_grant_not_served"):
        network.run(begin_device(issuer, scope=SCOPE))


def test_signing_out_at_the_issuer_leads_back(provider: ForeignProvider, network: Network) -> None:
    client = Client(provider, registration_of(provider, "web"), network)
    pending = network.run(client.issuer.begin(scope=SCOPE))
    endpoint = network.run(client.issuer.discover()).end_session_endpoint
    assert endpoint is not None
    with ForeignPerson(provider.issuer) as alice:
        signed_in = network.run(client.issuer.redeem(read_callback(alice.visit(pending.url), pending)))
        hint = signed_in.tokens.id_token or ""
        url = logout_url(endpoint, id_token_hint=hint, post_logout_redirect_uri="http://127.0.0.1:9/", state="s t")
        parts = urlsplit(alice.visit(url))
    assert ("127.0.0.1:9", [("state", "s t")]) == (parts.netloc, parse_qsl(parts.query))


def test_a_logout_token_of_the_issuer_is_believed(oidc_provider: ForeignProvider, network: Network) -> None:
    received: list[bytes] = []

    async def receive_logout(scope: Any, receive: Any, send: Any) -> None:
        received.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    with listening(receive_logout, bind()) as url:
        metadata = {
            "backchannel_logout_uri": f"{url}/backchannel-logout",
            "backchannel_logout_session_required": True,
            "post_logout_redirect_uris": ["http://127.0.0.1:9/"],
        }
        registered = network.run(register(oidc_provider.issuer, CALLBACK, metadata=metadata))
        issuer = Issuer(oidc_provider.issuer, registered.registration)
        pending = network.run(issuer.begin(scope=SCOPE))
        with ForeignPerson(oidc_provider.issuer) as alice:
            signed_in = network.run(issuer.redeem(read_callback(alice.visit(pending.url), pending)))
            endpoint = network.run(issuer.discover()).end_session_endpoint or ""
            hint = signed_in.tokens.id_token or ""
            alice.visit(
                logout_url(endpoint, id_token_hint=hint, post_logout_redirect_uri="http://127.0.0.1:9/", state="s")
            )
    token = dict(parse_qsl(received[0].decode()))["logout_token"]
    assert signed_in.claims is not None
    notice = check_logout_token(
        network.run(issuer.verify(token)),
        expected_issuer=oidc_provider.issuer,
        expected_client_id=registered.registration.client_id,
        now=signed_in.claims["iat"] * 1_000,
    )
    assert (signed_in.claims["sid"], "alice") == (notice.sid, notice.subject)
