"""A web application in front of issuers that are not ours: oidc-provider and django-oauth-toolkit, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from proofkey.client.dpop import DpopKey
from proofkey.client.web import Api, SignIn
from tests.client.web.sample_api import Reply, SampleApi, Sent, payload_of, sample_api
from tests.client.web.web_app import greet, sign_in_listening
from tests.listening import bind, url_of
from tests.providers.foreign import ForeignProvider
from tests.providers.person import ForeignPerson

RESOURCE = "https://notes.example"


class Place:
    """An application that listens, registered with *provider*; and its person's browser."""

    def __init__(
        self, provider: ForeignProvider, person: ForeignPerson, *, is_told: bool = False, **metadata: Any
    ) -> None:
        self.provider, self.person = provider, person
        self.listener = bind()
        self.origin = url_of(self.listener)
        self.callback = f"{self.origin}/auth/callback"
        if is_told:
            metadata["backchannel_logout_uri"] = f"{self.origin}/auth/backchannel-logout"
            metadata["backchannel_logout_session_required"] = True
        self.client = provider.register(
            self.callback,
            public=False,
            post_logout_redirect_uris=[f"{self.origin}/auth/logged-out"],
            **metadata,
        )
        self.http = httpx2.Client(base_url=self.origin, trust_env=False, headers={"sec-fetch-mode": "navigate"})

    def sign_in_with(self, **options: Any) -> SignIn:
        """The application."""
        settings = {"scope": "openid profile email", "app": greet, **options}
        return SignIn(
            settings.pop("app"),
            issuer=self.provider.issuer,
            client_id=self.client["client_id"],
            client_secret=self.client["client_secret"],
            redirect_uri=self.callback,
            **settings,
        )

    def sign_in(self, query: str = "") -> httpx2.Response:
        """Through the provider and back; the last redirect of the application."""
        begun = self.http.get(f"/auth/login{query}")
        assert begun.status_code == 303, begun.text
        return self.http.get(self.person.visit(begun.headers["location"]))

    def session(self) -> dict[str, Any]:
        """What the pages are told."""
        told: dict[str, Any] = self.http.get("/auth/session", headers={"sec-fetch-mode": "cors"}).json()
        return told

    def script(self, method: str, path: str, **headers: str) -> httpx2.Response:
        """What a script of the application's pages sends."""
        own = {"sec-fetch-mode": "cors", "origin": self.origin, "x-csrf-token": self.session().get("csrf", "")}
        return self.http.request(method, path, headers={**own, **headers})


@contextmanager
def place_at(provider: ForeignProvider, person: ForeignPerson | None = None, **metadata: Any) -> Iterator[Place]:
    """A place, to be listened at; its browser is gone at the end."""
    with ForeignPerson(provider.issuer) as alice:
        place = Place(provider, person or alice, **metadata)
        try:
            with place.http:
                yield place
        finally:
            place.listener.close()


@contextmanager
def running(place: Place, **options: Any) -> Iterator[SignIn]:
    """The application answers at its place."""
    sign_in = place.sign_in_with(**options)
    with sign_in_listening(sign_in, place.listener):
        yield sign_in


def test_oidc_provider_signs_in_renews_and_signs_out(oidc_provider: ForeignProvider) -> None:
    with place_at(oidc_provider) as place, running(place, userinfo=True):
        assert ("/notes", 303) == ((ended := place.sign_in("?return_to=/notes")).headers["location"], ended.status_code)
        told = place.session()
        assert ("alice", "Alice Example") == (told["claims"]["sub"], told["claims"]["name"])
        answer = place.script("POST", "/auth/logout")
        back = place.person.visit(answer.json()["location"])
        assert (303, "/") == ((last := place.http.get(back)).status_code, last.headers["location"])
        assert {"signed_in": False} == place.session()


def test_django_oauth_toolkit_signs_in_and_signs_out(django_oauth_toolkit: ForeignProvider) -> None:
    with place_at(django_oauth_toolkit) as place, running(place, userinfo=True):
        place.sign_in()
        assert "alice" in str(place.session()["claims"])
        answer = place.script("POST", "/auth/logout")
        assert django_oauth_toolkit.issuer in answer.json()["location"]
        assert {"signed_in": False} == place.session()


@pytest.fixture
def notes() -> Iterator[SampleApi]:
    with sample_api() as api:
        yield api


def test_tokens_of_a_foreign_issuer_are_renewed_for_the_api(oidc_provider: ForeignProvider, notes: SampleApi) -> None:
    apis = {"/api": Api(url=notes.url, resource=RESOURCE)}
    with place_at(oidc_provider) as place, running(place, apis=apis, scope="openid profile notes:read"):
        place.sign_in()
        assert 200 == place.script("GET", "/api/notes").status_code
        expired = Reply(401, [("www-authenticate", 'Bearer error="invalid_token"')])
        notes.reply = lambda _sent: expired if len(notes.sent) == 2 else Reply()
        assert 200 == place.script("GET", "/api/notes").status_code
    assert (3, 2) == (len(notes.sent), len({sent.token for sent in notes.sent}))


