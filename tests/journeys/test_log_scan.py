"""A whole run of every kind of request, and then a search for its secrets in the log and in the database (law 7)."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Mapping

from tests.dev_server import DevServer, StartDev
from tests.journeys.eavesdropper import Eavesdropper
from tests.person import Person, client_of, form_with, read_forms
from tests.relying_party import RelyingParty

EXPECTED_NAMES = {
    *("code", "state", "nonce", "code_verifier", "password", "username", "client_secret", "access_token", "ticket"),
    *("refresh_token", "id_token", "id_token_hint", "login_hint", "request", "token", "authorization", "cookie"),
    *("set-cookie", "authorization_code", "mark"),
}
MAY_BE_KEPT = frozenset({"username", "login_hint"})
"""What a database may hold in clear: the names of its people."""


def fresh() -> str:
    """A value that occurs nowhere by chance."""
    return f"never-log-{secrets.token_urlsafe(24)}"


async def ordinary_life(spa: RelyingParty, alice: Person) -> Mapping[str, str]:
    """Sign-in with a wrong password first, consent, tokens, userinfo, refresh, a retry and a replay."""
    attempt = spa.begin()
    page = await alice.open({**attempt.query, "login_hint": fresh()})
    page = await alice.sign_in(page, password=fresh())
    form = form_with(page, "password")
    assert form is not None
    page = await alice.submit(page, form, username=fresh(), password=fresh())
    page = await alice.decide(await alice.sign_in(page), "deny")
    tokens = await spa.tokens_for(alice)
    await spa.userinfo(tokens["access_token"])
    for _ in range(2):
        successor = (await spa.refresh(tokens["refresh_token"])).json()["refresh_token"]
    await spa.refresh(successor)
    assert (await spa.refresh(tokens["refresh_token"])).status_code == 400
    return tokens


async def mistakes(spa: RelyingParty, alice: Person) -> None:
    """Everything a client can get wrong at the token endpoint, a code sent at once by many among it."""
    attempt, code = await spa.code_for(alice)
    sent = attempt.redemption(code)
    wrong = [{"code_verifier": fresh()}, {"code_verifier": "short-" + secrets.token_urlsafe(6)}, {"code": fresh()}]
    wrong += [{"client_secret": fresh()}, {"client_id": "native"}, {"redirect_uri": "http://127.0.0.1:1/"}]
    wrong += [{"grant_type": "password", "username": fresh(), "password": fresh()}, {"code": code * 20}]
    for changed in wrong:
        assert (await spa.token({**sent, **changed})).status_code in (400, 401)
    await spa.token({"authorization_code": code, "code_verifier": attempt.code_verifier})
    await spa.token({"grant_type": "refresh_token", "refresh_token": fresh()})
    await asyncio.gather(*(spa.token(sent) for _ in range(10)))
    await spa.userinfo(fresh())
    await spa.userinfo(f"{fresh()}.{fresh()}.{fresh()}")
    await spa.http.get(f"{spa.server.here}/oauth2/userinfo", params={"access_token": fresh()})
    await spa.http.put(f"{spa.server.here}/oauth2/token", params={"token": fresh()})
    await spa.http.post(f"{spa.server.here}/oauth2/token?{'code=' + fresh()}", content=f"code={fresh()}&code={fresh()}")


async def addresses(spa: RelyingParty, alice: Person) -> None:
    """Everything that can go wrong, or back, at the authorization endpoint and its pages."""
    query = spa.begin().query
    changes: list[dict[str, str]] = [{"prompt": "none"}, {"response_mode": "form_post"}, {"state": fresh() * 40}]
    changes += [{"code_challenge_method": "plain"}, {"redirect_uri": f"{spa.redirect_uri}?token={fresh()}"}]
    changes += [{"client_id": "nobody"}, {"id_token_hint": fresh()}, {"mark": fresh()}, {"scope": "root"}]
    changes += [{"prompt": "login"}, {"nonce": fresh() * 20}, {"claims": "{"}, {"mark": fresh() * 300}]
    for changed in changes:
        await alice.open({**query, **changed})
    await alice.http.post(f"{spa.server.here}/oauth2/authorize", data=query)
    for name in ("login", "consent"):
        await alice.http.post(f"{spa.server.here}/{name}", data={"request": fresh(), "ticket": fresh()})
        await alice.http.get(f"{spa.server.here}/{name}", params={"mark": fresh()})
    async with client_of(spa.server) as stranger:
        page = await alice.open({**query, "prompt": "login"})
        (form, *_) = read_forms(page)
        await stranger.post(f"{spa.server.here}/login", data=form.fields)


async def confidential_clients(server: DevServer, alice: Person, ear: Eavesdropper) -> None:
    """Secrets in headers and bodies, introspection, revocation, and a client of its own."""
    async with RelyingParty(server, "web") as web:
        ear.listen(web.http)
        tokens = await web.tokens_for(alice)
        token = {"grant_type": "client_credentials"}
        for credentials in (server.secret_of("service"), ("service", fresh())):
            await web.http.post(f"{server.here}/oauth2/token", data=token, auth=credentials)
        body = {"client_id": "web", "client_secret": web.client_secret}
        await web.http.post(f"{server.here}/oauth2/introspect", data={**body, "token": tokens["access_token"]})
        await web.post("introspect", {"token": fresh()})
        await web.post("revoke", {"token": tokens["refresh_token"]})
        await web.post("revoke", {"token": fresh(), "token_type_hint": fresh()})
        for access_token in (tokens["access_token"], fresh()):
            await web.http.get(server.told["resource"]["url"], headers={"authorization": f"Bearer {access_token}"})


async def sign_out(spa: RelyingParty, alice: Person, id_token: str) -> None:
    """Sign-out with hints that are good, bad and missing."""
    for hint in ({"id_token_hint": fresh()}, {}, {"id_token_hint": id_token, "state": fresh()}):
        await alice.http.get(f"{spa.server.here}/oauth2/logout", params={"state": fresh(), **hint})


def broken_http(server: DevServer, ear: Eavesdropper) -> None:
    """Requests that are no HTTP, with a secret in each place."""
    for request in (
        "GET /{0} HTTP/9.9\r\n\r\n",
        "{0}\r\n\r\n",
        "GET / HTTP/1.1\r\n{0}\r\n\r\n",
        "POST /%zz?{0} HTTP/1.1\r\n\r\n",
    ):
        mark = fresh()
        ear.note("mark", mark)
        with socket.create_connection(("localhost", server.port), timeout=10) as connection:
            connection.sendall(request.format(mark).encode())
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1_000)


async def test_no_secret_of_a_whole_run_is_in_its_log_or_in_its_database(start_dev: StartDev) -> None:
    server, ear = start_dev(), Eavesdropper()
    async with RelyingParty(server) as spa, Person(server) as alice:
        ear.listen(spa.http)
        ear.listen(alice.http)
        await ordinary_life(spa, alice)
        await mistakes(spa, alice)
        await addresses(spa, alice)
        await confidential_clients(server, alice, ear)
        await sign_out(spa, alice, (await spa.tokens_for(alice))["id_token"])
        broken_http(server, ear)
    in_database = b"".join(file.read_bytes() for file in server.data.glob("proofkey.db*")).decode("latin-1")
    server.stop()

    assert EXPECTED_NAMES <= set().union(*ear.heard.values())
    assert server.log.count("  refused  ") > 30
    assert [] == list(ear.find_in(server.log))
    assert "code_replayed" in in_database
    assert [] == list(ear.find_in(in_database, but=MAY_BE_KEPT))


def test_the_search_finds_what_it_looks_for() -> None:
    ear = Eavesdropper()
    ear.note("code", "c" * 20 + "/" + "d" * 20)
    ear.note("state", "a state")
    assert 1 == len(ear.heard)
    for text in ("c" * 7 + "/" + "d" * 12 + "…", f"code={'c' * 20}%2F{'d' * 20}", "d" * 20):
        assert ["code"] == [names for names, _ in ear.find_in(text)]
    assert [] == list(ear.find_in("a state"))
