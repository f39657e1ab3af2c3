"""The suite's relying-party plans that `proofkey.client.web` is held to, and what is done in each module."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from proofkey import jose
from proofkey.client import HttpRequest, Issuer, Network, Registration, read_callback
from proofkey.client.registration import register
from proofkey.client.webfinger import find_issuer
from proofkey.protocol.errors import Refusal
from tests.conformance.relying_party import Browser, Place, relying_party

CLIENT_ID = "proofkey"
SECRET = "a-secret-of-more-than-thirty-two-characters"
SCOPE = "openid profile email address phone"
COOL_DOWN = 31.0
"""Seconds after which the client asks for the issuer's keys once more because it meets one it does not know."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One of the suite's plans: the choices it leaves open, what is asked of the client beside, and whether it registers."""

    name: str
    variant: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    registers: bool = False


STATIC = {"client_registration": "static_client", "request_type": "plain_http_request"}
AUTHENTICATION = {"client_auth_type": "client_secret_basic", "response_mode": "default"}
PLANS = {
    "basic": Plan("oidcc-client-basic-certification-test-plan", STATIC),
    "config": Plan("oidcc-client-config-certification-test-plan", STATIC | AUTHENTICATION),
    "dynamic": Plan(
        "oidcc-client-dynamic-certification-test-plan", AUTHENTICATION, {"request_by_reference": True}, registers=True
    ),
    "form-post": Plan("oidcc-client-formpost-basic-certification-test-plan", STATIC, {"response_mode": "form_post"}),
    "rp-initiated-logout": Plan("oidcc-client-rp-initiated-logout-rp-basic", STATIC | AUTHENTICATION),
    "back-channel-logout": Plan("oidcc-client-back-channel-logout-rp-basic", STATIC | AUTHENTICATION),
    "refresh": Plan("oidcc-client-refreshtoken-test-plan", STATIC | AUTHENTICATION | {"response_type": "code"}),
    "all-post": Plan(
        "oidcc-client-test-plan",
        STATIC | {"client_auth_type": "client_secret_post", "response_type": "code", "response_mode": "default"},
        {"authentication": "client_secret_post"},
    ),
    "all-public": Plan(
        "oidcc-client-test-plan",
        STATIC | {"client_auth_type": "none", "response_type": "code", "response_mode": "default"},
        {"client_secret": None},
    ),
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One module, running, and the client that meets it knowing nothing of those before."""

    plan: Plan
    module: str
    issuer: str
    place: Place
    suite_ca: Path

    @property
    def metadata(self) -> dict[str, Any]:
        """What a client that registers asks for."""
        return {
            "client_name": "Proofkey",
            "contacts": ["somebody@notes.example"],
            "post_logout_redirect_uris": [self.place.post_logout_redirect_uri],
            "request_uris": [f"{self.place.origin}/auth/request"],
        }

    @contextmanager
    def browser(self, **options: Any) -> Iterator[Browser]:
        """A browser at the client, which is configured for this module's issuer."""
        chosen = {"client_id": CLIENT_ID, "client_secret": SECRET, "id_token_signed_response_alg": "RS256"}
        asked = {"issuer": self.issuer, "scope": SCOPE, "userinfo": True, **chosen, **self.plan.options, **options}
        with relying_party(self.place, self.suite_ca, **asked) as browser:
            yield browser

    @contextmanager
    def registered(self, request_key: jose.SigningKey | None = None, **metadata: Any) -> Iterator[Browser]:
        """A browser at a client that has just registered itself."""
        registration = self.register(**metadata)
        with self.browser(
            client_id=registration.client_id,
            client_secret=registration.client_secret,
            id_token_signed_response_alg=registration.id_token_signed_response_alg,
            request_key=request_key,
        ) as browser:
            yield browser

    def register(self, **metadata: Any) -> Registration:
        """Register at this module's issuer."""
        asked = self.metadata | metadata
        with Network(self.issuer, ca_file=self.suite_ca) as network:
            conversation = register(self.issuer, self.place.redirect_uri, metadata=asked, s256_announced=False)
            return network.run(conversation).registration

    def client(self, **options: Any) -> Any:
        """The client as the plan wants it: known to the issuer already, or registering itself."""
        return self.registered() if self.plan.registers else self.browser(**options)


def sign_in(attempt: Attempt) -> str:
    """Sign in."""
    with attempt.client() as browser:
        return str(browser.sign_in())


def sign_in_without_userinfo(attempt: Attempt) -> str:
    """Sign in where the module ends itself as the keys are fetched, and calls every later request a failure."""
    with attempt.client(userinfo=False) as browser:
        return str(browser.sign_in())


def begin(attempt: Attempt) -> str:
    """Find the issuer's metadata, and go no further."""
    with attempt.browser() as browser:
        return browser.begin()


