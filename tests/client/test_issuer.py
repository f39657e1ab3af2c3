"""The conversations of a client with its issuer: with scripted answers, and with a real one by both kinds of network."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from proofkey.client.conversation import Conversation, Done, advance
from proofkey.client.dpop import DpopKey
from proofkey.client.http import AsyncNetwork, Network
from proofkey.client.id_token import IdTokenRefused
from proofkey.client.issuer import Issuer
from proofkey.client.messages import (
    Claims,
    HttpRequest,
    HttpResponse,
    NoAnswer,
    Registration,
    ResponseRefused,
    ServerRefused,
)
from proofkey.client.protocol import PendingLogin, Tokens, read_callback, read_form_post, read_tokens
from proofkey.jose import SigningKey, generate_key, jwk_set, left_half_hash
from proofkey.protocol.base64url import decode_base64url, encode_base64url
from tests.dev_server import DevServer
from tests.listening import bind, listening
from tests.protocol.refusals import refused
from tests.visitor import sign_in

Answer = TypeVar("Answer")
NOON = 1_790_000_000_000
HOME = "https://issuer.example"
REGISTRATION = Registration("client", "http://127.0.0.1:9000/callback")
KEY = SigningKey(generate_key("ES256"), "ES256")
METADATA = {
    "issuer": HOME,
    "authorization_endpoint": f"{HOME}/authorize",
    "token_endpoint": f"{HOME}/token",
    "jwks_uri": f"{HOME}/jwks",
    "code_challenge_methods_supported": ["S256"],
}


class Script:
    """A server that answers each path with what the test says, and remembers what it was asked."""

    def __init__(self, **answers: object) -> None:
        self.answers: dict[str, object] = {
            "/.well-known/openid-configuration": METADATA,
            "/jwks": jwk_set([KEY]),
            **{f"/{path}": answer for path, answer in answers.items()},
        }
        self.asked: list[str] = []
        self.bodies: list[bytes] = []

    def run(self, conversation: Conversation[Answer]) -> Answer:
        step = advance(conversation, None)
        while not isinstance(step, Done):
            step = advance(conversation, self.answer(step))
        return step.answer

    def answer(self, request: HttpRequest) -> HttpResponse | ResponseRefused:
        path = request.url.removeprefix(HOME)
        self.asked.append(path)
        self.bodies.append(request.body)
        found = self.answers.get(path)
        if isinstance(found, ResponseRefused):
            return found
        if isinstance(found, bytes):
            return HttpResponse(200, {"content-type": "application/jwt;charset=utf-8"}, found)
        return HttpResponse(404 if found is None else 200, {}, json.dumps(found).encode())


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


def pending_of(script: Script, issuer: Issuer, scope: str = "openid") -> PendingLogin:
    return script.run(issuer.begin(scope=scope))


def id_token(pending: PendingLogin, key: SigningKey = KEY, typ_header: str = "JWT", **changed: object) -> str:
    claims = {"iss": HOME, "aud": "client", "sub": "alice", "nonce": pending.nonce}
    times = {"iat": NOON // 1000, "exp": NOON // 1000 + 300}
    return key.sign(typ_header, {**claims, **times, **changed})


def answer_of(**members: object) -> dict[str, object]:
    return {"access_token": "the-access-token", "token_type": "Bearer", "expires_in": 300, **members}


def redeem(script: Script, issuer: Issuer, pending: PendingLogin) -> Callable[[], object]:
    callback = read_callback(f"{REGISTRATION.redirect_uri}?code=c&state={pending.state}", pending)
    return lambda: script.run(issuer.redeem(callback))


def test_metadata_and_keys_are_asked_for_once_in_ten_minutes() -> None:
    clock, script = Clock(), Script()
    issuer = Issuer(HOME, REGISTRATION, clock=clock)
    for _ in range(3):
        pending = pending_of(script, issuer)
        script.answers["/token"] = answer_of(id_token=id_token(pending))
        redeem(script, issuer, pending)()
    assert 1 == script.asked.count("/.well-known/openid-configuration")
    assert 1 == script.asked.count("/jwks")
    clock.now += 11 * 60_000
    pending_of(script, issuer)
    assert 2 == script.asked.count("/.well-known/openid-configuration")


def test_what_one_document_leaves_out_is_read_from_the_other() -> None:
    """django-oauth-toolkit names userinfo in one alone, and revocation in the other."""
    plain = {**METADATA, "revocation_endpoint": f"{HOME}/revoke"}
    openid = {**METADATA, "userinfo_endpoint": f"{HOME}/userinfo", "token_endpoint": f"{HOME}/another"}
    documents = {".well-known/oauth-authorization-server": plain, ".well-known/openid-configuration": openid}
    metadata = Script(**documents).run(Issuer(HOME, REGISTRATION).discover())
    assert (f"{HOME}/revoke", f"{HOME}/userinfo") == (metadata.revocation_endpoint, metadata.userinfo_endpoint)
    assert f"{HOME}/token" == metadata.token_endpoint


def test_one_whole_document_is_enough() -> None:
    names = ("userinfo_endpoint", "end_session_endpoint", "revocation_endpoint")
    whole = METADATA | {name: f"{HOME}/{name}" for name in names}
    script = Script(**{".well-known/oauth-authorization-server": whole})
    script.run(Issuer(HOME, REGISTRATION).discover())
    assert ["/.well-known/oauth-authorization-server"] == script.asked


def test_a_document_that_is_none_counts_for_nothing_beside_one_that_is() -> None:
    """Some hosts answer every address with a page and 200."""
    script = Script(**{".well-known/oauth-authorization-server": "<!doctype html>"})
    assert f"{HOME}/token" == script.run(Issuer(HOME, REGISTRATION).discover()).token_endpoint


def test_each_server_s_nonce_is_its_own() -> None:
    """RFC 9449 §8.2, §9: userinfo may be served by another than the token endpoint."""
    elsewhere = "https://people.example/me"
    metadata = {**METADATA, "userinfo_endpoint": elsewhere}
    nonces: list[tuple[str, str | None]] = []
    key = DpopKey.generate()
    issuer = Issuer(HOME, REGISTRATION, dpop_key=key, clock=Clock())
    tokens = Tokens("at", None, "rt", None, None, "DPoP")

    def answer(request: HttpRequest) -> HttpResponse:
        if request.url.startswith(f"{HOME}/.well-known"):
            return HttpResponse(200, {}, json.dumps(metadata).encode())
        payload = dict(request.headers)["dpop"].split(".")[1]
        nonces.append((request.url, json.loads(decode_base64url(payload)).get("nonce")))
        told = {"sub": "alice"} if request.url == elsewhere else answer_of(token_type="DPoP")
        own = "people-1" if request.url == elsewhere else "home-1"
        return HttpResponse(200, {"dpop-nonce": own}, json.dumps(told).encode())

    for _ in range(2):
        for conversation in (issuer.refresh("rt", subject=None), issuer.read_userinfo(tokens, subject="alice")):
            step = advance(conversation, None)
            while not isinstance(step, Done):
                step = advance(conversation, answer(step))
    here = f"{HOME}/token"
    assert [(here, None), (elsewhere, None), (here, "home-1"), (elsewhere, "people-1")] == nonces


def test_without_an_id_token_nobody_is_there() -> None:
    script = Script(token=answer_of())
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    with refused(IdTokenRefused, "id_token_not_given"):
        redeem(script, issuer, pending_of(script, issuer))()


def test_who_did_not_ask_for_openid_gets_tokens_alone() -> None:
    script = Script(token=answer_of())
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    signed_in = redeem(script, issuer, pending_of(script, issuer, scope="notes:read"))()
    assert signed_in.claims is None  # type: ignore[attr-defined]


def test_an_id_token_of_another_signer_is_refused_and_unknown_keys_cause_one_fetch_in_half_a_minute() -> None:
    clock, script = Clock(), Script()
    issuer = Issuer(HOME, REGISTRATION, clock=clock)
    stranger = SigningKey(generate_key("ES256"), "ES256")
    for _ in range(5):
        pending = pending_of(script, issuer)
        script.answers["/token"] = answer_of(id_token=id_token(pending, stranger))
        with refused(IdTokenRefused, "id_token_key_unknown"):
            redeem(script, issuer, pending)()
    assert 1 == script.asked.count("/jwks")
    clock.now += 31_000
    with refused(IdTokenRefused, "id_token_key_unknown"):
        redeem(script, issuer, pending)()
    assert 2 == script.asked.count("/jwks")


def test_a_key_that_is_new_at_the_issuer_is_found() -> None:
    clock, script = Clock(), Script()
    issuer = Issuer(HOME, REGISTRATION, clock=clock)
    pending = pending_of(script, issuer)
    script.answers["/token"] = answer_of(id_token=id_token(pending))
    redeem(script, issuer, pending)()
    fresh = SigningKey(generate_key("ES256"), "ES256")
    script.answers["/jwks"] = jwk_set([KEY, fresh])
    script.answers["/token"] = answer_of(id_token=id_token(pending, fresh))
    clock.now += 31_000
    redeem(script, issuer, pending)()


def test_a_changed_id_token_is_refused() -> None:
    script = Script()
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    pending = pending_of(script, issuer)
    head, _, tail = id_token(pending).split(".")
    other = id_token(pending, sub="mallory").split(".")[1]
    script.answers["/token"] = answer_of(id_token=f"{head}.{other}.{tail}")
    with refused(IdTokenRefused, "id_token_unverifiable"):
        redeem(script, issuer, pending)()


def test_an_id_token_under_another_algorithm_than_the_registered_one_is_refused() -> None:
    script = Script()
    issuer = Issuer(HOME, replace(REGISTRATION, id_token_signed_response_alg="RS256"), clock=Clock())
    pending = pending_of(script, issuer)
    script.answers["/token"] = answer_of(id_token=id_token(pending))
    with refused(IdTokenRefused, "id_token_unverifiable"):
        redeem(script, issuer, pending)()


def test_an_issuer_that_registered_none_still_has_to_sign() -> None:
    script = Script()
    issuer = Issuer(HOME, replace(REGISTRATION, id_token_signed_response_alg="none"), clock=Clock())
    pending = pending_of(script, issuer)
    claims = id_token(pending).split(".")[1]
    header = encode_base64url(b'{"alg":"none"}')
    script.answers["/token"] = answer_of(id_token=f"{header}.{claims}.")
    with refused(IdTokenRefused, "id_token_unverifiable"):
        redeem(script, issuer, pending)()


def read_signed_userinfo(key: SigningKey = KEY, **changed: object) -> Claims:
    claims = {"iss": HOME, "aud": "client", "sub": "alice", "name": "Alice", **changed}
    script = Script(userinfo=key.sign("JWT", claims).encode())
    script.answers["/.well-known/openid-configuration"] = {**METADATA, "userinfo_endpoint": f"{HOME}/userinfo"}
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    return script.run(issuer.read_userinfo(read_tokens(200, json.dumps(answer_of()).encode()), subject="alice"))


def test_userinfo_may_come_signed() -> None:
    assert "Alice" == read_signed_userinfo()["name"]
    assert "Alice" == read_signed_userinfo(aud=["another", "client"])["name"]


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("userinfo_issuer_differs", {"iss": "https://other.example"}),
        ("userinfo_audience_differs", {"aud": "another"}),
        ("userinfo_audience_differs", {"aud": ["another"]}),
        ("userinfo_subject_differs", {"sub": "bob"}),
    ],
)
def test_signed_userinfo_about_something_else_is_refused(reason: str, changed: dict[str, object]) -> None:
    with refused(ResponseRefused, reason):
        read_signed_userinfo(**changed)


def test_userinfo_signed_by_a_stranger_is_refused() -> None:
    with refused(IdTokenRefused, "id_token_key_unknown"):
        read_signed_userinfo(SigningKey(generate_key("ES256"), "ES256"))


def test_keys_that_are_no_keys_are_refused() -> None:
    script = Script(jwks={"keys": "none"})
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    pending = pending_of(script, issuer)
    script.answers["/token"] = answer_of(id_token=id_token(pending))
    with refused(ResponseRefused, "keys_malformed"):
        redeem(script, issuer, pending)()


def test_a_refresh_keeps_the_refresh_token_where_no_new_one_comes_and_speaks_of_the_same_person() -> None:
    script = Script(token=answer_of())
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    signed_in = script.run(issuer.refresh("r1", subject="alice"))
    assert "r1" == signed_in.tokens.refresh_token
    pending = pending_of(script, issuer)
    script.answers["/token"] = answer_of(id_token=id_token(pending, sub="bob"))
    with refused(IdTokenRefused, "id_token_subject_differs"):
        script.run(issuer.refresh("r1", subject="alice"))


def test_what_the_issuer_does_not_serve_is_said_so() -> None:
    script = Script()
    with refused(ResponseRefused, "endpoint_not_served"):
        script.run(Issuer(HOME, REGISTRATION, clock=Clock()).revoke("token"))


def test_an_answer_without_end_is_no_answer() -> None:
    script = Script()
    pending = pending_of(script, Issuer(HOME, REGISTRATION, clock=Clock()))
    many = "&".join(f"p{number}=1" for number in range(65))
    with refused(ResponseRefused, "callback_too_long"):
        read_callback(f"{REGISTRATION.redirect_uri}?code=c&state={pending.state}&{many}", pending)
    with refused(ResponseRefused, "callback_too_long"):
        read_form_post(many.encode(), pending)


def test_a_posted_answer_is_held_to_the_same_rules() -> None:
    script = Script()
    pending = pending_of(script, Issuer(HOME, REGISTRATION, clock=Clock()))
    assert "c" == read_form_post(f"code=c&state={pending.state}".encode(), pending).code
    with refused(ResponseRefused, "callback_state_differs"):
        read_form_post(b"code=c&state=of-another", pending)
    with refused(ServerRefused, "callback_refused"):
        read_form_post(f"error=access_denied&state={pending.state}".encode(), pending)


def test_an_issuer_that_does_not_announce_s256_is_refused_unless_one_knows_better() -> None:
    silent = {name: value for name, value in METADATA.items() if name != "code_challenge_methods_supported"}
    script = Script(**{".well-known/openid-configuration": silent})
    with refused(ResponseRefused, "metadata_without_s256"):
        script.run(Issuer(HOME, REGISTRATION).begin(scope="openid"))
    pending = script.run(Issuer(HOME, REGISTRATION, s256_announced=False).begin(scope="openid"))
    assert "code_challenge_method=S256" in pending.url


@pytest.fixture
def native(dev: DevServer) -> Issuer:
    """The demo's command-line client."""
    told = dev.application("native")
    return Issuer(dev.issuer, Registration(told["client_id"], told["redirect_uris"][0]))


