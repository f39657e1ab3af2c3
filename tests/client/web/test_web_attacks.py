"""What attackers of a web application's sign-in try: somebody else's answer, cookie, address or page."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from proofkey.client.id_token import IdTokenRefused, check_auth_time
from proofkey.client.web import SignIn
from proofkey.client.web.addresses import Addresses
from tests.client.web.browser import WebBrowser
from tests.client.web.clock import SECOND, ForwardClock
from tests.client.web.test_proxy import raw
from tests.client.web.web_app import ORIGIN, REDIRECT_URI, browser_of, sign_in_at
from tests.dev_server import DevServer
from tests.journeys.eavesdropper import Eavesdropper


async def answer_for(browser: WebBrowser, path: str = "/") -> str:
    """The address that the issuer sends this browser back to, not followed."""
    begun = await browser.go(f"/auth/login?{urlencode({'return_to': path})}")
    stopped = await browser.follow(begun, until=REDIRECT_URI)
    return str(stopped.headers["location"])


async def test_logins_in_several_tabs_finish_in_any_order(app: SignIn) -> None:
    async with browser_of(app) as alice:
        first, second, third = [await answer_for(alice, f"/{tab}") for tab in ("one", "two", "three")]
        ended = [(await alice.go(answer)).headers["location"] for answer in (second, third, first)]
    assert ["/two", "/three", "/one"] == ended


async def test_a_browser_has_five_begun_logins_at_most(app: SignIn) -> None:
    async with browser_of(app) as alice:
        answers = [await answer_for(alice, f"/{tab}") for tab in range(8)]
        begun = [name for name in alice.http.cookies if "proofkey_login" in name]
        ended = [(await alice.go(answers[number])).headers["location"] for number in (3, 7)]
        dropped = await alice.go(answers[2])
    assert (5, ["/3", "/7"], "/") == (len(begun), ended, dropped.headers["location"])


async def test_a_replayed_answer_is_used_once(app: SignIn) -> None:
    async with browser_of(app) as alice:
        answer = await answer_for(alice, "/notes")
        cookies = dict(alice.http.cookies)
        ended = await asyncio.gather(*(alice.go(answer) for _ in range(8)))
        async with browser_of(app) as copy:
            copy.http.cookies.update(cookies)
            later = await copy.go(answer)
    signed_in = [each for each in ended if "proofkey_session" in each.headers.get("set-cookie", "")]
    assert (1, 303, "/auth/login?restarted=1") == (len(signed_in), later.status_code, later.headers["location"])


async def test_an_answer_in_another_browser_signs_nobody_in(app: SignIn) -> None:
    """Login CSRF: the victim is sent to the attacker's answer."""
    async with browser_of(app, username="bob") as attacker, browser_of(app) as victim:
        answer = await answer_for(attacker)
        stopped = await victim.go(answer)
        assert (303, "/auth/login?restarted=1") == (stopped.status_code, stopped.headers["location"])
        assert {"signed_in": False} == await victim.session()
        assert "/ bob" != (await victim.follow(stopped)).text
        assert (await attacker.go(answer)).headers["location"] == "/", "nor was it spent"


async def test_an_injected_code_is_refused(app: SignIn) -> None:
    """The attacker puts a stolen code into a login of their own: the verifier does not fit."""
    async with browser_of(app) as victim, browser_of(app, username="bob") as attacker:
        stolen = dict(parse_qsl(urlsplit(await answer_for(victim)).query))["code"]
        own = dict(parse_qsl(urlsplit(await answer_for(attacker)).query))
        refused = await attacker.go(f"{REDIRECT_URI}?{urlencode({**own, 'code': stolen})}")
        assert {"signed_in": False} == await attacker.session()
    assert (403, True) == (refused.status_code, "[pkce_mismatch]" in refused.text)


async def test_an_answer_of_another_issuer_is_refused(web_dev: DevServer) -> None:
    """Mix-up: an honest answer to the login at another issuer is brought to this one's address."""
    honest = sign_in_at(web_dev)
    async with browser_of(honest) as alice:
        sent = dict(parse_qsl(urlsplit(await answer_for(alice)).query))
        other = f"{web_dev.issuer.rpartition('/')[0]}/other"
        mixed_up = await alice.go(f"{REDIRECT_URI}?{urlencode({**sent, 'iss': other})}")
        assert {"signed_in": False} == await alice.session()
    async with browser_of(honest) as alice:
        sent = dict(parse_qsl(urlsplit(await answer_for(alice)).query))
        del sent["iss"]
        stripped = await alice.go(f"{REDIRECT_URI}?{urlencode(sent)}")
    await honest.close()
    assert (True, True) == ("[callback_iss_differs]" in mixed_up.text, "[callback_iss_missing]" in stripped.text)


