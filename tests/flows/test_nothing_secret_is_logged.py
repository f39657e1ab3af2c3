"""A whole journey, its mistakes and its failures: no line anywhere holds what was issued, sent or typed (law 7)."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import httpx2
import pytest

from proofkey.server.store.contract import StoreUnavailable
from tests.attempt import sent_back
from tests.engine import APP, MASTER_KEY, SECRETS, Deployment, attempt_of, credentials

SECRET_NAMES = frozenset(
    "code access_token refresh_token id_token code_verifier code_challenge client_secret password request ticket state nonce"
    " id_token_hint login_hint token claims".split()
)
HARMLESS = frozenset({"", "x", "code", "openid"})


class Eavesdropper:
    """Hears every request and answer, and remembers whatever must not be logged."""

    def __init__(self) -> None:
        self.heard: set[str] = {*SECRETS.passwords.values(), *SECRETS.client_secrets.values(), MASTER_KEY.hex()}

    def hear(self, pairs: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> None:
        self.heard |= {value for name, value in pairs if name in SECRET_NAMES and value not in HARMLESS}

    async def request(self, request: httpx2.Request) -> None:
        self.hear(parse_qsl(urlsplit(str(request.url)).query))
        self.hear(parse_qsl(request.content.decode("latin-1")))
        authorization = request.headers.get("authorization", "")
        self.heard |= {authorization.partition(" ")[2]} - {""}

    async def response(self, answer: httpx2.Response) -> None:
        await answer.aread()
        parts = urlsplit(answer.headers.get("location", ""))
        self.hear(parse_qsl(parts.query) + parse_qsl(parts.fragment))
        self.hear(re.findall(r'name="([a-z_]+)" value="([^"]*)"', answer.text))
        if answer.headers.get("content-type") == "application/json":
            self.hear([(name, value) for name, value in answer.json().items() if isinstance(value, str)])
        for cookie in answer.headers.get_list("set-cookie"):
            self.heard |= {cookie.split(";")[0].partition("=")[2]} - {""}

    def spellings(self) -> set[str]:
        """Everything heard, as it is and percent-encoded, and the recognisable start of what is long."""
        return {
            spelling
            for heard in self.heard
            for spelling in (heard, quote(heard, safe=""), quote_plus(heard), heard[:40] if len(heard) > 60 else heard)
        }


@contextmanager
def listening_in(deployment: Deployment) -> Iterator[Eavesdropper]:
    ears = Eavesdropper()
    make = deployment.client

    def client(*args: Any, **kwargs: Any) -> httpx2.AsyncClient:
        made = make(*args, **kwargs)
        made.event_hooks = {"request": [ears.request], "response": [ears.response]}
        return made

    deployment.client = client  # type: ignore[method-assign]
    yield ears


async def make_a_journey(deployment: Deployment) -> None:
    browser, attempt = deployment.browser(), attempt_of()
    page = await browser.ask({**attempt.query, "login_hint": "someone@private.example", "state": "a state & more é"})
    await browser.sign_in(page, "alice", "a wrong password typed")
    page = await browser.sign_in(page)
    code = sent_back(await browser.decide(page))["code"]
    tokens = (await deployment.redeem(attempt, code)).json()
    await deployment.userinfo(tokens["access_token"])
    await deployment.introspect(tokens["access_token"])
    after = (await deployment.refresh(tokens["refresh_token"])).json()
    deployment.clock.turn(11_000)
    await deployment.refresh(tokens["refresh_token"])
    await deployment.refresh(after["refresh_token"])
    web = await browser.tokens("web", response_mode="query")
    await deployment.post("oauth2/revoke", {"token": web["refresh_token"], **credentials("web")})
    await browser.http.get("oauth2/logout", params={"id_token_hint": web["id_token"], "state": secrets.token_hex(12)})


async def make_mistakes(deployment: Deployment) -> None:
    browser, attempt = deployment.browser(), attempt_of()
    code = await browser.code(attempt)
    for changed in (
        {"code_verifier": attempt.query["code_challenge"]},
        {"code_verifier": "too-short-but-secret"},
        {"redirect_uri": f"{APP}/?token={secrets.token_hex(12)}"},
        {"client_id": "web", "client_secret": "not-the-right-secret-at-all"},
        {"client_secret": "a-public-clients-secret"},
        {"code": code[:-3] + "AAA"},
    ):
        await deployment.token({**attempt.redemption(code), **changed})
    await deployment.redeem(attempt, code)
    await deployment.redeem(attempt, code)
    for params in (
        {"code_challenge": "a-verifier-sent-as-challenge-" + "x" * 20},
        {"code_challenge_method": "plain", "state": secrets.token_hex(12)},
        {"redirect_uri": f"https://evil.example/?code={secrets.token_hex(12)}"},
        {"id_token_hint": "a.forged.hint-" + secrets.token_hex(9), "prompt": "none"},
        {"claims": '{"id_token": {"sub": {"value": "a-private-subject"}}}', "prompt": "none"},
    ):
        await browser.ask({**attempt.query, **params})
    await browser.http.post("login", data={"request": "A" * 100, "password": "typed-into-a-broken-form"})
    await deployment.token({"grant_type": "refresh_token", "refresh_token": "R" * 70, "client_id": "spa"})
    await deployment.token({"grant_type": "client_credentials"}, authorization="Basic bm90OnRoZS1yaWdodC1zZWNyZXQ=")
    await deployment.userinfo("a.broken.access-token-" + secrets.token_hex(8))


async def make_failures(deployment: Deployment) -> None:
    attempt, browser = attempt_of(), deployment.browser()
    code = await browser.code(attempt)
    deployment.clock.turn(1)
    page = await browser.ask({**attempt.query, "prompt": "login"})
    for failure in (RuntimeError("broken"), StoreUnavailable("away")):

        async def broken(*_: Any, _failure: Exception = failure) -> Any:
            raise _failure

        for name in ("redeem_code", "count_attempt", "find_grant", "find_signed_in", "find_user"):
            setattr(deployment.store, name, broken)
        assert (await deployment.redeem(attempt, code)).status_code >= 500
        assert (await browser.sign_in(page)).status_code >= 500
        assert (await browser.ask(attempt.query)).status_code >= 500


async def test_no_line_of_a_whole_journey_holds_a_secret(
    deployment: Deployment, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with listening_in(deployment) as ears:
        await make_a_journey(deployment)
        await make_mistakes(deployment)
        await make_failures(deployment)
    out, err = capfd.readouterr()
    written = "\n".join((out, err, *(record.getMessage() for record in caplog.records if record.name != "httpx2")))
    assert written.count("refused") > 15
    assert "RuntimeError: broken" in written
    assert len(ears.heard) > 60
    assert [] == sorted(spelling for spelling in ears.spellings() if spelling in written)


async def test_the_scan_would_find_a_secret(deployment: Deployment) -> None:
    with listening_in(deployment) as ears:
        tokens = await deployment.sign_in()
    assert {tokens["access_token"], tokens["refresh_token"], SECRETS.passwords["alice"]} <= ears.spellings()