SCOPE = "openid profile notes:read"


def visit(dev: DevServer, url: str) -> str:
    return sign_in(url, "alice", dev.password_of("alice"))


def test_a_whole_sign_in_over_a_real_network(dev: DevServer, native: Issuer) -> None:
    with Network(dev.issuer) as network:
        pending = network.run(native.begin(scope=SCOPE, resource=dev.told["resource"]["audience"]))
        signed_in = network.run(native.redeem(read_callback(visit(dev, pending.url), pending)))
        assert signed_in.claims is not None
        subject = signed_in.claims["sub"]
        assert subject == network.run(native.read_userinfo(signed_in.tokens, subject=subject))["sub"]
        fresh = network.run(native.refresh(str(signed_in.tokens.refresh_token), subject=subject))
        assert fresh.tokens.refresh_token != signed_in.tokens.refresh_token
        network.run(native.revoke(str(fresh.tokens.refresh_token)))
        with refused(ServerRefused, "server_refused"):
            network.run(native.refresh(str(fresh.tokens.refresh_token), subject=subject))


async def test_the_same_conversation_in_an_event_loop(dev: DevServer, native: Issuer) -> None:
    async with AsyncNetwork(dev.issuer) as network:
        pending = await network.run(native.begin(scope=SCOPE))
        signed_in = await network.run(native.redeem(read_callback(visit(dev, pending.url), pending)))
    assert isinstance(signed_in.tokens, Tokens)
    assert signed_in.claims is not None
    assert "alice" == signed_in.claims["preferred_username"]


