"""What the playground says beside each line of a message is true of that line: in the walk, and in every attack."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from playwright.async_api import Browser, Locator, expect

from tests.attempt import s256
from tests.browser import window
from tests.demo.reader import Reader
from tests.demo.test_playground_attacks import ATTACKS
from tests.dev_server import DevServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

MESSAGES = """place => [...place.querySelectorAll("figure.message")].map(figure => ({
    who: figure.closest(".scene")?.querySelector(".scene-title strong").textContent ?? "The application",
    lines: [...figure.querySelectorAll("li:not(.gap)")].map(line => {
        const wire = line.querySelector(".wire").cloneNode(true);
        wire.querySelectorAll(".short").forEach(part => part.remove());
        return [wire.textContent.trim(), line.querySelector(".note")?.textContent ?? ""];
    }),
}))"""


class Line(NamedTuple):
    """One line with its note, and what stands around it."""

    where: str
    who: str
    wire: str
    note: str
    message: list[str]

    @property
    def value(self) -> str:
        """What stands after the name, decoded."""
        return unquote(self.wire.partition("=" if ": " not in self.wire else ": ")[2])


class Facts(NamedTuple):
    """What the notes are held against."""

    issuer: str
    api: str
    callback: str
    keys: KeySet
    challenges: set[str]
    verifiers: list[str]

    def is_access_token(self, authorization: str) -> bool:
        """Whether it verifies with the issuer's keys, and is an access token (RFC 9068 §2.1)."""
        try:
            token = jwt.decode(authorization.removeprefix("Bearer "), self.keys, algorithms=["ES256"])
        except (JoseError, ValueError):
            return False
        return bool(token.header["typ"] == "at+jwt")

    def knows(self, verifier: str) -> bool:
        """Whether its hash was ever sent as a challenge."""
        return s256(verifier) in self.challenges


Truth = Callable[[Line, Facts], bool]
TRUTHS: dict[str, Truth] = {
    "The hash of the verifier": lambda line, _: "&code_challenge_method=S256" in line.message,
    "How it was hashed": lambda line, _: line.value == "S256",
    "The verifier itself, in clear": lambda line, _: "&code_challenge_method=plain" in line.message,
    "Not hashed at all": lambda line, _: line.value == "plain",
    "The secret that the challenge was made from": lambda line, facts: facts.knows(line.value),
    "The secret of step 2. This is the first time": lambda line, facts: facts.verifiers.count(line.value) == 1,
    "The right one": lambda line, facts: line.who == "The thief" and facts.knows(line.value),
    "A guess": lambda line, facts: line.who == "The thief" and not facts.knows(line.value),
    "The access token": lambda line, facts: facts.is_access_token(line.value),
    "The newest access token": lambda line, facts: facts.is_access_token(line.value),
    "A forgery": lambda line, facts: not facts.is_access_token(line.value),
    "The ID token, where": lambda line, facts: not facts.is_access_token(line.value),
    "Where the answer goes": lambda line, facts: line.value == facts.callback,
    "The address that the code was sent to": lambda line, facts: line.value == facts.callback,
    "The thief's": lambda line, facts: line.value != facts.callback,
    "Added by the browser, and no page can change it: the issuer": lambda line, facts: (
        line.who != "The thief" and f"Host: {facts.issuer}" in line.message
    ),
    "Added by the browser, and no page can change it: the API": lambda line, facts: (
        line.who != "The thief" and f"Host: {facts.api}" in line.message
    ),
    "This page plays the thief": lambda line, _: line.who == "The thief",
    "JSON.": lambda line, _: line.value.startswith("application/json"),
    "A page for the person": lambda line, _: line.value.startswith("text/html"),
    "Nothing of this may be kept": lambda line, _: line.value == "no-store",
    "Read in an address": lambda line, _: line.who == "The thief",
    "A ticket that is good once": lambda line, _: (line.where, line.who) != ("replayed_code", "The thief"),
}


async def lines_of(where: str, place: Locator) -> list[Line]:
    messages = await place.evaluate(MESSAGES)
    return [
        Line(where, message["who"], wire, note, [wire for wire, _ in message["lines"]])
        for message in messages
        for wire, note in message["lines"]
        if note
    ]


async def everything_said(reader: Reader) -> list[Line]:
    """Each annotated line of the walk and of the ten attacks."""
    said = []
    await reader.walk_to(11)
    for step in range(1, 12):
        await reader.look_at(step)
        said += await lines_of(f"step {step}", reader.page.locator("#panel-body"))
    for name, *_ in ATTACKS:
        said += await lines_of(name, await reader.attack(name))
    card = reader.page.locator("#attack-redirect_uri")
    await card.get_by_role("link").click()
    await expect(card.locator(".verdict")).to_be_visible()
    return said + await lines_of("redirect_uri", card)


async def facts_of(dev: DevServer, reader: Reader) -> Facts:
    queries = [parse_qs(urlsplit(sent.url).query) for sent in reader.requests if "/oauth2/authorize?" in sent.url]
    forms = [parse_qs(sent.post_data or "") for sent in reader.requests if sent.method == "POST"]
    async with httpx2.AsyncClient(trust_env=False) as http:
        keys = KeySet.import_key_set((await http.get(f"{dev.issuer}/.well-known/jwks.json")).json())
    return Facts(
        urlsplit(dev.issuer).netloc,
        urlsplit(dev.told["resource"]["url"]).netloc,
        f"{dev.told['playground']}/callback",
        keys,
        {value for query in queries for value in query.get("code_challenge", [])},
        [value for form in forms for value in form.get("code_verifier", [])],
    )


@pytest.mark.timeout(240)
async def test_no_line_of_walk_or_attack_is_told_what_is_not_true_of_it(browser: Browser, dev: DevServer) -> None:
    async with window(browser) as context:
        reader = await Reader.open(dev, context)
        said = await everything_said(reader)
        facts = await facts_of(dev, reader)
    held = [(start, line) for line in said for start in TRUTHS if line.note.startswith(start)]
    assert [] == [(line.where, line.wire[:60], line.note) for start, line in held if not TRUTHS[start](line, facts)]
    assert set(TRUTHS) == {start for start, _ in held}