async def test_two_sign_ins_of_one_host_do_not_take_each_other_s_cookies(web_dev: DevServer) -> None:
    first = sign_in_at(web_dev)
    second = sign_in_at(web_dev, app=first, redirect_uri=f"{ORIGIN}/staff/callback")
    async with browser_of(second) as alice:
        await alice.sign_in()
        assert (await alice.session())["signed_in"]
        alice.folder = "/staff"
        assert {"signed_in": False} == await alice.session()
    await second.close()
    await first.close()


async def test_a_session_gets_a_new_id_and_the_old_one_ends(app: SignIn) -> None:
    """Session fixation: what the browser had before the sign-in is worth nothing afterwards."""
    async with browser_of(app) as alice, browser_of(app) as attacker:
        await alice.sign_in()
        name, before = next((name, value) for name, value in alice.http.cookies.items() if "session" in name)
        attacker.http.cookies.set(name, before)
        assert (await attacker.session())["signed_in"]
        await alice.sign_in()
        assert before != alice.http.cookies[name]
        assert {"signed_in": False} == await attacker.session()


async def test_an_id_of_the_attacker_s_choice_is_not_taken_over(app: SignIn) -> None:
    async with browser_of(app) as alice:
        name = (await app.opened()).site.session_cookie.name
        alice.http.cookies.set(name, "chosen-by-the-attacker", domain="app.example", path="/")
        await alice.sign_in()
        assert (await alice.session())["signed_in"]
        assert ["chosen-by-the-attacker"] != [cookie.value for cookie in alice.http.cookies.jar if cookie.name == name]


async def test_a_session_cookie_that_came_twice_is_none(app: SignIn) -> None:
    """Cookie tossing: a sibling host adds a cookie of the same name."""
    async with browser_of(app) as alice, browser_of(app, username="bob") as attacker:
        await alice.sign_in()
        await attacker.sign_in()
        name = (await app.opened()).site.session_cookie.name
        mine, tossed = alice.http.cookies[name], attacker.http.cookies[name]
        one = await raw(app, "GET", "/", "/", f"{name}={mine}")
        both = [await raw(app, "GET", "/", "/", f"{name}={a}; {name}={b}") for a, b in ((mine, tossed), (tossed, mine))]
    assert (b"/ Alice", [b"/ nobody"] * 2) == (one["body"], [each["body"] for each in both])
    assert name.startswith("__Host-"), "which over https no other host can set at all"


async def test_guessed_and_oversized_cookies_are_nobody_s(app: SignIn) -> None:
    name = (await app.opened()).site.session_cookie.name
    for value in ("", "A" * 43, "A" * 4_000, "A" * 100_000, "\xff" * 43, "..", "%00"):
        assert b"/ nobody" == (await raw(app, "GET", "/", "/", f"{name}={value}"))["body"], value[:50]


async def test_cookies_are_set_so_that_only_this_host_s_server_reads_them(app: SignIn) -> None:
    async with browser_of(app) as alice:
        begun = await alice.go("/auth/login")
        answer = await alice.go((await alice.follow(begun, until=REDIRECT_URI)).headers["location"])
    login, session = begun.headers["set-cookie"], answer.headers.get_list("set-cookie")[0]
    for cookie in (login, session):
        said = {part.strip() for part in cookie.split(";")[1:]}
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= said
        assert not any(part.startswith("Domain") for part in said)
    assert ("Max-Age=900" in login, "Max-Age" in session) == (True, False)


async def test_ids_are_of_256_random_bits(web_dev: DevServer) -> None:
    standing = ForwardClock()()
    app = sign_in_at(web_dev, clock=lambda: standing)
    values: list[str] = []
    for _ in range(3):
        async with browser_of(app) as alice:
            await alice.go("/auth/login")
            await alice.sign_in()
            values += [value.rpartition(".")[2] for name, value in alice.http.cookies.items() if "_Host" in name]
    await app.close()
    assert (6, 6, {43}) == (len(values), len(set(values)), {len(value) for value in values})