def test_back_channel_logout_ends_the_session_of_the_other_application(oidc_provider: ForeignProvider) -> None:
    """Alice is signed in to two applications, and signs out at one: the provider tells the other."""
    with (
        ForeignPerson(oidc_provider.issuer) as alice,
        place_at(oidc_provider, alice) as first,
        place_at(oidc_provider, alice, is_told=True) as second,
        running(first),
        running(second),
    ):
        first.sign_in()
        second.sign_in()
        assert second.session()["signed_in"]
        answer = first.script("POST", "/auth/logout")
        alice.visit(answer.json()["location"])
        assert not wait_until_signed_out(second)


def wait_until_signed_out(place: Place) -> bool:
    """Whether somebody is signed in still, some seconds later."""
    for _ in range(100):
        if not place.session()["signed_in"]:
            return False
        time.sleep(0.05)
    return True


def test_an_api_that_wants_more_is_answered_with_a_stronger_sign_in(
    oidc_provider: ForeignProvider, notes: SampleApi
) -> None:
    """RFC 9470: the challenge becomes an address for scripts and a redirect for people; afterwards the API is content."""
    two_factors = "urn:example:two-factors"

    def wants_two_factors(sent: Sent) -> Reply:
        if two_factors.encode() in payload_of(sent.token):
            return Reply()
        challenge = f'Bearer error="insufficient_user_authentication", acr_values="{two_factors}"'
        return Reply(401, [("www-authenticate", challenge)])

    notes.reply = wants_two_factors
    apis = {"/api": Api(url=notes.url, resource=RESOURCE)}
    with place_at(oidc_provider) as place, running(place, apis=apis, scope="openid profile notes:read"):
        place.sign_in()
        script = place.script("GET", "/api/notes")
        told = script.json()
        assert (401, "insufficient_user_authentication", two_factors) == (
            script.status_code,
            told["error"],
            told["acr_values"],
        )
        person = place.http.get("/api/notes?q=1")
        query = dict(parse_qsl(urlsplit(person.headers["location"]).query))
        assert (303, {"acr_values": two_factors, "return_to": "/api/notes?q=1"}) == (person.status_code, query)
        login = urlsplit(person.headers["location"])
        ended = place.sign_in(f"?{login.query}")
        assert "/api/notes?q=1" == ended.headers["location"]
        assert 200 == place.http.get("/api/notes?q=1").status_code
        notes.reply = lambda _sent: wants_two_factors(Sent("GET", "/", [("authorization", "Bearer e30.e30.x")], b""))
        assert 401 == place.http.get("/api/notes").status_code, "asked for already, and no circle"


def test_tokens_bound_to_a_key_reach_the_api_with_proof(oidc_provider: ForeignProvider, notes: SampleApi) -> None:
    key = DpopKey.generate()
    apis = {"/api": Api(url=notes.url, resource=RESOURCE)}
    metadata = {"dpop_bound_access_tokens": True, "dpop_nonce_required": True}

    def wants_nonce(sent: Sent) -> Reply:
        if len(notes.sent) == 1:
            return Reply(401, [("dpop-nonce", "n0nce"), ("www-authenticate", 'DPoP error="use_dpop_nonce"')])
        return Reply()

    notes.reply = wants_nonce
    options = {"apis": apis, "dpop_key": key, "scope": "openid profile notes:read"}
    with place_at(oidc_provider, **metadata) as place, running(place, **options):
        place.sign_in()
        assert 200 == place.script("GET", "/api/notes?q=1").status_code
    first, second = notes.sent
    assert (["DPoP"] * 2, 1) == (
        [sent.all("authorization")[0].partition(" ")[0] for sent in notes.sent],
        len(second.all("dpop")),
    )
    assert first.all("dpop") != second.all("dpop")
    assert b'"nonce":"n0nce"' in payload_of(second.all("dpop")[0])


def test_an_answer_that_comes_as_a_form_needs_its_cookie(oidc_provider: ForeignProvider) -> None:
    with place_at(oidc_provider) as place, running(place, response_mode="form_post"):
        begun = place.http.get("/auth/login?return_to=/notes")
        cookie = begun.headers["set-cookie"]
        assert ("SameSite=None" in cookie, "Secure" in cookie) == (True, True)
        form = place.person.visit_for_form(begun.headers["location"])
        without = httpx2.post(form.url, data=form.fields, trust_env=False)
        assert "/auth/login?restarted=1" == without.headers["location"]
        by_address = place.http.get(f"/auth/callback?{httpx2.QueryParams(form.fields)}")
        assert 405 == by_address.status_code
        sent = {"cookie": cookie.partition(";")[0], "origin": oidc_provider.issuer, "sec-fetch-site": "cross-site"}
        ended = httpx2.post(form.url, data=form.fields, headers=sent, trust_env=False)
        assert (303, "/notes") == (ended.status_code, ended.headers["location"])