def test_at_hash_is_held_to_the_algorithm_that_the_id_token_is_signed_under() -> None:
    """ES384 hashes the access token by SHA-384 (OpenID Connect Core §3.1.3.6)."""
    key = ECKey.generate_key("P-384", private=True)
    script = Script()
    script.answers["/jwks"] = {"keys": [{**key.as_dict(private=False), "kid": "k"}]}
    for name, is_believed in (("ES384", True), ("ES256", False)):
        issuer = Issuer(HOME, REGISTRATION, clock=Clock())
        pending = pending_of(script, issuer)
        told = {"iss": HOME, "aud": "client", "sub": "alice", "nonce": pending.nonce, "iat": NOON // 1000}
        told |= {"exp": NOON // 1000 + 300, "at_hash": left_half_hash("the-access-token", name)}
        signed = jws.serialize_compact({"alg": "ES384", "kid": "k"}, json.dumps(told), key, algorithms=["ES384"])
        script.answers["/token"] = answer_of(id_token=signed)
        if is_believed:
            assert redeem(script, issuer, pending)() is not None
        else:
            with refused(IdTokenRefused, "id_token_at_hash_differs"):
                redeem(script, issuer, pending)()


def test_an_issuer_that_just_failed_is_left_alone_for_a_moment() -> None:
    clock, script = Clock(), Script(jwks={"keys": "none"})
    issuer = Issuer(HOME, REGISTRATION, clock=clock)
    for _ in range(20):
        with refused(ResponseRefused, "keys_malformed"):
            script.run(issuer.verify("a.b.c"))
    assert 1 == script.asked.count("/jwks")
    clock.now += 100
    with refused(ResponseRefused, "keys_malformed"):
        script.run(issuer.verify("a.b.c"))
    assert 2 == script.asked.count("/jwks")


def test_a_request_that_cannot_be_sent_counts_as_a_failure() -> None:
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    first, second = issuer.discover(), issuer.discover()
    advance(first, None)
    for conversation in (first, second):
        with refused(NoAnswer, "server_unreachable"):
            advance(conversation, NoAnswer("server_unreachable", "Nobody answers"))


class Counting:
    """An issuer that takes its time and counts who asks."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.asked += 1
        await asyncio.sleep(0.05)
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def test_a_hundred_who_want_to_know_the_same_ask_once() -> None:
    counting, listener = Counting(), bind()
    with listening(counting, listener) as url:
        async with AsyncNetwork(url) as network:
            issuer = Issuer(url, REGISTRATION)
            asked = [network.run(issuer.discover()) for _ in range(100)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {ResponseRefused} == {type(answer) for answer in answers}
    assert 2 == counting.asked, "metadata have two places"


async def test_whoever_gives_up_takes_the_answer_from_nobody_else() -> None:
    counting, listener = Counting(), bind()
    with listening(counting, listener) as url:
        async with AsyncNetwork(url) as network:
            first, second = (asyncio.create_task(network.send(HttpRequest("GET", f"{url}/keys"))) for _ in range(2))
            await asyncio.sleep(0.01)
            first.cancel()
            assert 503 == (await second).status
    assert 1 == counting.asked


DRIPS = {
    "body": (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "head": (b"HTTP/1.1 200 OK\r\nx: ", b"a"),
    "hints": (b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
    "chunk extension": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", b"a"),
    "empty blocks": (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10], b"\0\0\0\xff\xff"),
    "trailer": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ", b"a"),
}


@pytest.mark.parametrize("where", DRIPS)
async def test_an_answer_that_only_drips_is_given_up(where: str) -> None:
    """Wherever it drips, also where an HTTP library never hands anything on."""
    begun, drop = DRIPS[where]
    connections = set[asyncio.Task[None] | None]()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.current_task())
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(begun)
            while not writer.is_closing():
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        url = "http://{}:{}".format(*server.sockets[0].getsockname())
        request = HttpRequest("GET", f"{url}/keys")
        async with AsyncNetwork(url, timeout=0.3) as network:
            with refused(NoAnswer, "answer_too_slow"):
                await network.send(request)
        with Network(url, timeout=0.3) as network, refused(NoAnswer, "answer_too_slow"):
            await asyncio.to_thread(network.send, request)
        await asyncio.wait(filter(None, connections))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/\x7f", "http://127.0.0.1/" + "a" * 70_000, f"https://{'a' * 64}.example/"]
)
async def test_an_address_that_is_none_is_a_refusal_like_any_other(url: str) -> None:
    async with AsyncNetwork(HOME) as network:
        with refused(NoAnswer, "server_unreachable"):
            await network.send(HttpRequest("GET", url))


def test_an_authority_that_is_gone_is_said_so(tmp_path: Path) -> None:
    with refused(ResponseRefused, "ca_file_unreadable"):
        Network(HOME, ca_file=tmp_path / "ca.pem")


async def test_plain_http_asks_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch, dev: DevServer) -> None:
    silent = Counting()
    with listening(silent, bind()) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        issuer = Issuer(dev.issuer, REGISTRATION)
        with Network(dev.issuer) as network:
            await asyncio.to_thread(network.run, issuer.discover())
        async with AsyncNetwork(dev.issuer) as asking:
            await asking.run(Issuer(dev.issuer, REGISTRATION).discover())
    assert 0 == silent.asked


class Redirecting:
    """A server that sends everybody to *elsewhere*, body and all."""

    def __init__(self, elsewhere: str) -> None:
        self.headers = [(b"location", f"{elsewhere}/steal".encode())]

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 307, "headers": self.headers})
        await send({"type": "http.response.body"})


async def test_no_redirect_is_followed() -> None:
    """A code and its verifier, or a refresh token, would go along."""
    stranger = Counting()
    with listening(stranger, bind()) as elsewhere, listening(Redirecting(elsewhere), bind()) as url:
        request = HttpRequest("POST", f"{url}/token", body=b"code=secret")
        with Network(url) as network:
            statuses = [await asyncio.to_thread(lambda: network.send(request).status)]
        async with AsyncNetwork(url) as asking:
            statuses.append((await asking.send(request)).status)
    assert ([307, 307], 0) == (statuses, stranger.asked)
