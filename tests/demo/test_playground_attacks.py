"""Every attack of the playground is really sent, and stopped by the law that it names."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Locator, Route, expect

from tests.browser import window
from tests.demo.reader import Reader
from tests.dev_server import DevServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src" / "proofkey" / "demo" / "static" / "playground"
ATTACKS = [
    ("stripped_challenge", "303 See Other · invalid_request", "pkce_required", ["Law 1"]),
    ("plain", "303 See Other · invalid_request", "pkce_method_not_s256", ["Law 1"]),
    ("no_verifier", "400 Bad Request · invalid_grant", "pkce_verifier_missing", ["Law 1"]),
    ("wrong_verifier", "400 Bad Request · invalid_grant", "pkce_mismatch", ["Law 1"]),
    ("redirect_uri_at_token", "400 Bad Request · invalid_grant", "redirect_uri_differs", ["Law 6"]),
    ("replayed_code", "400 Bad Request · invalid_grant", "code_invalid", ["Law 2", "Law 10"]),
    ("replayed_refresh_token", "400 Bad Request · invalid_grant", "refresh_invalid", ["Law 5", "Law 10"]),
    ("forged_access_token", "401 Unauthorized · invalid_token", "access_token_forged", ["At the API"]),
    ("other_audience", "401 Unauthorized · invalid_token", "access_token_type", ["At the API"]),
]


async def statuses_of(card: Locator) -> list[str]:
    return await card.locator(".scene summary .pill").all_inner_texts()


async def test_every_attack_is_refused_with_its_slug_and_its_law(browser: Browser, dev: DevServer) -> None:
    found = []
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        for name, *_ in ATTACKS:
            card = await reader.attack(name)
            await expect(card.locator(".verdict-word")).to_have_text("Refused")
            status = await card.locator(".verdict-status").inner_text()
            slug = await card.locator(".manual .slug").inner_text()
            words = await card.locator(".verdict-words").inner_text()
            assert words.endswith(f"[{slug}]")
            await expect(card.locator("h4")).to_be_focused()
            found.append((name, status, slug, await card.locator(".law .law-name").all_inner_texts()))
        assert [] == reader.complaints
    assert ATTACKS == found


async def test_what_an_attack_shows_was_sent(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.attack("wrong_verifier")
        posted = [sent for sent in reader.requests if sent.method == "POST" and sent.url.endswith("/oauth2/token")]
        statuses = [answer.status for sent in posted if (answer := await sent.response())]
        assert [400, 200] == statuses
        first, second = (parse_qs(sent.post_data or "") for sent in posted)
        assert (first["code"], True) == (second["code"], first["code_verifier"] != second["code_verifier"])


async def test_an_attack_s_answer_counts_once(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.attack("replayed_code")
        [landed] = [sent.url for sent in reader.requests if "/playground/callback?" in sent.url]
        spent = len(reader.requests)
        await reader.page.goto(landed)
        await expect(reader.page.get_by_role("alert")).to_contain_text("belongs to no sign-in begun in this tab")
        await reader.stands_at(1)
        assert [] == [sent.url for sent in reader.requests[spent:] if sent.method == "POST"]


async def test_a_refused_attempt_leaves_the_code_good(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        for name in ("no_verifier", "wrong_verifier", "redirect_uri_at_token"):
            assert ["400", "200"] == await statuses_of(await reader.attack(name))


async def test_a_replayed_code_kills_the_grant_and_the_page_shows_what_died(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        card = await reader.attack("replayed_code")
        assert ["200", "400", "401", "400", "200"] == await statuses_of(card)
        await expect(card.locator(".aftermath li.dead")).to_have_count(3)
        await expect(card.locator(".aftermath li.alive")).to_contain_text("at most 5 minutes")
        await card.get_by_role("button", name="Attack again").click()
        await reader.stands_at(1)
        await expect(card.locator(".verdict")).to_be_visible()
        await card.get_by_role("button", name="Begin the walk again").click()
        await reader.stands_at(1)
        await reader.walk_to(11)


async def test_a_replayed_refresh_token_ends_the_family_but_a_retried_one_does_not(
    browser: Browser, dev: DevServer
) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        card = await reader.attack("replayed_refresh_token")
        assert ["200", "200", "200", "200", "400", "400", "401"] == await statuses_of(card)


async def test_the_walk_survives_attacks_and_its_own_thief(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.walk_to(6)
        for name, slug in (
            ("Redeem it without the verifier", "pkce_verifier_missing"),
            ("Guess a verifier", "pkce_mismatch"),
        ):
            await reader.page.locator("#panel").get_by_role("button", name=name).click()
            await expect(reader.page.locator("#panel .manual .slug")).to_have_text(slug)
            await expect(reader.page.locator("#panel .law-name").first).to_have_text("Law 1")
        code = await reader.value("code")
        await reader.attack("replayed_code")
        await reader.stands_at(6)
        assert code == await reader.value("code")
        for step in (7, 8, 9, 10, 11):
            await reader.go_on(to=step)


async def test_a_changed_redirect_uri_ends_on_a_page_of_the_issuer(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        visited: list[str] = []
        context.on("request", lambda sent: visited.append(urlsplit(sent.url).path))
        card = reader.page.locator("#attack-redirect_uri")
        async with context.expect_page() as opened:
            await card.get_by_role("link").click()
        tab = await opened.value
        await expect(tab.locator(".slug")).to_have_text("redirect_uri_mismatch")
        assert tab.url.startswith(f"{dev.issuer}/oauth2/authorize?")
        await expect(card.locator(".verdict-status")).to_have_text("400 Bad Request · no redirect")
        await expect(card.locator(".manual .slug")).to_have_text("redirect_uri_mismatch")
        assert ["Law 6"] == await card.locator(".law .law-name").all_inner_texts()
        await expect(card.locator(".scene")).to_contain_text("0 messages arrived there")
        assert "/playground/thief" not in visited
        assert [] == reader.complaints


async def test_the_thief_s_address_would_tell(browser: Browser, dev: DevServer) -> None:
    """Zero means something: whatever arrives there is counted."""
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        card = reader.page.locator("#attack-redirect_uri")
        await card.get_by_role("link").click()
        thief = await context.new_page()
        await thief.goto(f"{dev.told['playground']}/thief?code=c")
        await expect(thief.locator("#arrived")).to_have_text("It brought: code.")
        await expect(card.locator(".verdict-word")).to_have_text("It went through")


SHELL_SEEN = """() => {
    const look = () => {
        const drawn = document.querySelectorAll("#rows > li, #attacks .attack, #running-list li").length > 0;
        const shown = ["#panel", "#lab"].some(part => document.querySelector(part)?.checkVisibility());
        if (document.body && shown && !drawn) console.warn("an empty shell was seen");
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


async def test_all_attacks_can_run_one_after_the_other(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.page.add_init_script(f"({SHELL_SEEN})()")
        await reader.press("Run nine in a row")
        await reader.sign_in(reader.page.locator("#attack-other_audience .pill"))
        score = reader.page.locator("#score")
        await expect(score).to_have_text(f"{len(ATTACKS)} of 10 tried, {len(ATTACKS)} refused.")
        await expect(score).to_be_in_viewport(ratio=1)
        await expect(reader.page.locator("#lab-title")).to_be_focused()
        await expect(reader.page.locator(".attack .result > .pill")).to_have_count(len(ATTACKS))
        await reader.page.get_by_role("button", name="Look again: Guess a verifier").click()
        await expect(reader.page.locator("#attack-wrong_verifier .verdict-words")).to_contain_text("[pkce_mismatch]")
        await expect(reader.page.locator(".verdict")).to_have_count(1)
        assert [] == reader.complaints


async def test_while_a_row_runs_the_page_says_how_far_it_is(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.attack("no_verifier")
        asked = 0

        async def hold_the_third(route: Route) -> None:
            nonlocal asked
            asked += 1
            await (route.abort() if asked == 3 else route.continue_())

        await reader.page.route("**/oauth2/token", hold_the_third)
        seen: list[str] = []

        def hear(words: str) -> None:
            seen.append(words)

        await reader.page.expose_function("told", hear)
        await reader.page.add_init_script(
            "new MutationObserver(() => document.body?.matches('.running') && told(document.querySelector('#running')"
            ".innerText)).observe(document, {subtree: true, childList: true, attributes: true})"
        )
        await reader.press("Run nine in a row")
        await expect(reader.page.get_by_role("alert")).to_contain_text("does not answer")
        await expect(reader.page.locator("#panel-title")).to_have_text("User access")
        await expect(reader.page.locator(".attack.ran")).to_have_count(3)
        titles = list(dict.fromkeys(words.splitlines()[0] for words in seen))
    assert [f"Attack {number} of 9" for number in range(1, 5)] == titles


async def test_an_open_card_comes_first_for_the_keyboard_too(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        await reader.attack("other_audience")
        tops = await reader.page.eval_on_selector_all(
            ".attack", "all => all.map(one => { const at = one.getBoundingClientRect(); return [at.top, at.left]; })"
        )
        assert sorted(tops) == tops
        await reader.press("Begin the walk again")
        await reader.attack("no_verifier")
        found = await reader.page.eval_on_selector_all(".attack", "all => all.map(one => one.id.slice(7))")
    assert ["no_verifier", "wrong_verifier"] == found[3:5]
    assert ["replayed_refresh_token", "forged_access_token", "other_audience"] == found[-3:]


def words_in(script: str) -> list[tuple[str, str, str]]:
    """`name: ["…", "…"]` of a file of texts: the name and both strings."""
    text = (STATIC / script).read_text(encoding="utf-8")
    found = re.findall(r'^  (\w+): \[\n\s+"((?:[^"\\]|\\.)*)",\n\s+"((?:[^"\\]|\\.)*)",\n  \],', text, re.MULTILINE)
    return [(name, first.replace('\\"', '"'), second.replace('\\"', '"')) for name, first, second in found]


async def test_what_it_says_of_refusals_is_what_the_manual_says() -> None:
    manual = (ROOT / "docs" / "refusals.md").read_text(encoding="utf-8")
    told = words_in("manual.js")
    assert {slug for _, _, slug, _ in ATTACKS} | {"redirect_uri_mismatch"} <= {slug for slug, _, _ in told}
    assert [] == [
        slug
        for slug, meaning, mend in told
        if not re.search(
            rf"^### {slug}\n\n\S+ — {re.escape(meaning)}\n\n\*\*Mend:\*\* {re.escape(mend)}$", manual, re.MULTILINE
        )
    ]


async def test_its_laws_are_those_of_the_readme() -> None:
    promises = dict(
        re.findall(r"^(\d+)\. \*\*(.+?)\.?\*\*", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    laws = re.findall(
        r'^  (\d+): \{\n    title: "(.+)",', (STATIC / "laws.js").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert ["1", "2", "5", "6", "10"] == [number for number, _ in laws]
    assert [promises[number] for number, _ in laws] == [title for _, title in laws]
