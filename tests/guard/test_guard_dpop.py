"""DPoP at an API, attack by attack (RFC 9449 §11): what a thief of tokens or proofs can try, and what stops him."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from proofkey.client.dpop import DpopKey
from proofkey.guard import Access, Dpop, Guard, MemoryReplay, Nonces, ResourceServer, TokenRejected, require
from proofkey.guard.access import ScopeMissing
from proofkey.guard.nonce import NonceWanted
from proofkey.guard.replay import ReplayUnavailable
from proofkey.guard.request import ApiRequest, TokenMissing
from proofkey.possession import MAX_PROOF
from proofkey.protocol.dpop import ALGORITHMS, ProvenProof
from proofkey.protocol.errors import InvalidDpopProof, InvalidRequest, OAuthError
from proofkey.protocol.records import MINUTE, SECOND
from tests.guard.bound import URL, BoundClient
from tests.guard.sample_issuer import NOON, Clock, SampleIssuer
from tests.listening import bind, listening, url_of
from tests.protocol.refusals import refused

NONCES = Nonces(b"n" * 32)


@pytest.fixture(scope="module")
def issuer() -> Iterator[SampleIssuer]:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(sample, listener):
        yield sample


@pytest.fixture
def client(issuer: SampleIssuer) -> BoundClient:
    return BoundClient(issuer, Dpop(), Clock())


def encoded(part: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def test_the_holder_of_the_key_comes_in(client: BoundClient) -> None:
    assert "alice" == (await client.send(client.proof())).subject
    assert "alice" == (await client.send(client.proof("POST"), method="POST", path="/notes")).subject


async def test_replayed_proof_opens_once(client: BoundClient) -> None:
    proof = client.proof()
    await client.send(proof)
    with refused(InvalidDpopProof, "dpop_replayed"):
        await client.send(proof)


async def test_of_fifty_requests_at_once_with_one_proof_one_comes_in(client: BoundClient) -> None:
    proof = client.proof()
    answers = await asyncio.gather(*(client.send(proof) for _ in range(50)), return_exceptions=True)
    came = Counter(answer.reason if isinstance(answer, OAuthError) else "came in" for answer in answers)  # type: ignore[union-attr]
    assert {"came in": 1, "dpop_replayed": 49} == came


def test_of_fifty_threads_at_once_with_one_proof_one_comes_in(client: BoundClient) -> None:
    request = client.request(client.proof())

    def call(_: int) -> str:
        try:
            return client.server.admit_blocking(request).subject
        except OAuthError as refusal:
            return refusal.reason

    with ThreadPoolExecutor(50) as threads:
        assert {"alice": 1, "dpop_replayed": 49} == Counter(threads.map(call, range(50)))


async def test_a_replay_is_still_known_when_the_proof_is_almost_too_old(client: BoundClient) -> None:
    proof = client.proof(now=NOON + 29 * SECOND)
    await client.send(proof)
    client.clock.turn(29 * SECOND + 90 * SECOND - 1)
    with refused(InvalidDpopProof, "dpop_replayed"):
        await client.send(proof)
    client.clock.turn(1)
    with refused(InvalidDpopProof, "dpop_too_old"):
        await client.send(proof)


async def test_stolen_token_without_the_key_opens_nothing(client: BoundClient) -> None:
    thief = DpopKey.generate()
    with refused(TokenRejected, "dpop_key_differs"):
        await client.send(client.proof(key=thief))
    with refused(InvalidDpopProof, "dpop_proof_missing"):
        await client.send()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_bound_token_sent_as_bearer_opens_nothing(client: BoundClient, scheme: str) -> None:
    with refused(TokenRejected, "access_token_scheme_differs"):
        await client.send(scheme=scheme)
    with refused(TokenRejected, "access_token_scheme_differs"):
        await client.send(client.proof(), scheme=scheme)


async def test_a_bound_token_opens_nothing_where_dpop_is_not_spoken(issuer: SampleIssuer, client: BoundClient) -> None:
    server = ResourceServer(issuer.issuer, audience="https://api.example", clock=client.clock)
    with refused(TokenRejected, "access_token_binding_unknown"):
        await server.admit(client.request(client.proof(), scheme="Bearer"))
    with refused(TokenMissing, "access_token_missing"):
        await server.admit(client.request(client.proof()))


async def test_a_token_without_a_key_opens_nothing_as_dpop(issuer: SampleIssuer, client: BoundClient) -> None:
    token = issuer.token()
    with refused(TokenRejected, "access_token_unbound"):
        await client.send(client.proof(access_token=token), token=token)


async def test_a_token_without_a_key_opens_as_bearer_unless_keys_are_required(issuer: SampleIssuer) -> None:
    lenient = BoundClient(issuer, Dpop(), Clock())
    assert "alice" == (await lenient.send(scheme="Bearer", token=issuer.token())).subject
    strict = BoundClient(issuer, Dpop(required=True), Clock())
    with refused(TokenMissing, "access_token_missing") as caught:
        await strict.send(scheme="Bearer", token=issuer.token())
    assert isinstance(caught.value, TokenMissing)
    assert strict.answer(caught.value, strict.request(scheme="Bearer"))[1]["www-authenticate"].startswith("DPoP ")


async def test_a_proof_for_another_method_url_or_token_opens_nothing(issuer: SampleIssuer, client: BoundClient) -> None:
    with refused(InvalidDpopProof, "dpop_method_differs"):
        await client.send(client.proof("GET"), method="DELETE")
    with refused(InvalidDpopProof, "dpop_url_differs"):
        await client.send(client.proof(), path="/notes/1")
    with refused(InvalidDpopProof, "dpop_url_differs"):
        await client.send(client.proof(url="https://other.example/notes"))
    with refused(InvalidDpopProof, "dpop_token_differs"):
        await client.send(client.proof(), token=issuer.token(cnf={"jkt": client.key.jkt}, jti="2"))
    with refused(InvalidDpopProof, "dpop_token_differs"):
        await client.send(client.proof(access_token=None))


@pytest.mark.parametrize("host", ["evil.example", "api.example:8443", "other.example"])
async def test_host_header_believed_for_no_proof(client: BoundClient, host: str) -> None:
    request = client.request(client.proof(url=f"https://{host}/notes"))
    forged = ApiRequest(request.method, request.url, [*request.headers, (b"host", host.encode())])
    with refused(InvalidDpopProof, "dpop_url_differs"):
        await client.server.admit(forged)


@pytest.mark.parametrize(
    ("htu", "path", "comes_in"),
    [
        ("https://api.example:443/notes", "/notes", True),
        ("HTTPS://API.EXAMPLE/notes", "/notes", True),
        ("https://api.example/n%6ftes", "/notes", True),
        ("https://api.example/a%2fb", "/a%2Fb", True),
        ("https://api.example/a%2Fb", "/a/b", False),
        ("https://api.example/notes/", "/notes", False),
        ("https://api.example/notes", "/notes/", False),
        ("https://api.example/Notes", "/notes", False),
        ("https://api.example/x/../notes", "/notes", False),
        ("https://api.example/notes", "/x/../notes", False),
        ("https://api.example/notes", "//notes", False),
        ("https://api.example@evil.example/notes", "/notes", False),
        ("https://api.example:444/notes", "/notes", False),
        ("http://api.example/notes", "/notes", False),
    ],
)
async def test_addresses_that_look_alike(client: BoundClient, htu: str, path: str, comes_in: bool) -> None:
    if comes_in:
        assert "alice" == (await client.send(client.proof(url=htu), path=path)).subject
    else:
        with refused(InvalidDpopProof, "dpop_url_differs"):
            await client.send(client.proof(url=htu), path=path)


async def test_a_proof_that_shows_the_private_key_opens_nothing(client: BoundClient) -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": {**client.key.public_jwk, "d": "A" * 43}}
    with refused(InvalidDpopProof, "dpop_key_private"):
        await client.send(f"{encoded(header)}.{encoded({'jti': '1'})}.{'A' * 86}")


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "HS512", "ES256K", "RS1", "", None, ["ES256"]])
async def test_a_proof_with_alg_none_or_a_symmetric_one_opens_nothing(client: BoundClient, alg: Any) -> None:
    header = {"typ": "dpop+jwt", "alg": alg, "jwk": client.key.public_jwk}
    for signature in ("", "A" * 43, client.proof().rpartition(".")[2]):
        with pytest.raises(InvalidDpopProof):
            await client.send(f"{encoded(header)}.{encoded({'jti': '1'})}.{signature}")


async def test_an_oversized_proof_opens_nothing(client: BoundClient) -> None:
    with refused(InvalidDpopProof, "dpop_proof_too_long"):
        await client.send(client.proof(nonce="n" * MAX_PROOF))
    with refused(InvalidDpopProof, "dpop_claims_malformed"):
        await client.send(client.proof(jti="j" * 257))


async def test_old_and_future_proofs_open_nothing(client: BoundClient) -> None:
    with refused(InvalidDpopProof, "dpop_too_old"):
        await client.send(client.proof(now=NOON - 90 * SECOND))
    with refused(InvalidDpopProof, "dpop_from_the_future"):
        await client.send(client.proof(now=NOON + 31 * SECOND))


async def test_headers_sent_twice_open_nothing(client: BoundClient) -> None:
    with refused(InvalidDpopProof, "dpop_proof_repeated"):
        await client.send(client.proof(), client.proof())
    with refused(InvalidDpopProof, "dpop_proof_malformed"):
        await client.send(f"{client.proof()}, {client.proof()}")
    request = client.request(client.proof())
    doubled = ApiRequest(request.method, request.url, [*request.headers, request.headers[0]])
    with refused(InvalidRequest, "authorization_repeated"):
        await client.server.admit(doubled)


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP", "dPoP"])
async def test_the_scheme_has_no_case_and_keeps_its_meaning(client: BoundClient, scheme: str) -> None:
    assert "alice" == (await client.send(client.proof(), scheme=scheme)).subject


@pytest.mark.parametrize("scheme", ["DPoPx", "DP0P", "Bearer DPoP", "DPoP,", "Basic"])
async def test_what_is_almost_the_scheme_is_none(client: BoundClient, scheme: str) -> None:
    with pytest.raises(TokenMissing if not scheme.startswith("Bearer ") else InvalidRequest):
        await client.send(client.proof(), scheme=scheme)


async def test_refused_requests_spend_no_proof(client: BoundClient) -> None:
    proof = client.proof()
    request = client.request(proof)
    for _ in range(3):
        with refused(InvalidDpopProof, "dpop_method_differs"):
            await client.send(proof, method="PUT")
        with refused(ScopeMissing, "scope_missing"):
            await client.server.admit(request, require("notes:write"))
    assert "alice" == (await client.send(proof)).subject


async def test_a_malformed_confirmation_is_not_ignored(issuer: SampleIssuer, client: BoundClient) -> None:
    cases: list[tuple[Any, str]] = [
        ({}, "access_token_confirmation_malformed"),
        ([], "access_token_confirmation_malformed"),
        ("jkt", "access_token_confirmation_malformed"),
        ({"jkt": 7}, "access_token_binding_unknown"),
        ({"jkt": client.key.jkt, "kid": "1"}, "access_token_binding_unknown"),
        ({"x5t#S256": "A" * 43}, "access_token_binding_unknown"),
    ]
    for confirmed, reason in cases:
        token = issuer.token(cnf=confirmed)
        with refused(TokenRejected, reason):
            await client.send(client.proof(access_token=token), token=token)


async def test_the_challenge_names_the_algorithms_beside_bearer(client: BoundClient) -> None:
    with refused(TokenMissing, "access_token_missing") as caught:
        await client.server.admit(ApiRequest("GET", URL, []))
    assert isinstance(caught.value, OAuthError)
    status, headers = client.answer(caught.value, ApiRequest("GET", URL, []))
    assert 401 == status
    assert headers["www-authenticate"].startswith('Bearer realm="https://api.example"')
    assert f'algs="{" ".join(ALGORITHMS)}"' in headers["www-authenticate"].partition(", DPoP ")[2]


async def test_a_refused_proof_is_told_in_a_dpop_challenge(client: BoundClient) -> None:
    request = client.request()
    with refused(InvalidDpopProof, "dpop_proof_missing") as caught:
        await client.server.admit(request)
    assert isinstance(caught.value, OAuthError)
    status, headers = client.answer(caught.value, request)
    assert 401 == status
    assert headers["www-authenticate"].startswith('DPoP realm="https://api.example", error="invalid_dpop_proof"')


async def test_the_metadata_say_that_dpop_is_spoken(client: BoundClient) -> None:
    metadata = json.loads(client.server.metadata().body)
    assert (list(ALGORITHMS), False) == (
        metadata["dpop_signing_alg_values_supported"],
        metadata["dpop_bound_access_tokens_required"],
    )


# Nonces (RFC 9449 §8, §9)


async def nonce_of(client: BoundClient) -> str:
    """The nonce that the API gives to a request without one."""
    request = client.request(client.proof())
    with refused(NonceWanted, "dpop_nonce_missing") as caught:
        await client.server.admit(request)
    assert isinstance(caught.value, OAuthError)
    status, headers = client.answer(caught.value, request)
    assert (401, True) == (status, 'error="use_dpop_nonce"' in headers["www-authenticate"])
    return headers["dpop-nonce"]


async def test_a_proof_without_the_nonce_is_told_one(issuer: SampleIssuer) -> None:
    client = BoundClient(issuer, Dpop(nonces=NONCES), Clock())
    nonce = await nonce_of(client)
    assert "alice" == (await client.send(client.proof(nonce=nonce))).subject
    assert "alice" == (await client.send(client.proof(nonce=nonce))).subject


async def test_a_nonce_cannot_be_left_out_once_it_was_asked_for(issuer: SampleIssuer) -> None:
    client = BoundClient(issuer, Dpop(nonces=NONCES), Clock())
    await client.send(client.proof(nonce=await nonce_of(client)))
    with refused(NonceWanted, "dpop_nonce_missing"):
        await client.send(client.proof())
    with refused(InvalidDpopProof, "dpop_claims_malformed"):
        await client.send(client.proof(nonce=""))


async def test_a_nonce_is_good_for_its_time_and_under_its_key(issuer: SampleIssuer) -> None:
    client = BoundClient(issuer, Dpop(nonces=NONCES), Clock())
    nonce = await nonce_of(client)
    client.clock.turn(5 * MINUTE - 1)
    assert NONCES.holds(nonce, client.clock.now)
    client.clock.turn(1)
    assert not NONCES.holds(nonce, client.clock.now)
    client.clock.now = NOON
    forged = [Nonces(b"m" * 32).mint(NOON), nonce[:-1], nonce + "A", nonce + "=", "A" * 30, "é", "x"]
    for other in forged:
        with refused(NonceWanted, "dpop_nonce_stale"):
            await client.send(client.proof(nonce=other))


def test_a_nonce_from_far_ahead_is_none() -> None:
    assert not NONCES.holds(NONCES.mint(NOON + 6 * MINUTE), NOON)


def test_a_key_for_nonces_is_long() -> None:
    with pytest.raises(ValueError):
        Nonces(b"short")


# What is kept of proofs, and how much of it


async def test_one_persons_requests_fill_a_share_and_lock_nobody_else_out(issuer: SampleIssuer) -> None:
    replay = MemoryReplay(capacity=1_000, share=5)
    flood, other = (BoundClient(issuer, Dpop(replay), Clock()) for _ in range(2))
    other.token = issuer.token(cnf={"jkt": other.key.jkt}, sub="bob")
    for number in range(5):
        await flood.send(flood.proof())
        flood.key = DpopKey.generate()  # a new key for each request, as one account can have
        flood.token = issuer.token(cnf={"jkt": flood.key.jkt}, jti=str(number))
    with refused(ReplayUnavailable, "dpop_replay_share_full") as caught:
        await flood.send(flood.proof())
    assert isinstance(caught.value, OAuthError)
    assert "bob" == (await other.send(other.proof())).subject
    status, headers = flood.answer(caught.value, flood.request())
    assert (503, "1") == (status, headers["retry-after"])


def test_whoever_names_no_store_is_told_that_processes_share_none(caplog: pytest.LogCaptureFixture) -> None:
    Dpop(MemoryReplay())
    assert [] == caplog.messages
    Dpop()
    assert 1 == len(caplog.messages)


def spent(replay: MemoryReplay, owner: str, jti: str) -> bool:
    """Whether a proof of *owner* was taken."""
    try:
        next(replay.spend(ProvenProof("key", jti, NOON, None), owner=owner, until=NOON + 90_000, now=NOON))
    except StopIteration:
        return True
    except ReplayUnavailable:
        return False
    raise AssertionError("memory does not wait")


def test_a_hundred_accounts_in_one_hand_leave_everybody_else_room() -> None:
    replay = MemoryReplay(capacity=10_000, share=1_000)
    for account in range(100):
        for number in range(1_001):
            if not spent(replay, f"mallory{account}", f"{account} {number}"):
                break
    assert pytest.approx(10_000 / (1 + 100 * 1_000 / 10_000), abs=60) == 10_000 - len(replay)
    came = [spent(replay, f"person {person}", f"p{person} {number}") for person in range(20) for number in range(5)]
    assert [True] * 100 == came


async def test_a_full_store_lets_nobody_in_until_proofs_end(issuer: SampleIssuer) -> None:
    clock = Clock()
    replay = MemoryReplay(capacity=3, share=1_000, steady=clock)
    client = BoundClient(issuer, Dpop(replay), clock)
    for _ in range(3):
        await client.send(client.proof())
    with refused(ReplayUnavailable, "dpop_replay_full"):
        await client.send(client.proof())
    client.clock.turn(91 * SECOND)
    assert "alice" == (await client.send(client.proof())).subject
    assert 1 == len(replay)


async def test_what_has_ended_is_forgotten(issuer: SampleIssuer) -> None:
    clock = Clock()
    replay = MemoryReplay(steady=clock)
    client = BoundClient(issuer, Dpop(replay), clock)
    for _ in range(200):
        await client.send(client.proof())
        client.clock.turn(SECOND)
    assert 91 == len(replay)
    assert {"alice"} == {owner.rpartition(" ")[2] for owner in replay._owned}


@pytest.mark.parametrize("jump", [100 * SECOND, 24 * 60 * MINUTE, -100 * SECOND, -24 * 60 * MINUTE])
async def test_a_clock_that_jumps_and_comes_back_opens_no_spent_proof_again(issuer: SampleIssuer, jump: int) -> None:
    client = BoundClient(issuer, Dpop(MemoryReplay()), Clock())
    spent_proof = client.proof()
    await client.send(spent_proof)
    client.clock.turn(jump)
    client.token, kept = issuer.token(cnf={"jkt": client.key.jkt}, iat=0, exp=NOON // SECOND + 10**6), client.token
    await client.send(client.proof())
    client.clock.turn(-jump)
    client.token = kept
    with refused(InvalidDpopProof, "dpop_replayed"):
        await client.send(spent_proof)


async def test_a_clock_that_was_put_back_for_long_opens_no_spent_proof_again(issuer: SampleIssuer) -> None:
    """The proof's moment comes a second time."""
    steady = Clock()
    client = BoundClient(issuer, Dpop(MemoryReplay(steady=steady)), Clock())
    spent_proof = client.proof()
    await client.send(spent_proof)
    for clock, turned in ((client.clock, -10 * MINUTE), (client.clock, 10 * MINUTE), (steady, 10 * MINUTE)):
        clock.turn(turned)
    with refused(InvalidDpopProof, "dpop_replayed"):
        await client.send(spent_proof)


