"""Which logout tokens end sessions (OpenID Connect Back-Channel Logout 1.0 §2.6), by rule and at the endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from proofkey import jose
from proofkey.client.logout_token import EVENT, LogoutNotice, LogoutTokenRefused, check_logout_token, check_typ
from proofkey.client.web import MemoryStore, SessionStore, SignIn, StoredSession, StoreUnavailable
from proofkey.client.web.session import session_key_of, without_sid
from tests.client.web.browser import WebBrowser
from tests.client.web.clock import HOUR, ForwardClock
from tests.client.web.web_app import REDIRECT_URI, browser_of, greet
from tests.guard.sample_issuer import KEY, OTHER_KEY, SampleIssuer
from tests.listening import bind, listening, url_of

NOON = 1_795_262_400_000
CLAIMS: dict[str, Any] = {
    "iss": "https://login.example",
    "aud": "notes",
    "iat": NOON // 1_000,
    "exp": NOON // 1_000 + 120,
    "jti": "j1",
    "events": {EVENT: {}},
    "sid": "s1",
    "sub": "alice",
}


def changed(**claims: Any) -> dict[str, Any]:
    """`None` takes one out."""
    return {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}


def check(claims: dict[str, Any], now: int = NOON) -> LogoutNotice:
    return check_logout_token(claims, expected_issuer="https://login.example", expected_client_id="notes", now=now)


def test_a_good_logout_token_names_whom_it_ends() -> None:
    assert LogoutNotice("s1", "alice", "j1", NOON) == check(CLAIMS)
    assert LogoutNotice(None, "alice", "j1", NOON) == check(changed(sid=None, aud=["other", "notes"]))
    assert LogoutNotice("s1", None, "j1", NOON) == check(changed(sub=None))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://evil.example"}, "logout_token_issuer_differs"),
        ({"aud": "other"}, "logout_token_audience_differs"),
        ({"aud": ["other"]}, "logout_token_audience_differs"),
        ({"aud": None}, "logout_token_audience_differs"),
        ({"events": None}, "logout_token_event_missing"),
        ({"events": {}}, "logout_token_event_missing"),
        ({"events": {EVENT: True}}, "logout_token_event_missing"),
        ({"events": [EVENT]}, "logout_token_event_missing"),
        ({"nonce": "n"}, "logout_token_with_nonce"),
        ({"iat": None}, "logout_token_times_malformed"),
        ({"exp": None}, "logout_token_times_malformed"),
        ({"exp": "1795262500"}, "logout_token_times_malformed"),
        ({"iat": True}, "logout_token_times_malformed"),
        ({"iat": NOON // 1_000 + 3_600, "exp": NOON // 1_000 + 7_200}, "logout_token_expired"),
        ({"iat": NOON // 1_000 - 7_200, "exp": NOON // 1_000 - 3_600}, "logout_token_expired"),
        ({"sid": None, "sub": None}, "logout_token_about_nobody"),
        ({"sid": 5}, "logout_token_about_nobody"),
        ({"sid": "", "sub": ""}, "logout_token_about_nobody"),
        ({"jti": None}, "logout_token_about_nobody"),
        ({"jti": 1}, "logout_token_about_nobody"),
    ],
)
def test_any_other_ends_nothing(claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(LogoutTokenRefused) as refused:
        check(changed(**claims))
    assert reason == refused.value.reason


@pytest.mark.parametrize(
    ("typ", "reason"),
    [("logout+jwt", None), ("application/logout+jwt", None), ("JWT", None), ("at+jwt", "logout_token_typ_differs")],
)
def test_a_type_that_is_named_must_fit(typ: str, reason: str | None) -> None:
    token = KEY.sign(typ, CLAIMS)
    if reason is None:
        check_typ(token)
        return
    with pytest.raises(LogoutTokenRefused, match=reason):
        check_typ(token)


@pytest.mark.parametrize("token", ["", "x", "e30", "W10.e30.x", "!!.e30.x", "." * 10])
def test_what_is_no_jwt_is_refused(token: str) -> None:
    with pytest.raises(LogoutTokenRefused, match="logout_token_malformed"):
        check_typ(token)


@pytest.fixture
def issuer() -> Iterator[SampleIssuer]:
    """An issuer that listens, with two keys."""
    listener = bind()
    sample = SampleIssuer(url_of(listener))
    sample.metadata |= {
        "authorization_endpoint": f"{sample.issuer}/authorize",
        "token_endpoint": f"{sample.issuer}/token",
        "code_challenge_methods_supported": ["S256"],
    }
    with listening(sample, listener):
        yield sample


class Receiver:
    """An application with four sessions of two people, and the endpoint that ends them."""

    def __init__(self, issuer: SampleIssuer, *, store: SessionStore | None = None, **options: Any) -> None:
        self.issuer, self.store, self.clock = issuer.issuer, store or MemoryStore(), ForwardClock()
        self.app = SignIn(
            greet,
            issuer=issuer.issuer,
            client_id="notes",
            client_secret="s" * 32,
            redirect_uri=REDIRECT_URI,
            store=self.store,
            clock=self.clock,
            **options,
        )

    async def begin(self) -> None:
        """The sessions, signed in later than whatever was signed out."""
        self.clock.turn(1)
        now = self.clock()
        for name, subject, sid in (
            ("a1", "alice", "s1"),
            ("a2", "alice", "s2"),
            ("a3", "alice", None),
            ("b1", "bob", "s1b"),
        ):
            sid_key = session_key_of(self.issuer, "sid", sid) if sid else without_sid(self.issuer, subject)
            subject_key = session_key_of(self.issuer, "sub", subject)
            kept = StoredSession(name.encode(), sid_key, subject_key, "", now + HOUR, now + HOUR, signed_in_at=now)
            assert await self.store.start_session(kept, now=now)

    async def left(self) -> list[str]:
        """Which sessions are still there."""
        return [name for name in ("a1", "a2", "a3", "b1") if await self.store.find_session(name.encode())]

    def token(self, key: jose.SigningKey = KEY, typ: str = "logout+jwt", **claims: Any) -> str:
        """A logout token of now."""
        now = self.clock() // 1_000
        return key.sign(typ, changed(**{"iss": self.issuer, "iat": now, "exp": now + 120, **claims}))

    async def post(self, token: str, browser: WebBrowser) -> tuple[int, str]:
        """Deliver it as issuers do: without cookies or Origin."""
        answer = await browser.http.post(browser.at("/auth/backchannel-logout"), data={"logout_token": token})
        assert "no-store" == answer.headers["cache-control"]
        return answer.status_code, answer.text


async def test_a_sid_ends_that_session_a_name_those_without_and_a_name_alone_all_of_them(issuer: SampleIssuer) -> None:
    receiver = Receiver(issuer)
    await receiver.begin()
    async with browser_of(receiver.app) as browser:
        assert (200, "") == await receiver.post(receiver.token(jti="0", sub=None), browser)
        assert ["a2", "a3", "b1"] == await receiver.left()
        assert (200, "") == await receiver.post(receiver.token(jti="1"), browser)
        assert ["a2", "b1"] == await receiver.left()
        assert (200, "") == await receiver.post(receiver.token(jti="2", sid=None), browser)
        assert ["b1"] == await receiver.left()
        assert (200, "") == await receiver.post(receiver.token(jti="3", sub="nobody", sid=None), browser)
    await receiver.app.close()


async def test_a_forged_or_replayed_logout_token_ends_nothing(issuer: SampleIssuer) -> None:
    receiver = Receiver(issuer)
    async with browser_of(receiver.app) as browser:
        used = receiver.token(jti="used")
        assert 200 == (await receiver.post(used, browser))[0]
        assert "[logout_token_replayed]" in (await receiver.post(used, browser))[1]
        await receiver.begin()
        good = receiver.token(jti="good")
        header, payload, signature = good.split(".")
        unsigned = f"eyJhbGciOiJub25lIn0.{payload}."
        forged = {
            receiver.token(OTHER_KEY): "[id_token_key_unknown]",
            unsigned: "[id_token_unverifiable]",
            f"{header}.{payload}.{signature[:-4]}AAAA": "[id_token_unverifiable]",
            receiver.token(typ="at+jwt"): "[logout_token_typ_differs]",
            receiver.token(aud="other"): "[logout_token_audience_differs]",
            receiver.token(nonce="n"): "[logout_token_with_nonce]",
            "": "[logout_token_missing]",
        }
        for token, expected in forged.items():
            status, told = await receiver.post(token, browser)
            assert (400, True) == (status, expected in told), (expected, told)
        as_json = await browser.http.post(browser.at("/auth/backchannel-logout"), json={"logout_token": good})
        assert (400, 405) == (as_json.status_code, (await browser.go("/auth/backchannel-logout")).status_code)
        assert ["a1", "a2", "a3", "b1"] == await receiver.left()
        assert 200 == (await receiver.post(good, browser))[0]
    await receiver.app.close()


async def test_a_store_that_fails_for_a_moment_leaves_nobody_signed_in(issuer: SampleIssuer) -> None:
    receiver = Receiver(issuer)
    await receiver.begin()
    works = receiver.store.end_sessions

    async def fails(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("for a moment")

    async with browser_of(receiver.app) as browser:
        token = receiver.token()
        receiver.store.end_sessions = fails  # type: ignore[method-assign]
        assert 503 == (await receiver.post(token, browser))[0]
        receiver.store.end_sessions = works  # type: ignore[method-assign]
        assert (200, "") == await receiver.post(token, browser)
        assert ["a2", "b1"] == await receiver.left()
    await receiver.app.close()


@pytest.mark.parametrize("sid", ["s1", None])
async def test_a_replayed_or_late_logout_token_ends_no_session_begun_after_it(
    issuer: SampleIssuer, sid: str | None
) -> None:
    receiver = Receiver(issuer)
    await receiver.begin()
    left = ["a2", "b1"] if sid else ["b1"]
    async with browser_of(receiver.app) as browser:
        used, withheld = receiver.token(jti="used", sid=sid), receiver.token(jti="withheld", sid=sid)
        assert 200 == (await receiver.post(used, browser))[0]
        assert left == await receiver.left()
        receiver.clock.turn(1)
        await receiver.begin()
        assert 400 == (await receiver.post(used, browser))[0]
        assert ["a1", "a2", "a3", "b1"] == await receiver.left(), "at once"
        receiver.clock.turn(62_000)
        await receiver.begin()
        assert 200 == (await receiver.post(withheld, browser))[0]
        assert ["a1", "a2", "a3", "b1"] == await receiver.left(), "more than a leeway later"
    await receiver.app.close()


async def test_an_issuer_whose_keys_cannot_be_had_may_try_again(issuer: SampleIssuer) -> None:
    receiver = Receiver(issuer)
    await receiver.begin()
    with bind() as closed:
        gone = url_of(closed)
    receiver.app._opening.issuer.issuer = gone
    async with browser_of(receiver.app) as browser:
        url = browser.at("/auth/backchannel-logout")
        answer = await browser.http.post(url, data={"logout_token": receiver.token()})
    assert (503, "5") == (answer.status_code, answer.headers["retry-after"])
    assert "[server_unreachable]" in answer.text
    await receiver.app.close()


async def test_how_far_the_clocks_may_be_apart_can_be_chosen(issuer: SampleIssuer) -> None:
    for leeway_for, expected in ((0, 400), (300_000, 200)):
        receiver = Receiver(issuer, leeway_for=leeway_for)
        async with browser_of(receiver.app) as browser:
            token = receiver.token(exp=receiver.clock() // 1_000 - 200)
            assert expected == (await receiver.post(token, browser))[0]
        assert leeway_for == receiver.app._opening.issuer._leeway_for
        await receiver.app.close()
    with pytest.raises(ValueError, match="leeway_for"):
        Receiver(issuer, leeway_for=-1)


async def test_a_logout_token_may_be_used_again_by_nobody_while_it_lives(issuer: SampleIssuer) -> None:
    receiver = Receiver(issuer)
    async with browser_of(receiver.app) as browser:
        token = receiver.token()
        assert 200 == (await receiver.post(token, browser))[0]
        receiver.clock.turn(150_000)
        assert 400 == (await receiver.post(token, browser))[0], "within the leeway"
        receiver.clock.turn(60_000)
        assert "[logout_token_expired]" in (await receiver.post(token, browser))[1]
    await receiver.app.close()