def sign_in_twice(attempt: Attempt) -> str:
    """Sign in before and after the keys change."""
    with attempt.client() as browser:
        first = browser.sign_in()
        time.sleep(COOL_DOWN)
        return f"{first}, then {browser.sign_in()}"


def sign_in_and_out(attempt: Attempt) -> str:
    """Sign in, then out."""
    with attempt.client() as browser:
        return f"{browser.sign_in()}, then {browser.sign_out()}, signed in: {browser.is_signed_in()}"


def find_by_account(attempt: Attempt) -> str:
    """Find the issuer of somebody's account, then its metadata."""
    return _find(attempt, f"acct:{CLIENT_ID}.{attempt.module}@{urlsplit(attempt.issuer).netloc}")


def find_by_address(attempt: Attempt) -> str:
    """Find the issuer of somebody's page, then its metadata."""
    return _find(attempt, f"https://{urlsplit(attempt.issuer).netloc}/{CLIENT_ID}/{attempt.module}")


def _find(attempt: Attempt, typed: str) -> str:
    with Network(attempt.issuer, ca_file=attempt.suite_ca) as network:
        issuer = network.run(find_issuer(typed))
        nobody = Registration(CLIENT_ID, attempt.place.redirect_uri)
        metadata = network.run(Issuer(issuer, nobody, s256_announced=False).discover())
    return f"found {metadata.issuer}"


def only_register(attempt: Attempt) -> str:
    """Register, and go no further."""
    return f"registered {attempt.register().client_id}"


def sign_the_request(attempt: Attempt) -> str:
    """Sign in with a request that is fetched and signed."""
    key = jose.SigningKey(jose.generate_key("RS256"), "RS256")
    with attempt.registered(key, request_object_signing_alg="RS256", jwks=jose.jwk_set([key])) as browser:
        return browser.sign_in()


def leave_the_request_unsigned(attempt: Attempt) -> str:
    """Sign in with a request that is fetched and not signed."""
    with attempt.registered(request_object_signing_alg="none") as browser:
        return browser.sign_in()


def take_signed_userinfo(attempt: Attempt) -> str:
    """Sign in where userinfo is a JWT."""
    with attempt.registered(userinfo_signed_response_alg="RS256") as browser:
        return browser.sign_in()


def expect_es256(attempt: Attempt) -> str:
    """Sign in where ID tokens are to be signed under ES256."""
    with attempt.browser(id_token_signed_response_alg="ES256") as browser:
        return browser.sign_in()


def refresh(attempt: Attempt) -> str:
    """Sign in and refresh by the conversations that every client shares: the web client refreshes when a token ends."""
    registration = Registration(CLIENT_ID, attempt.place.redirect_uri, SECRET, id_token_signed_response_alg="RS256")
    issuer = Issuer(attempt.issuer, registration, s256_announced=False)
    with Network(attempt.issuer, ca_file=attempt.suite_ca) as network:
        pending = network.run(issuer.begin(scope=f"{SCOPE} offline_access", extra={"prompt": "consent"}))
        answer = network.send(HttpRequest("GET", pending.url))
        signed_in = network.run(issuer.redeem(read_callback(answer.headers["location"], pending)))
        subject = str((signed_in.claims or {})["sub"])
        fresh = network.run(issuer.refresh(signed_in.tokens.refresh_token or "", subject=subject))
        return f"refreshed, {network.run(issuer.read_userinfo(fresh.tokens, subject=subject))['sub']}"


STEPS: Mapping[str, Callable[[Attempt], str]] = {
    "oidcc-client-test-discovery-openid-config": begin,
    "oidcc-client-test-discovery-jwks-uri-keys": sign_in_without_userinfo,
    "oidcc-client-test-discovery-webfinger-acct": find_by_account,
    "oidcc-client-test-discovery-webfinger-url": find_by_address,
    "oidcc-client-test-dynamic-registration": only_register,
    "oidcc-client-test-invalid-sig-es256": expect_es256,
    "oidcc-client-test-refresh-token": refresh,
    "oidcc-client-test-refresh-token-invalid-issuer": refresh,
    "oidcc-client-test-refresh-token-invalid-sub": refresh,
    "oidcc-client-test-request-uri-signed-rs256": sign_the_request,
    "oidcc-client-test-request-uri-signed-none": leave_the_request_unsigned,
    "oidcc-client-test-signing-key-rotation": sign_in_twice,
    "oidcc-client-test-userinfo-signed": take_signed_userinfo,
}
"""What is done in a module, where it is more or less than signing in."""


def play(attempt: Attempt) -> str:
    """Do what the module is about; what was seen last."""
    steps = STEPS.get(attempt.module, sign_in_and_out if "logout" in attempt.module else sign_in)
    try:
        return steps(attempt)
    except Refusal as refusal:
        return f"refused: {refusal.error_description}"
