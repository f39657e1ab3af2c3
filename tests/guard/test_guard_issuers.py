"""Which issuers an API trusts, each judged by its own keys and its own rules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from proofkey import jose
from proofkey.guard import (
    Introspection,
    IssuerUnavailable,
    ResourceServer,
    ScopeMissing,
    TokenRejected,
    TrustedIssuer,
    require,
)
from proofkey.guard.fetched import COOL_DOWN_FOR
from proofkey.protocol.base64url import encode_base64url
from proofkey.protocol.records import SECOND
from tests.guard.asking import AUDIENCE, asking, issuers
from tests.guard.sample_issuer import KEY, NOON, OTHER_KEY, RSA_KEY, Clock, SampleIssuer
from tests.listening import bind, listening, url_of
from tests.protocol.refusals import refused

NOON_S = NOON // SECOND


@pytest.fixture
def two() -> Iterator[tuple[SampleIssuer, SampleIssuer]]:
    """Two issuers with different keys."""
    with issuers(2) as (first, second):
        first.keys, second.keys = [KEY], [OTHER_KEY, RSA_KEY]
        yield first, second


@pytest.fixture
def issuer() -> Iterator[SampleIssuer]:
    with issuers() as (only,):
        yield only


async def test_each_of_several_issuers_opens_with_its_own_keys(two: tuple[SampleIssuer, SampleIssuer]) -> None:
    first, second = two
    server = ResourceServer([first.issuer, second.issuer], audience=AUDIENCE, clock=Clock())
    for issuer, key in ((first, KEY), (second, OTHER_KEY), (second, RSA_KEY)):
        access = await server.admit(asking(issuer.token(key)))
        assert (issuer.issuer, "alice") == (access.issuer, access.subject)


async def test_no_issuer_vouches_for_tokens_of_another(two: tuple[SampleIssuer, SampleIssuer]) -> None:
    """Signed by a key that is trusted, though not for this issuer; under its own kid, and under the other's."""
    first, second = two
    server = ResourceServer([first.issuer, second.issuer], audience=AUDIENCE, clock=Clock())
    with refused(TokenRejected, "access_token_key_unknown"):
        await server.admit(asking(first.token(OTHER_KEY)))
    second.keys = [OTHER_KEY]
    disguised = jose.SigningKey(jose.generate_key("ES256"), "ES256")
    disguised.kid = KEY.kid
    with refused(TokenRejected, "access_token_forged"):
        await server.admit(asking(first.token(disguised)))


async def test_the_unverified_issuer_only_looks_up(two: tuple[SampleIssuer, SampleIssuer]) -> None:
    first, stranger = two
    server = ResourceServer(first.issuer, audience=AUDIENCE, clock=Clock())
    for iss in (stranger.issuer, f"{first.issuer}/", first.issuer.upper(), None, 7, [first.issuer], {}):
        with refused(TokenRejected, "access_token_issuer_unknown"):
            await server.admit(asking(first.token(iss=iss)))
    assert (0, 0) == (first.fetches(), stranger.fetches())


async def test_one_issuer_away_does_not_keep_out_the_others(two: tuple[SampleIssuer, SampleIssuer]) -> None:
    first, second = two
    first.metadata = {}
    server = ResourceServer([first.issuer, second.issuer], audience=AUDIENCE, clock=Clock())
    with pytest.raises(Exception, match="issuer_unavailable"):
        await server.admit(asking(first.token()))
    assert "alice" == (await server.admit(asking(second.token(OTHER_KEY)))).subject


@pytest.mark.parametrize("given", [[], [""], ["https://a.example", "https://a.example"], ["http://a.example"]])
def test_issuers_that_cannot_be_told_apart_or_trusted_stop_the_start(given: list[str]) -> None:
    with pytest.raises(ValueError, match="issuer"):
        ResourceServer(given, audience=AUDIENCE)


async def test_algorithms_are_pinned_for_each_issuer(issuer: SampleIssuer) -> None:
    only = TrustedIssuer(issuer.issuer, algorithms=["ES256"])
    server = ResourceServer(only, audience=AUDIENCE, clock=Clock())
    assert "alice" == (await server.admit(asking(issuer.token(KEY)))).subject
    with refused(TokenRejected, "access_token_algorithm"):
        await server.admit(asking(issuer.token(RSA_KEY)))


@pytest.mark.parametrize("algorithms", [[], ["HS256"], ["none"], ["ES256", "HS256"], ["es256"]])
def test_only_asymmetric_algorithms_can_be_configured(algorithms: list[str]) -> None:
    with pytest.raises(ValueError, match="algorithms"):
        TrustedIssuer("https://issuer.example", algorithms=algorithms)


# --- issuers that do not mark their access tokens -------------------------------------------------------------------


