"""`login` against a real issuer: browser, listener, pasted addresses, ports, refusals, and what ends the wait."""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from proofkey.client import (
    IdTokenRefused,
    Issuer,
    LoginAbandoned,
    MemoryStore,
    Network,
    NotSignedIn,
    Registration,
    ResponseRefused,
    SealedFileStore,
    ServerRefused,
    SignIn,
    StoreRefused,
    find_sign_in,
    login,
    login_async,
)
from proofkey.client.answer import AnswerWait, Arrival
from tests.dev_server import DevServer
from tests.visitor import come_back, sign_in

ROOT = Path(__file__).parents[2]
Browser = Callable[[str], object]


def alice(server: DevServer) -> Browser:
    """Signs in as alice and comes back to the program's listener."""
    return lambda url: come_back(sign_in(url, "alice", server.password_of("alice")))


def redirect_uri_in(url: str) -> str:
    return parse_qs(urlsplit(url).query)["redirect_uri"][0]


def state_in(url: str) -> str:
    return parse_qs(urlsplit(url).query)["state"][0]


def sign_in_with(server: DevServer, browser: Browser | None, **options: object) -> SignIn:
    return login(server.issuer, "native", browser=browser, store=MemoryStore(), **options)  # type: ignore[arg-type]


def test_the_browser_comes_back_to_the_listener(dev: DevServer) -> None:
    me = sign_in_with(dev, alice(dev), scope="openid profile")
    assert ("Alice Adler", "Bearer", "openid profile") == (me.claims["name"], me.token_type, me.scope)


def test_a_browser_may_come_to_the_other_loopback_address(dev: DevServer) -> None:
    def browser(url: str) -> None:
        callback = sign_in(url, "alice", dev.password_of("alice"))
        come_back(callback.replace("127.0.0.1", "[::1]"))

    assert sign_in_with(dev, browser).claims["sub"]


def test_an_ipv6_redirect_uri_is_one_too(dev: DevServer) -> None:
    assert sign_in_with(dev, alice(dev), redirect_uri="http://[::1]/callback").claims["sub"]


def test_a_page_that_knows_the_port_cannot_end_a_login(dev: DevServer) -> None:
    seen: list[int] = []

    def browser(url: str) -> None:
        here = redirect_uri_in(url)
        wrong = ("state=theirs&code=evil", "error=access_denied", "state=&code=x", f"state={state_in(url)}x&code=x")
        seen.extend(httpx2.get(f"{here}?{query}").status_code for query in wrong)
        rebound = httpx2.get(f"{here}?state={state_in(url)}&code=x", headers={"host": "evil.example"})
        seen.append(rebound.status_code)
        alice(dev)(url)

    assert sign_in_with(dev, browser).claims["sub"]
    assert [409, 409, 409, 409, 421] == seen


def test_a_refusal_of_the_person_is_the_server_s_word(dev: DevServer) -> None:
    def browser(url: str) -> None:
        iss = dev.issuer
        httpx2.get(redirect_uri_in(url), params={"error": "access_denied", "state": state_in(url), "iss": iss})

    with pytest.raises(ServerRefused) as refused:
        sign_in_with(dev, browser)
    assert ("access_denied", "callback_refused") == (refused.value.code, refused.value.reason)


def test_an_answer_of_another_issuer_is_not_believed(dev: DevServer) -> None:
    def browser(url: str) -> None:
        httpx2.get(redirect_uri_in(url), params={"code": "x", "state": state_in(url), "iss": "https://evil.example"})

    with pytest.raises(ResponseRefused, match="callback_iss_differs"):
        sign_in_with(dev, browser)


def test_a_chosen_port_is_used_and_the_next_where_it_is_taken(dev: DevServer) -> None:
    ports: list[int | None] = []

    def browser(url: str) -> None:
        ports.append(urlsplit(redirect_uri_in(url)).port)
        alice(dev)(url)

    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        first, second = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        sign_in_with(dev, browser, port=[first, second])
    sign_in_with(dev, browser, port=second)
    assert [second, second] == ports


