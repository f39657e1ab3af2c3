"""Signing out: here first, then the refresh token, then at the issuer, and back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from proofkey.client.web import MemoryStore, SignIn
from tests.client.web.clock import MINUTE, ForwardClock
from tests.client.web.web_app import ORIGIN, REDIRECT_URI, browser_of, declaration, sign_in_at
from tests.dev_server import DevServer, StartDev
from tests.person import form_with


async def test_a_form_signs_out_here_and_at_the_issuer(app: SignIn, web_dev: DevServer) -> None:
    async with browser_of(app) as alice:
        await alice.sign_in()
        token = (await alice.session())["csrf"]
        form = {"sec-fetch-mode": "navigate", "origin": ORIGIN, "accept": "text/html"}
        answer = await alice.http.post(alice.at("/auth/logout"), data={"csrf": token}, headers=form)
        sent = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        assert {"signed_in": False} == await alice.session()
        assert {"id_token_hint", "post_logout_redirect_uri", "state"} == set(sent)
        page = await alice.follow(answer)
        assert (200, "/ nobody") == (page.status_code, page.text)
        again = await alice.go("/auth/login")
        assert form_with(await alice.go(again.headers["location"]), "password"), "the issuer forgot them as well"


async def test_a_page_that_sends_no_referer_signs_out(app: SignIn) -> None:
    async with browser_of(app) as alice:
        await alice.sign_in()
        token = (await alice.session())["csrf"]
        form = {"sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin", "origin": "null", "accept": "text/html"}
        answer = await alice.http.post(alice.at("/auth/logout"), data={"csrf": token}, headers=form)
        assert 303 == answer.status_code
        assert {"signed_in": False} == await alice.session()


async def test_a_script_is_told_where_to_go_on(app: SignIn) -> None:
    async with browser_of(app) as alice:
        await alice.sign_in()
        answer = await alice.fetch("POST", "/auth/logout", x_csrf_token=(await alice.session())["csrf"])
    assert (200, ["location"]) == (answer.status_code, list(answer.json()))
    assert "/oauth2/logout?" in answer.json()["location"]


async def test_the_refresh_token_is_given_back(web_dev: DevServer) -> None:
    store = MemoryStore()
    app = sign_in_at(web_dev, store=store, scope="openid profile offline_access notes:read")
    async with browser_of(app) as alice:
        await alice.sign_in()
        opened = await app.opened()
        [stored] = store._sessions.values()
        from proofkey.client.web.session import Contents

        contents = opened.site.sealing.open_session(stored.key, stored.sealed, Contents)
        assert contents is not None
        assert contents.refresh_token
        await alice.fetch("POST", "/auth/logout", x_csrf_token=(await alice.session())["csrf"])
        token = {"grant_type": "refresh_token", "refresh_token": contents.refresh_token}
        secret = web_dev.application("web")["client_id"], "the-secret-of-web-has-more-than-32-characters"
        answer = await alice.http.post(f"{web_dev.issuer}/oauth2/token", data=token, auth=secret)
    await app.close()
    assert (400, "invalid_grant") == (answer.status_code, answer.json()["error"])


async def test_who_is_not_signed_in_signs_out_without_more(app: SignIn) -> None:
    async with browser_of(app) as nobody:
        answer = await nobody.fetch("POST", "/auth/logout")
    assert (303, "/") == (answer.status_code, answer.headers["location"])


async def test_sign_out_needs_the_csrf_token_of_this_session(app: SignIn) -> None:
    async with browser_of(app) as alice, browser_of(app, username="bob") as bob:
        await alice.sign_in()
        await bob.sign_in()
        without = await alice.fetch("POST", "/auth/logout")
        with_bob_s = await alice.fetch("POST", "/auth/logout", x_csrf_token=(await bob.session())["csrf"])
        assert (await alice.session())["signed_in"]
    assert (403, True) == (without.status_code, "[csrf_token_differs]" in without.text)
    assert 403 == with_bob_s.status_code


async def test_sign_out_by_another_origin_is_refused(app: SignIn) -> None:
    async with browser_of(app) as alice:
        await alice.sign_in()
        token = (await alice.session())["csrf"]
        answer = await alice.fetch("POST", "/auth/logout", x_csrf_token=token, origin="https://evil.example")
        assert (await alice.session())["signed_in"]
    assert (403, True) == (answer.status_code, "[logout_from_elsewhere]" in answer.text)


async def test_sign_out_is_not_a_link(app: SignIn) -> None:
    async with browser_of(app) as alice:
        await alice.sign_in()
        answer = await alice.go("/auth/logout")
        assert (await alice.session())["signed_in"]
    assert (405, "POST") == (answer.status_code, answer.headers["allow"])


async def test_coming_back_with_another_state_is_refused(app: SignIn) -> None:
    async with browser_of(app) as alice:
        await alice.sign_in()
        await alice.fetch("POST", "/auth/logout", x_csrf_token=(await alice.session())["csrf"])
        state = next(value for name, value in alice.http.cookies.items() if "proofkey_logout" in name)
        for query in ("", "?state=another", f"?state={state}&state=b", f"?state=b&state={state}"):
            answer = await alice.go(f"/auth/logged-out{query}")
            assert (400, True) == (answer.status_code, "[logout_state_differs]" in answer.text)


async def test_an_issuer_that_is_gone_keeps_nobody_signed_in(start_dev: StartDev, tmp_path: Path) -> None:
    file = tmp_path / "proofkey.yaml"
    file.write_text(declaration([REDIRECT_URI]), encoding="utf-8")
    server = await asyncio.to_thread(start_dev, "--config", str(file))
    clock = ForwardClock()
    app = sign_in_at(server, clock=clock)
    async with browser_of(app) as alice:
        await alice.sign_in()
        token = (await alice.session())["csrf"]
        server.kill()
        clock.turn(11 * MINUTE)
        answer = await alice.fetch("POST", "/auth/logout", x_csrf_token=token)
        assert (200, {"location": "/"}) == (answer.status_code, answer.json())
        assert {"signed_in": False} == await alice.session()
    await app.close()


async def test_a_cookie_that_was_kept_is_worth_nothing_after_sign_out(app: SignIn) -> None:
    async with browser_of(app) as alice, browser_of(app) as thief:
        await alice.sign_in()
        thief.http.cookies.update(dict(alice.http.cookies))
        assert (await thief.session())["signed_in"]
        await alice.fetch("POST", "/auth/logout", x_csrf_token=(await alice.session())["csrf"])
        assert {"signed_in": False} == await thief.session()


async def test_a_link_to_the_sign_out_says_what_to_do_instead(app: SignIn) -> None:
    async with browser_of(app) as alice:
        await alice.sign_in()
        page, script = await alice.go("/auth/logout"), await alice.fetch("GET", "/auth/logout")
        assert (await alice.session())["signed_in"]
    for answer in (page, script):
        assert (405, "POST", True) == (
            answer.status_code,
            answer.headers["allow"],
            "[logout_not_posted]" in answer.text,
        )
    assert "use the application&#x27;s own button" in page.text