async def test_a_token_of_typ_jwt_opens_where_that_was_said(issuer: SampleIssuer) -> None:
    server = ResourceServer(TrustedIssuer(issuer.issuer, typ="JWT"), audience=AUDIENCE, clock=Clock())
    for typ in ("JWT", "at+jwt", "application/at+jwt"):
        assert "alice" == (await server.admit(asking(issuer.token(typ=typ)))).subject
    with refused(TokenRejected, "access_token_type"):
        await server.admit(asking(issuer.token(typ="logout+jwt")))
    with refused(TokenRejected, "access_token_type"):
        await server.admit(asking(issuer.token(typ="dpop+jwt")))


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "n"},
        {"at_hash": "h"},
        {"c_hash": "h"},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"client_id": AUDIENCE},
        {"azp": AUDIENCE},
        {"aud": [AUDIENCE, "spa"], "azp": "spa"},
    ],
)
async def test_an_id_token_of_such_an_issuer_does_not_open(issuer: SampleIssuer, changed: dict[str, Any]) -> None:
    """Even where its audience is the API's: a back end and an API under one client id."""
    server = ResourceServer(TrustedIssuer(issuer.issuer, typ="JWT"), audience=AUDIENCE, clock=Clock())
    with refused(TokenRejected, "access_token_is_another_token"):
        await server.admit(asking(KEY.sign("JWT", issuer.claims(**changed))))


@pytest.mark.parametrize("changed", [{"typ": "ID"}, {"typ": "Refresh"}, {"token_use": "id"}, {"token_use": "refresh"}])
async def test_what_the_issuer_calls_another_token_does_not_open(issuer: SampleIssuer, changed: dict[str, Any]) -> None:
    server = ResourceServer(TrustedIssuer(issuer.issuer, typ="JWT"), audience=AUDIENCE, clock=Clock())
    with refused(TokenRejected, "access_token_has_another_use"):
        await server.admit(asking(KEY.sign("JWT", issuer.claims(**changed))))


@pytest.mark.parametrize(
    "changed", [{"typ": "Bearer", "azp": "spa"}, {"typ": "DPoP"}, {"token_use": "access"}, {"azp": "spa"}]
)
async def test_what_such_issuers_add_to_access_tokens_does_no_harm(
    issuer: SampleIssuer, changed: dict[str, Any]
) -> None:
    server = ResourceServer(TrustedIssuer(issuer.issuer, typ="JWT"), audience=AUDIENCE, clock=Clock())
    assert "spa" == (await server.admit(asking(KEY.sign("JWT", issuer.claims(**changed))))).client_id


def test_typ_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="typ"):
        TrustedIssuer("https://issuer.example", typ="logout+jwt")  # type: ignore[arg-type]


# --- many strange tokens --------------------------------------------------------------------------------------------


async def test_a_hundred_thousand_unknown_keys_make_one_fetch_in_each_cool_down(issuer: SampleIssuer) -> None:
    clock = Clock()
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=clock)
    await server.admit(asking(issuer.token()))
    _, payload, signature = issuer.token().split(".")
    fetches = []
    for number in range(100_000):
        if number % 20_000 == 0:
            clock.turn(COOL_DOWN_FOR)
            fetches.append(issuer.fetches())
        header = encode_base64url(b'{"alg":"ES256","typ":"at+jwt","kid":"%d"}' % number)
        with refused(TokenRejected, "access_token_key_unknown"):
            await server.admit(asking(f"{header}.{payload}.{signature}"))
    assert [1, 2, 3, 4, 5] == fetches
    assert 6 == issuer.fetches()
    assert jose._kept_header.cache_info().currsize <= 256


async def test_within_a_cool_down_an_unknown_key_is_refused_without_waiting_for_anything(issuer: SampleIssuer) -> None:
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=Clock())
    await server.admit(asking(issuer.token()))
    with refused(TokenRejected, "access_token_key_unknown"):
        next(server.admission(asking(issuer.token(OTHER_KEY)), require()))


async def test_prefetching_spares_the_first_request_the_wait(two: tuple[SampleIssuer, SampleIssuer]) -> None:
    first, second = two
    server = ResourceServer([first.issuer, second.issuer], audience=AUDIENCE, clock=Clock())
    await server.prefetch()
    await asyncio.gather(*(server.admit(asking(first.token())) for _ in range(10)))
    assert (1, 1) == (first.fetches(), second.fetches())


# --- how lately, and how, the person signed in ----------------------------------------------------------------------