async def test_who_knows_the_state_alone_cannot_finish_the_login(app: SignIn) -> None:
    async with browser_of(app) as alice, browser_of(app) as thief:
        answer = await answer_for(alice)
        [(name, value)] = [pair for pair in alice.http.cookies.items() if "proofkey_login" in pair[0]]
        begun_at = value.partition(".")[0]
        for guess in (f"{begun_at}.", f"{begun_at}.{'A' * 43}", value[:-1], value.lower()):
            thief.http.cookies.clear()
            thief.http.cookies.set(name, guess)
            assert "/auth/login?restarted=1" == (await thief.go(answer)).headers["location"]
        assert "/" == (await alice.go(answer)).headers["location"], "and spent nothing"
        assert (await alice.session())["signed_in"]


ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/%0d%0aSet-Cookie:%20a=b",
    "/\r\nSet-Cookie: a=b",
    "/%09/evil.example",
    "/\t/evil.example",
    "/%5cevil.example",
    "/a/../../evil.example",
    "/.//evil.example",
    "/%2e%2e//evil.example",
    "/a//evil.example",
    "evil.example",
    "@evil.example",
    " /notes",
    "/notes#fragment",
    "/ü",
    "",
    "/auth/login",
    "/auth/callback?code=x",
    "/auth/logout",
    "/" + "a" * 2_000,
]


@pytest.mark.parametrize("sent", ELSEWHERE)
def test_no_return_address_leads_elsewhere(sent: str) -> None:
    assert "/" == Addresses.beside(REDIRECT_URI).check_return_to(sent)


@pytest.mark.parametrize("sent", ["/", "/notes", "/notes/", "/a/b?c=d&e=/f?g", "/a%20b", "/~alice/@me;v=1", "/authors"])
def test_a_path_of_this_origin_is_returned_to(sent: str) -> None:
    assert sent == Addresses.beside(REDIRECT_URI).check_return_to(sent)


async def test_an_open_redirect_does_not_survive_the_sign_in(app: SignIn) -> None:
    async with browser_of(app) as alice:
        for sent in ELSEWHERE[:12]:
            answer = await alice.go(await answer_for(alice, sent))
            assert (303, "/") == (answer.status_code, answer.headers["location"])


@pytest.mark.parametrize(
    "redirect_uri",
    ["http://app.example/cb", "https://app.example", "https://app.example/", "https://app.example/cb?x=1", "app:/cb"],
)
def test_a_redirect_uri_that_cannot_be_kept_safe_is_refused(web_dev: DevServer, redirect_uri: str) -> None:
    with pytest.raises(ValueError, match="redirect_uri"):
        sign_in_at(web_dev, redirect_uri=redirect_uri)


async def test_a_lost_cookie_begins_again_once(app: SignIn) -> None:
    async with browser_of(app) as alice:
        answer = await answer_for(alice, "/notes")
        alice.http.cookies.delete(next(name for name in alice.http.cookies if "proofkey_login" in name))
        ended = await alice.follow(await alice.go(answer))
    assert (200, "/ Alice") == (ended.status_code, ended.text)


async def test_a_browser_without_cookies_is_told_so_and_not_sent_in_circles(app: SignIn) -> None:
    class Forgetful(WebBrowser):
        async def go(self, url: str, **headers: str) -> httpx2.Response:
            for cookie in [each for each in self.http.cookies.jar if each.name.startswith("__Host-proofkey_login")]:
                self.http.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
            return await super().go(url, **headers)

    known = browser_of(app)
    async with Forgetful(app, ORIGIN, username=known.username, password=known.password) as alice:
        ended = await alice.sign_in()
    await known.http.aclose()
    assert (400, True) == (ended.status_code, "[transaction_lost_twice]" in ended.text)


async def test_an_old_answer_of_somebody_signed_in_leads_home(app: SignIn) -> None:
    async with browser_of(app) as alice:
        answer = await answer_for(alice, "/notes")
        await alice.go(answer)
        again = await alice.go(answer)
    assert (303, "/") == (again.status_code, again.headers["location"])


@pytest.mark.parametrize("query", ["", "?code=x", "?state=", "?code=x&state=a&state=b", "?" + "&".join(["a=b"] * 100)])
async def test_what_is_no_answer_is_refused(app: SignIn, query: str) -> None:
    async with browser_of(app) as alice:
        refused = await alice.go(f"/auth/callback{query}")
    expected = "[answer_without_state]" if query != "?state=" else "/auth/login"
    assert expected in refused.text + refused.headers.get("location", "")
    assert refused.status_code in (400, 303)


async def test_a_denied_sign_in_is_told_in_words_of_ours(app: SignIn) -> None:
    async with browser_of(app) as alice:
        sent = dict(parse_qsl(urlsplit(await answer_for(alice)).query))
        hostile = {"error": "access_denied", "error_description": "<script>alert(1)</script>"}
        refused = await alice.go(f"{REDIRECT_URI}?{urlencode({'state': sent['state'], 'iss': sent['iss'], **hostile})}")
    assert (403, False, True) == (refused.status_code, "alert" in refused.text, "was declined" in refused.text)
    assert "default-src 'none'" in refused.headers["content-security-policy"]