def test_access_says_who_holds_the_key(client: BoundClient) -> None:
    access = client.server.admit_blocking(client.request(client.proof()))
    assert isinstance(access, Access)
    assert {"jkt": client.key.jkt} == access.claims["cnf"]


async def call_asgi(app: Any, client: BoundClient, nonce: str) -> dict[str, str]:
    """The headers of the answer to a good request."""
    proof = client.proof(nonce=nonce)
    headers = [(b"authorization", f"DPoP {client.token}".encode()), (b"dpop", proof.encode())]
    answered: list[Any] = []

    async def send(message: Any) -> None:
        answered.append(message)

    await app({"type": "http", "method": "GET", "path": "/notes", "headers": headers}, send, send)
    assert 204 == answered[0]["status"]
    told = [(name.decode(), value.decode()) for name, value in answered[0]["headers"]]
    assert len(told) == len(dict(told))
    return dict(told)


async def test_an_ageing_nonce_is_answered_with_the_next_one(issuer: SampleIssuer) -> None:
    async def let_in(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": [(b"x-own", b"kept")]})
        await send({"type": "http.response.body"})

    client = BoundClient(issuer, Dpop(nonces=NONCES), Clock())
    guarded, nonce = Guard(Guard(let_in, client.server), client.server), NONCES.mint(NOON)
    assert {"x-own": "kept"} == await call_asgi(guarded, client, nonce)
    client.clock.turn(5 * MINUTE // 2 - 1)
    assert {"x-own": "kept"} == await call_asgi(guarded, client, nonce)
    client.clock.turn(1)
    assert {"x-own": "kept", "dpop-nonce": NONCES.mint(client.clock.now)} == await call_asgi(guarded, client, nonce)