def test_without_port_browser_or_terminal_nothing_is_begun(dev: DevServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(LoginAbandoned) as abandoned:
        sign_in_with(dev, None, port=taken.getsockname()[1], paste=False)
    assert "login_without_way_back" == abandoned.value.reason


def test_a_localhost_redirect_uri_takes_its_exact_port(dev: DevServer) -> None:
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(LoginAbandoned):
        sign_in_with(
            dev, asked.append, redirect_uri=f"http://localhost:{port}/cb", patience_for=300, say=lambda _words: None
        )
    assert [f"http://localhost:{port}/cb"] == [redirect_uri_in(url) for url in asked]


def test_a_browser_may_bring_the_answer_itself(dev: DevServer) -> None:
    me = sign_in_with(
        dev, lambda url: sign_in(url, "alice", dev.password_of("alice")), redirect_uri="com.example.demo:/callback"
    )
    assert me.claims["sub"]


def test_nobody_comes_back(dev: DevServer) -> None:
    with pytest.raises(LoginAbandoned) as abandoned:
        sign_in_with(dev, lambda _url: True, patience_for=200)
    assert "login_timeout" == abandoned.value.reason


def test_a_browser_that_fails_is_said_and_the_wait_goes_on(dev: DevServer) -> None:
    said: list[str] = []

    def broken(url: str) -> None:
        threading.Timer(0.3, alice(dev), [url]).start()
        raise OSError(errno.ENOENT, "no browser")

    assert sign_in_with(dev, broken, say=said.append).claims["sub"]
    assert "No browser has opened" in said[-1]


def test_an_unknown_client_is_said_at_the_issuer_and_nobody_comes_back(dev: DevServer) -> None:
    pages: list[int] = []

    def browser(url: str) -> str:
        pages.append(httpx2.get(url).status_code)
        return "about:blank"

    said: list[str] = []
    with pytest.raises(LoginAbandoned, match="login_timeout"):
        login(dev.issuer, "nobody", browser=browser, store=MemoryStore(), patience_for=1_000, say=said.append)
    assert ([400], True) == (pages, "[callback_address_differs]" in said[-1])


def test_another_login_s_answer_that_a_browser_brings_does_not_end_the_wait(dev: DevServer) -> None:
    said: list[str] = []

    def browser(url: str) -> str:
        threading.Timer(0.3, alice(dev), [url]).start()
        return f"{redirect_uri_in(url)}?code=c&state=of-another"

    assert sign_in_with(dev, browser, say=said.append).claims["sub"]
    assert "[callback_state_differs]" in said[-1]


def test_on_localhost_the_port_that_is_missing_is_said(dev: DevServer) -> None:
    with pytest.raises(LoginAbandoned, match="redirect_uri_without_port"):
        sign_in_with(dev, None, redirect_uri="http://localhost/callback", paste=False, extra={"prompt": "login"})


def test_nobody_is_sent_off_for_bound_tokens_where_the_issuer_binds_none(dev: DevServer) -> None:
    asked: list[str] = []
    with pytest.raises(ResponseRefused, match="dpop_not_served"):
        sign_in_with(dev, asked.append, dpop=True)
    assert [] == asked


async def test_the_event_loop_goes_on_and_cancelling_ends_the_wait(dev: DevServer) -> None:
    opened = threading.Event()
    waiting = asyncio.create_task(
        login_async(dev.issuer, "native", browser=lambda _url: opened.set(), store=MemoryStore())
    )
    assert await asyncio.to_thread(opened.wait, 10)
    before = {thread.name for thread in threading.enumerate()}
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    for _ in range(40):
        if not [thread for thread in threading.enumerate() if "serve_forever" in thread.name]:
            break
        await asyncio.sleep(0.1)
    assert not [name for name in before if "serve_forever" in name and name in {t.name for t in threading.enumerate()}]


def test_a_wait_that_is_called_off_ends(dev: DevServer) -> None:
    arrivals: SimpleQueue[Arrival] = SimpleQueue()
    arrivals.put(Arrival("cancelled"))
    with Network(dev.issuer) as network:
        issuer = Issuer(dev.issuer, Registration("native", "http://127.0.0.1:9/callback"))
        pending = network.run(issuer.begin(scope="openid"))
    wait = AnswerWait(pending, None, None, reads_paste=False, say=print, arrivals=arrivals)
    with pytest.raises(LoginAbandoned, match="login_called_off"):
        wait.wait(60_000)


async def test_signing_in_and_out_with_an_event_loop(dev: DevServer) -> None:
    me = await login_async(dev.issuer, "native", browser=alice(dev), store=MemoryStore())
    first = await me.access_token_async()
    second = await me.access_token_async(rejected=first)
    assert first != second
    assert (await me.logout_async()).revoked


def test_a_sign_in_without_refresh_token_expires(dev: DevServer) -> None:
    store = MemoryStore()
    me = login(dev.issuer, "native", browser=alice(dev), store=store)
    kept = store.load(me.issuer, me.client_id)
    assert kept is not None
    store.save(replace(kept, refresh_token=None, access_token_until=0))
    with pytest.raises(NotSignedIn) as expired:
        SignIn(replace(kept, access_token_until=0), store).access_token()
    assert "sign_in_expired" == expired.value.reason


def test_of_several_sign_ins_one_has_to_be_named(dev: DevServer) -> None:
    store = MemoryStore()
    me = login(dev.issuer, "native", browser=alice(dev), store=store)
    kept = store.load(me.issuer, me.client_id)
    assert kept is not None
    store.save(replace(kept, client_id="other"))
    with pytest.raises(NotSignedIn) as ambiguous:
        find_sign_in(store=store)
    assert "sign_in_ambiguous" == ambiguous.value.reason
    assert f"{me.issuer} as native\n{me.issuer} as other" == ambiguous.value.detail
    found = find_sign_in(client_id="other", store=store)
    assert found is not None
    assert "other" == found.client_id
    assert find_sign_in("https://elsewhere.example", store=store) is None


def test_a_token_of_somebody_else_never_serves_what_was_begun_for_the_first(dev: DevServer) -> None:
    store = MemoryStore()

    def bob(url: str) -> None:
        come_back(sign_in(url, "bob", dev.password_of("bob")))

    first = login(dev.issuer, "native", browser=alice(dev), store=store)
    token = first.access_token()
    second = login(dev.issuer, "native", browser=bob, store=store)
    with pytest.raises(NotSignedIn) as replaced:
        first.access_token(rejected=token)
    assert "sign_in_replaced" == replaced.value.reason
    assert first.logout().revoked
    found = find_sign_in(store=store)
    assert found is not None
    assert second.claims["sub"] == found.claims["sub"]
    assert second.access_token(rejected=second.access_token())


def test_without_an_id_token_another_sign_in_is_somebody_else_s(dev: DevServer) -> None:
    store = MemoryStore()
    first = login(dev.issuer, "native", scope="notes:read", browser=alice(dev), store=store)
    token = first.access_token()
    renewed = first.access_token(rejected=token)
    assert renewed != token
    second = login(
        dev.issuer,
        "native",
        scope="notes:read",
        browser=lambda url: come_back(sign_in(url, "bob", dev.password_of("bob"))),
        store=store,
    )
    with pytest.raises(NotSignedIn, match="sign_in_replaced"):
        first.access_token(rejected=renewed)
    assert second.access_token(rejected=second.access_token())


def test_a_sign_in_is_as_fresh_as_was_asked_for(dev: DevServer) -> None:
    def slow(url: str) -> None:
        callback = sign_in(url, "alice", dev.password_of("alice"))
        time.sleep(2.5)
        come_back(callback)

    within: dict[str, Any] = {"extra": {"max_age": "1"}}
    assert sign_in_with(dev, slow, **within).claims["auth_time"]
    with pytest.raises(IdTokenRefused, match="id_token_auth_time_too_old"):
        sign_in_with(dev, slow, **within, leeway_for=0)
    with pytest.raises(IdTokenRefused, match="id_token_auth_time_missing"):
        sign_in_with(dev, alice(dev), **within, scope="notes:read")


@pytest.mark.parametrize(
    "options",
    [
        {"extra": {"response_mode": "form_post"}},
        {"extra": {"max_age": "an hour"}},
        {"extra": {"max_age": "-1"}},
        {"extra": {"acr_values": "x"}, "device": True},
    ],
)
def test_parameters_that_cannot_be_held_to_are_refused_before_anybody_is_asked(options: dict[str, Any]) -> None:
    opened: list[str] = []
    with pytest.raises(ValueError, match=r"response_mode|max_age|device"):
        login("http://127.0.0.1:9", "native", browser=opened.append, store=MemoryStore(), **options)
    assert [] == opened


def test_clocks_may_differ_by_what_the_caller_says(dev: DevServer) -> None:
    store, never = MemoryStore(), -86_400_000
    with pytest.raises(IdTokenRefused, match="id_token_expired"):
        sign_in_with(dev, alice(dev), leeway_for=never)
    login(dev.issuer, "native", browser=alice(dev), store=store)
    found = find_sign_in(store=store, leeway_for=never)
    assert found is not None
    with pytest.raises(IdTokenRefused, match="id_token_expired"):
        found.access_token(rejected=found.access_token())


def test_a_place_that_refuses_tokens_says_so_before_anybody_is_asked(dev: DevServer, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    opened: list[str] = []
    with pytest.raises(StoreRefused, match="store_directory_exposed"):
        login(dev.issuer, "native", browser=opened.append, store=SealedFileStore(tmp_path / "open"))
    assert [] == opened


def test_logout_forgets_all_the_same_where_the_issuer_is_gone(dev: DevServer) -> None:
    store = MemoryStore()
    me = login(dev.issuer, "native", browser=alice(dev), store=store)
    kept = store.load(me.issuer, me.client_id)
    assert kept is not None
    with socket.create_server(("127.0.0.1", 0)) as probe:
        nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}/gone"
    store.save(replace(kept, issuer=nowhere))
    gone = find_sign_in(nowhere, store=store)
    assert gone is not None
    farewell = gone.logout()
    assert (False, True) == (farewell.revoked, "[server_unreachable]" in str(farewell.why))
    assert find_sign_in(nowhere, store=store) is None


LOGS = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
import httpx2
from proofkey.client import MemoryStore, login
from tests.visitor import come_back, sign_in
issuer, password, api = sys.argv[1:]
def browser(url):
    come_back(sign_in(url, "alice", password))
store = MemoryStore()
me = login(issuer, "native", scope="openid notes:read", resource=api.removesuffix("/notes"), browser=browser, store=store)
told = [me.access_token()]
assert httpx2.get(api, auth=me.auth()).status_code == 200
told += [store.load(issuer, "native").refresh_token, me.access_token(rejected=told[0])]
told += [store.load(issuer, "native").refresh_token]
me.logout()
print(repr(me), *told)
"""


def test_no_log_of_any_library_holds_a_token(dev: DevServer) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOGS, dev.issuer, dev.password_of("alice"), dev.told["resource"]["url"]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == ran.returncode, ran.stderr
    tokens = ran.stdout.split()[-4:]
    assert (4, True) == (len(set(tokens)), "DEBUG:" in ran.stderr)
    assert [] == [token for token in tokens if token in ran.stderr]
    assert "code_verifier" not in ran.stderr
