"""The playground as its reader walks through it: eleven steps by clicking, and every value shown is real."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.async_api import Browser, expect

from tests.attempt import s256
from tests.browser import DESKTOP, PHONE, window
from tests.demo.reader import Reader
from tests.dev_server import DevServer, StartDev

pytestmark = pytest.mark.asyncio(loop_scope="session")

YOU, APP, ISSUER, API, THIEF = range(5)


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
async def test_a_reader_walks_all_eleven_steps_by_clicking(browser: Browser, dev: DevServer, width: int) -> None:
    titles = []
    async with window(browser, width=width) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(11)
        await expect(reader.page.get_by_label("Your notes")).to_contain_text("Your first note")
        states = await reader.page.eval_on_selector_all("#rows > li", "rows => rows.map(row => row.dataset.state)")
        assert ["done"] * 11 == states
        for step in range(1, 12):
            await reader.look_at(step)
            titles.append(await reader.title.inner_text())
        assert [] == reader.complaints
    assert [
        "User access",
        "Generate code verifier and challenge",
        "Authorization request",
        "Consent displayed",
        "User authentication and consent",
        "Authorization code issued",
        "Token request",
        "Validation by the authorization server",
        "Tokens issued",
        "Request to the resource server",
        "Resource access",
    ] == titles


async def test_the_same_over_https(browser: Browser, start_dev: StartDev) -> None:
    server = start_dev("--tls")
    async with window(browser, ignore_https_errors=True) as context:
        reader = await Reader.open(server, context)
        assert "https" == urlsplit(reader.page.url).scheme
        await reader.walk_to(11)
        await reader.attack("replayed_code")
        assert [] == reader.complaints


async def test_what_is_shown_is_what_was_sent(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.go_on(to=2)
        verifier, challenge, state = [await reader.value(name) for name in ("verifier", "challenge", "state")]
        assert s256(verifier) == challenge
        await reader.go_on(to=3)
        await reader.visit_the_issuer()
        code = await reader.value("code")
        await reader.go_on(to=7)
        assert (code, verifier) == (await reader.value("code"), await reader.value("verifier"))
        for step in (8, 9, 10, 11):
            await reader.go_on(to=step)
        [asked] = [sent for sent in reader.requests if "/oauth2/authorize" in sent.url]
        query = parse_qs(urlsplit(asked.url).query)
        assert ([challenge], ["S256"], [state]) == (
            query["code_challenge"],
            query["code_challenge_method"],
            query["state"],
        )
        [redeemed] = [sent for sent in reader.requests if sent.method == "POST" and "/oauth2/token" in sent.url]
        form = parse_qs(redeemed.post_data or "")
        assert ([code], [verifier]) == (form["code"], form["code_verifier"])
        [called] = [
            sent for sent in reader.requests if sent.url == dev.told["resource"]["url"] and sent.method == "GET"
        ]
        await reader.look_at(10)
        assert f"Bearer {await reader.value('access')}" == (await called.all_headers())["authorization"]


async def test_the_tokens_verify_elsewhere_and_the_page_finds_the_same(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.go_on(to=2)
        nonce = await reader.value("nonce")
        await reader.go_on(to=3)
        await reader.visit_the_issuer()
        for step in (7, 8, 9):
            await reader.go_on(to=step)
        async with httpx2.AsyncClient(trust_env=False) as http:
            keys = KeySet.import_key_set((await http.get(f"{dev.issuer}/.well-known/jwks.json")).json())
        id_token = jwt.decode(await reader.value("id"), keys, algorithms=["ES256"])
        access_token = jwt.decode(await reader.value("access"), keys, algorithms=["ES256"])
        assert (nonce, "playground") == (id_token.claims["nonce"], id_token.claims["aud"])
        assert ("at+jwt", dev.told["resource"]["audience"]) == (access_token.header["typ"], access_token.claims["aud"])
        checks = reader.page.locator("#panel-body .checks li")
        assert ["holds"] * 6 == [await check.get_attribute("class") for check in await checks.all()]


async def test_a_signature_that_does_not_verify_is_seen(browser: Browser, dev: DevServer) -> None:
    """The page's check can fail: the same tokens beside another deployment's keys."""
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(8)

        async def other_keys(route):  # type: ignore[no-untyped-def]
            response = await route.fetch()
            keys = json.loads(await response.text())
            for key in keys["keys"]:
                key["x"], key["y"] = (
                    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                )
            await route.fulfill(response=response, body=json.dumps(keys))

        await reader.page.route("**/jwks.json", other_keys)
        await reader.go_on(to=9)
        await expect(reader.page.locator("#panel-body .checks li.fails")).to_have_count(1)
        await expect(reader.page.locator("#panel-body .checks li.fails")).to_contain_text("The signature verifies")


async def test_the_board_says_who_knows_what_at_each_step(browser: Browser, dev: DevServer) -> None:
    seen = {}
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(11)
        for step in (1, 3, 6, 7, 11):
            await reader.look_at(step)
            seen[step] = [await reader.knows("code_verifier", party) for party in (YOU, APP, ISSUER, API, THIEF)]
        await reader.look_at(6)
        codes = [await reader.knows("code", party) for party in (YOU, APP, ISSUER, API, THIEF)]
        await reader.look_at(11)
        passwords = [await reader.knows("password", party) for party in (YOU, APP, ISSUER, API, THIEF)]
    assert {
        1: ["never", "never", "never", "never", "never"],
        3: ["never", "knows", "hash", "never", "hash"],
        6: ["never", "knows", "hash", "never", "hash"],
        7: ["never", "knows", "knows", "never", "hash"],
        11: ["never", "knows", "knows", "never", "hash"],
    } == seen
    assert ["never", "knows", "knows", "never", "knows"] == codes
    assert ["knows", "never", "hash", "never", "never"] == passwords


async def test_a_reload_in_the_middle_loses_nothing_and_sends_nothing_twice(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.go_on(to=2)
        verifier = await reader.value("verifier")
        await reader.page.reload()
        await reader.stands_at(2)
        assert verifier == await reader.value("verifier")
        await reader.go_on(to=3)
        await reader.visit_the_issuer()
        assert dev.told["playground"] == reader.page.url
        code = await reader.value("code")
        await reader.page.reload()
        await reader.stands_at(6)
        assert code == await reader.value("code")
        for step in (7, 8, 9):
            await reader.go_on(to=step)
        token = await reader.value("access")
        await reader.page.reload()
        await reader.stands_at(9)
        assert token == await reader.value("access")
        assert 1 == len([sent for sent in reader.requests if sent.method == "POST" and "/oauth2/token" in sent.url])
        for step in (10, 11):
            await reader.go_on(to=step)
        assert [] == reader.complaints


async def test_who_comes_back_without_an_answer_may_go_again(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        for step in (2, 3):
            await reader.go_on(to=step)
        await reader.press("Go to the issuer")
        await expect(reader.page.get_by_label("Password")).to_be_visible()
        await reader.page.go_back()
        await reader.stands_at(3)
        await expect(reader.page.get_by_text("came back without an answer")).to_be_visible()
        await reader.visit_the_issuer()


async def test_who_denies_sees_the_refusal_and_may_begin_again(browser: Browser, start_dev: StartDev) -> None:
    server = start_dev()
    async with window(browser) as context:
        reader = await Reader.open(server, context)
        for step in (2, 3):
            await reader.go_on(to=step)
        await reader.press("Go to the issuer")
        await reader.page.get_by_label("Email or username").fill("alice")
        await reader.page.get_by_label("Password").fill(server.password_of("alice"))
        await reader.press("Sign in")
        await reader.press("Deny")
        await reader.stands_at(6)
        await expect(reader.page.locator("#panel-body .refused")).to_contain_text("error=access_denied")
        await reader.page.locator("#next").click()
        await reader.stands_at(1)
        await reader.walk_to(11)
        assert [] == reader.complaints


async def test_an_answer_that_nobody_asked_for_is_thrown_away(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.go_on(to=2)
        await reader.page.goto(f"{dev.told['playground']}/callback?code=c&state=s&iss={dev.issuer}")
        await reader.stands_at(2)
        await expect(reader.page.get_by_role("alert")).to_contain_text("belongs to no sign-in begun in this tab")
        assert dev.told["playground"] == reader.page.url


async def test_a_code_that_grew_too_old_is_replaced_by_a_fresh_one(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(7)
        stale = await reader.value("code")
        await reader.page.evaluate(
            """() => {
                const kept = JSON.parse(sessionStorage.getItem("proofkey-playground"));
                kept.walk.backAt -= 61_000;
                sessionStorage.setItem("proofkey-playground", JSON.stringify(kept));
            }"""
        )
        await reader.page.reload()
        await reader.stands_at(7)
        await reader.press("Fetch a fresh code")
        await reader.stands_at(6)
        assert stale != await reader.value("code")
        for step in (7, 8):
            await reader.go_on(to=step)


async def test_who_was_slower_than_a_thief_with_everything_sees_the_refusal(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(7)
        stolen = {name: await reader.value(name) for name in ("code", "verifier")}
        form = {
            "grant_type": "authorization_code",
            "client_id": "playground",
            "redirect_uri": f"{dev.told['playground']}/callback",
            "code": stolen["code"],
            "code_verifier": stolen["verifier"],
        }
        async with httpx2.AsyncClient(trust_env=False) as http:
            assert 200 == (await http.post(f"{dev.issuer}/oauth2/token", data=form)).status_code
        await reader.press("Send it")
        await expect(reader.page.locator("#panel-body .message.refused")).to_contain_text("[code_invalid]")
        await reader.press("Fetch a fresh code")
        await reader.stands_at(6)
        for step in (7, 8):
            await reader.go_on(to=step)


async def test_copied_as_curl_it_is_the_same_request(browser: Browser, dev: DevServer) -> None:
    async with window(browser, permissions=["clipboard-read", "clipboard-write"]) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(7)
        verifier = await reader.value("verifier")
        await reader.page.locator("#panel-body").get_by_role("button", name="Copy as curl").click()
        copied = await reader.page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(f"curl --include --request POST '{dev.issuer}/oauth2/token'")
        assert f"--data 'code_verifier={verifier}'" in copied