async def test_a_route_may_ask_for_a_way_and_a_time_of_signing_in(issuer: SampleIssuer) -> None:
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=Clock())
    asked = require("notes:read", acr_values="urn:gold urn:silver", max_age=60)
    token = issuer.token(acr="urn:silver", auth_time=NOON_S - 60)
    assert "alice" == (await server.admit(asking(token), asked)).subject


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"acr": "urn:bronze"}, "authentication_class_insufficient"),
        ({"acr": None}, "authentication_class_insufficient"),
        ({"acr": ["urn:gold"]}, "authentication_class_insufficient"),
        ({"auth_time": NOON_S - 91}, "authentication_too_old"),
        ({"auth_time": None}, "authentication_too_old"),
        ({"auth_time": str(NOON_S)}, "authentication_too_old"),
        ({"auth_time": True}, "authentication_too_old"),
    ],
)
async def test_a_sign_in_that_does_not_do_is_answered_with_what_would(
    issuer: SampleIssuer, changed: dict[str, Any], reason: str
) -> None:
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=Clock())
    asked = require("notes:read", acr_values=["urn:gold"], max_age=60)
    request = asking(issuer.token(**{"acr": "urn:gold", "auth_time": NOON_S, **changed}))
    with refused(TokenRejected, reason) as caught:
        await server.admit(request, asked)
    answer = server.challenge(caught.value, request, asked)
    expected = (
        'Bearer realm="https://api.example", error="insufficient_user_authentication", '
        f'error_description="{caught.value.error_description}", acr_values="urn:gold", max_age="60", '
        'scope="notes:read", resource_metadata="https://api.example/.well-known/oauth-protected-resource"'
    )
    assert (401, expected) == (answer.status, dict(answer.headers)["www-authenticate"])


async def test_a_missing_scope_is_told_before_the_sign_in_is_looked_at(issuer: SampleIssuer) -> None:
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=Clock())
    with refused(ScopeMissing, "scope_missing"):
        await server.admit(asking(issuer.token()), require("notes:write", max_age=0))


@pytest.mark.parametrize(
    "wrong", [{"scopes": 'a"b'}, {"scopes": [""]}, {"scopes": ["a b"]}, {"acr_values": "é"}, {"max_age": -1}]
)
def test_a_requirement_that_no_challenge_can_tell_stops_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"max_age|ASCII"):
        require(**wrong)


async def test_an_issuer_that_sends_on_to_another_address_is_not_followed(issuer: SampleIssuer) -> None:
    """Not for its metadata, nor with this API's secret."""
    moved = bind()

    async def send_on(scope: Any, _receive: Any, send: Any) -> None:
        to = (b"location", f"{issuer.issuer.removesuffix('/acme/main')}{scope['path']}".encode())
        await send({"type": "http.response.start", "status": 307, "headers": [to]})
        await send({"type": "http.response.body", "body": b""})

    issuer.metadata["issuer"] = f"{url_of(moved)}/acme/main"
    issuer.metadata["introspection_endpoint"] = f"{url_of(moved)}/acme/main/introspect"
    token = KEY.sign("at+jwt", issuer.claims(iss=issuer.metadata["issuer"]))
    with listening(send_on, moved):
        trusted = TrustedIssuer(issuer.metadata["issuer"], introspection=Introspection("api", "secret"))
        server = ResourceServer(trusted, audience=AUDIENCE, clock=Clock())
        for sent in (token, "opaque"):
            with pytest.raises(IssuerUnavailable):
                await server.admit(asking(sent))
    assert 0 == issuer.asked.total()


# --- keys the token is bound to -------------------------------------------------------------------------------------


async def test_a_bound_token_is_worth_nothing_to_a_guard_that_checks_no_proof(issuer: SampleIssuer) -> None:
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=Clock())
    with refused(TokenRejected, "access_token_binding_unknown"):
        await server.admit(asking(issuer.token(cnf={"jkt": "x"})))
    for cnf in ({}, [], "jkt", True):
        with refused(TokenRejected, "access_token_confirmation_malformed"):
            await server.admit(asking(issuer.token(cnf=cnf)))


async def test_what_is_asked_of_an_issuer_on_this_machine_goes_to_no_proxy(
    issuer: SampleIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its keys nor, with this API's secret, what it knows of a token."""
    proxy = bind()
    proxy.listen()
    proxy.setblocking(False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, url_of(proxy))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    issuer.known["opaque"] = {"active": True, **issuer.claims()}
    asked = TrustedIssuer(issuer.issuer, introspection=Introspection("api", "secret"))
    server = ResourceServer(asked, audience=AUDIENCE, clock=Clock())
    subjects = [(await server.admit(asking(token))).subject for token in (issuer.token(), "opaque")]
    with proxy, pytest.raises(BlockingIOError):
        proxy.accept()
    assert ["alice", "alice"] == subjects


async def test_what_one_api_admitted_opens_no_other() -> None:
    """Two guards of two APIs around one request: each judges the token itself."""
    with issuers() as (issuer,):
        one, other = (ResourceServer(issuer.issuer, audience=each, clock=Clock()) for each in (AUDIENCE, "other"))
        request = replace(asking(issuer.token()), admitted={})
        assert "alice" == (await one.admit(request)).subject
        with refused(TokenRejected, "access_token_audience_differs"):
            await other.admit(request)
        assert "alice" == (await one.admit(request)).subject