async def test_parameters_of_the_flow_cannot_be_replaced_by_a_link(app: SignIn) -> None:
    hostile = {
        "redirect_uri": "https://evil.example/",
        "scope": "admin",
        "response_type": "token",
        "client_id": "x",
        "nonce": "mine",
        "prompt": "none",
        "max_age": "-1",
        "acr_values": "a\nb",
        "ui_locales": "de en",
    }
    async with browser_of(app) as alice:
        begun = await alice.go(f"/auth/login?{urlencode(hostile)}")
    sent = dict(parse_qsl(urlsplit(begun.headers["location"]).query))
    assert (REDIRECT_URI, "code", "de en") == (sent["redirect_uri"], sent["response_type"], sent["ui_locales"])
    assert set() == {"prompt", "max_age", "acr_values"} & set(sent)
    assert "mine" != sent["nonce"]


async def test_a_sign_in_that_is_not_fresh_enough_is_refused(web_dev: DevServer) -> None:
    clock = ForwardClock()
    app = sign_in_at(web_dev, clock=clock)
    async with browser_of(app) as alice:
        assert 200 == (await alice.sign_in("/", max_age="60")).status_code
        clock.turn(121 * SECOND)
        stale = await alice.sign_in("/", max_age="60")
        assert (502, True) == (stale.status_code, "[id_token_auth_time_too_old]" in stale.text)
        assert 200 == (await alice.sign_in("/", max_age="3600")).status_code
    await app.close()


@pytest.mark.parametrize("claims", [{"auth_time": 1_000}, {}, {"auth_time": "1000"}])
def test_auth_time_must_meet_max_age(claims: dict[str, object]) -> None:
    check_auth_time({"auth_time": 1_000}, max_age=60, now=1_120_000, leeway_for=60_000)
    check_auth_time({"auth_time": 1_000.5}, max_age=60, now=1_060_500, leeway_for=0)
    with pytest.raises(IdTokenRefused, match="id_token_auth_time_"):
        check_auth_time(claims, max_age=60, now=1_120_001, leeway_for=60_000)


async def test_another_origin_s_form_has_no_session_in_the_application(app: SignIn) -> None:
    async with browser_of(app) as alice:
        await alice.sign_in()
        own = await alice.fetch("POST", "/notes")
        foreign = await alice.fetch("POST", "/notes", origin="https://evil.example")
        by_metadata = await alice.http.post(alice.at("/notes"), headers={"sec-fetch-site": "cross-site"})
        link = await alice.go("/notes", sec_fetch_site="cross-site")
    expected = ["/notes Alice", "/notes nobody", "/notes nobody", "/notes Alice"]
    assert expected == [each.text for each in (own, foreign, by_metadata, link)]


async def test_another_origin_learns_nothing_of_the_session(app: SignIn) -> None:
    async with browser_of(app) as alice:
        await alice.sign_in()
        asked = await alice.fetch("GET", "/auth/session", origin="https://evil.example")
        framed = await alice.go("/auth/session", sec_fetch_site="same-site")
        own = await alice.fetch("GET", "/auth/session")
    assert (403, 403) == (asked.status_code, framed.status_code)
    assert "[session_asked_from_elsewhere]" in asked.text
    headers = own.headers
    assert ("same-origin", "no-store") == (headers["cross-origin-resource-policy"], headers["cache-control"])
    assert "access-control-allow-origin" not in headers


async def test_no_secret_reaches_browser_address_or_log(app: SignIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    heard = Eavesdropper()
    pages: list[str] = []
    async with browser_of(app) as alice:
        heard.listen(alice.http)
        opened = await app.opened()
        kept: list[str] = []
        for redeem in [opened.site.issuer.ask_tokens]:

            def listening(request: object, redeem: object = redeem) -> object:
                tokens = yield from redeem(request)  # type: ignore[operator, misc]
                kept.extend([tokens.access_token, tokens.refresh_token, tokens.id_token])
                return tokens

            opened.site.issuer.ask_tokens = listening  # type: ignore[method-assign]
        pages.append((await alice.sign_in()).text)
        pages.append(str(await alice.session()))
        pages.append((await alice.go("/auth/callback?code=secret-code&state=secret-state")).text)
        pages.extend(f"{name}={value}" for name, value in alice.http.cookies.items())
    assert 3 == len([token for token in kept if token])
    assert [] == [token for token in kept if any(token in text for text in (*pages, caplog.text))]
    own = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("proofkey"))
    assert [] == list(heard.find_in(own, but=frozenset({"username"})))
    assert "secret-code" not in own + "".join(pages)
