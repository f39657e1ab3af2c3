"""The guard in Flask: decorated views, sync and async, and an application that is given later."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Blueprint, Flask

from proofkey.guard import Dpop, Nonces, ResourceServer
from proofkey.guard.flask import Guard, current_access
from tests.guard.bound import BoundClient
from tests.guard.sample_issuer import Clock, SampleIssuer
from tests.listening import bind, listening, url_of


@pytest.fixture(scope="module")
def issuer() -> Iterator[SampleIssuer]:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(sample, listener):
        yield sample


@pytest.fixture
def app(issuer: SampleIssuer) -> Flask:
    guard = Guard(ResourceServer(issuer.issuer, audience="https://api.example", clock=Clock()))
    made = Flask("notes")

    @made.get("/notes/<number>")
    @guard.require("notes:read")
    def read(number: str) -> str:
        return f"{current_access().subject} {number}"

    @made.get("/later")
    @guard.require(acr_values="two-factors", max_age=60)
    async def later() -> str:
        return current_access().subject

    guard.init_app(made)
    return made


def test_a_view_keeps_its_name_and_its_arguments(issuer: SampleIssuer, app: Flask) -> None:
    answer = app.test_client().get("/notes/7", headers={"authorization": f"Bearer {issuer.token()}"})
    assert (200, "alice 7") == (answer.status_code, answer.text)
    assert {"read", "later", "proofkey_metadata"} <= set(app.view_functions)


def test_an_async_view_asks_for_a_second_factor(issuer: SampleIssuer, app: Flask) -> None:
    good = issuer.token(acr="two-factors", auth_time=Clock()() // 1_000)
    answer = app.test_client().get("/later", headers={"authorization": f"Bearer {good}"})
    assert (200, "alice") == (answer.status_code, answer.text)
    refused = app.test_client().get("/later", headers={"authorization": f"Bearer {issuer.token()}"})
    challenge = refused.headers["www-authenticate"]
    assert (401, True) == (refused.status_code, 'error="insufficient_user_authentication"' in challenge)
    assert 'acr_values="two-factors", max_age="60"' in challenge


def test_the_metadata_are_served(app: Flask) -> None:
    answer = app.test_client().get("/.well-known/oauth-protected-resource")
    assert (200, "https://api.example") == (answer.status_code, answer.get_json()["resource"])
    assert ["application/json"] == answer.headers.getlist("content-type")


def test_a_view_that_is_not_guarded_is_told(app: Flask) -> None:
    with app.test_request_context(), pytest.raises(TypeError):
        current_access()


def test_an_ageing_nonce_is_answered_with_the_next_one(issuer: SampleIssuer) -> None:
    nonces = Nonces(b"n" * 32)
    client = BoundClient(issuer, Dpop(nonces=nonces), Clock())
    app, guard = Flask("notes"), Guard(client.server)

    @app.get("/notes")
    @guard.require()
    @guard.require("notes:read")
    def read() -> str:
        return current_access().subject

    nonce = nonces.mint(client.clock.now)
    client.clock.turn(200_000)
    headers = {"authorization": f"DPoP {client.token}", "dpop": client.proof(nonce=nonce)}
    answer = app.test_client().get("/notes", headers=headers)
    assert (200, "alice") == (answer.status_code, answer.text)
    assert [nonces.mint(client.clock.now)] == answer.headers.getlist("dpop-nonce")


WRONG_ORDER = "below the route"


def test_a_guard_above_the_route_stops_the_start(issuer: SampleIssuer) -> None:
    """It would guard nothing: the route has the view that it was given."""
    app = Flask("notes")
    guard = Guard(ResourceServer(issuer.issuer, audience="https://api.example"), app)
    with pytest.raises(TypeError, match=WRONG_ORDER):

        @guard.require("notes:read")
        @app.get("/notes")
        def read() -> str:
            return "open"


def test_a_guard_above_the_route_stops_the_start_of_an_application_that_is_given_later(issuer: SampleIssuer) -> None:
    app, guard = Flask("notes"), Guard(ResourceServer(issuer.issuer, audience="https://api.example"))

    @guard.require("notes:read")
    @app.get("/notes")
    def read() -> str:
        return "open"

    with pytest.raises(TypeError, match=WRONG_ORDER):
        guard.init_app(app)


def test_a_guard_above_a_blueprints_route_lets_nobody_in(issuer: SampleIssuer) -> None:
    app, part = Flask("notes"), Blueprint("part", "part")
    guard = Guard(ResourceServer(issuer.issuer, audience="https://api.example", clock=Clock()), app)

    @guard.require("notes:read")
    @part.get("/notes")
    def read() -> str:
        return "open"

    app.register_blueprint(part)
    assert 500 == app.test_client().get("/notes").status_code
    app.testing = True
    with pytest.raises(TypeError, match=WRONG_ORDER):
        app.test_client().get("/notes", headers={"authorization": f"Bearer {issuer.token()}"})


def test_a_guard_without_parentheses_says_so(issuer: SampleIssuer) -> None:
    guard = Guard(ResourceServer(issuer.issuer, audience="https://api.example"))
    with pytest.raises(TypeError, match=r"parentheses: require\(\)"):

        @guard.require  # type: ignore[arg-type]
        def read() -> str:
            return "open"
