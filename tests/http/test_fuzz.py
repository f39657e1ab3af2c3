"""No parameter, header or body gets a 500: generated requests at every endpoint, and a bounded random run."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofkey.protocol.authorize import KNOWN as AUTHORIZE
from proofkey.protocol.logout import KNOWN as LOGOUT
from proofkey.server.app import ROUTES
from proofkey.server.http.token import KNOWN as TOKEN
from proofkey.server.http.token_state import KNOWN as TOKEN_STATE
from proofkey.server.pages.authorize import FORM as PAGES
from tests.engine import CLIENT_SECRET, NOTES, Deployment, attempt_of
from tests.http.raw_asgi import FORM, Answer, call, is_clear

METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "get", "", "\u00e9", "PRI"]
NAMES = sorted(AUTHORIZE | TOKEN | TOKEN_STATE | PAGES | LOGOUT | {"access_token", "x", ""})
HEADERS = [
    "authorization",
    "cookie",
    "content-type",
    "content-length",
    "origin",
    "host",
    "x-forwarded-for",
    "forwarded",
    "access-control-request-headers",
    "access-control-request-method",
    "accept",
    "user-agent",
    "transfer-encoding",
    "expect",
]
NASTY = [
    b"",
    b"\x00",
    b"\r\n",
    b"\r\nSet-Cookie: x=y",
    b"\xff\xfe",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    "\u202e\U0001f511".encode(),
    b"%",
    b"%00",
    b"%zz",
    b"a" * 3000,
    b"..",
    b"a.b.c",
    b"e30.e30.e30",
    b"null",
    b"{}",
    b"[" * 2000,
    b'{"id_token":{"sub":{"value":1}}}',
    b'{"id_token":{"acr":{"essential":true,"values":[1,null,"x"]}}}',
    b'{"userinfo":{"\\ud800":null}}',
    b"-1",
    b"9" * 400,
    b"1e400",
    b"openid",
    b"none",
    b"form_post",
    b"javascript:alert(1)",
    b"http://[::1",
    b"http://127.0.0.1:99999999/callback",
    b"' OR 1=1 --",
    b"<script>",
    b"{{7*7}}",
]
CREDENTIALS = [
    b"Basic",
    b"Basic ",
    b"Basic \xff",
    b"Basic " + b"=" * 10,
    b"Basic c3BhOg==",
    b"Basic OjpAOg==",
    b"Basic /////w==",
    b"bearer",
    b"Bearer \x00",
    b"Bearer " + b"a" * 70_000,
    b"Bearer a.b.c",
    b"Bearer \xe9.\xe9.\xe9",
    b"Digest x",
    b",,,",
]
UNHURRIED = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
some_value = st.one_of(st.sampled_from(NASTY), st.binary(max_size=60), st.text(max_size=30).map(lambda t: t.encode()))


def good_requests() -> dict[str, dict[str, str]]:
    """A sound request of each kind, for fuzzing to start from."""
    attempt = attempt_of()
    return {
        "oauth2/authorize": attempt.query,
        "authorize": attempt.query,
        "oauth2/token": attempt.redemption("A" * 300),
        "oauth/token": {"grant_type": "refresh_token", "client_id": "web", "client_secret": CLIENT_SECRET},
        "oauth2/introspect": {"token": "x", "client_id": "web", "client_secret": CLIENT_SECRET},
        "oauth2/revoke": {"token": "a.b.c", "client_id": "spa"},
        "oauth2/userinfo": {"access_token": "a.b.c"},
        "oauth2/logout": {"id_token_hint": "a.b.c", "state": "x"},
        "login": {"request": "A" * 200, "username": "alice", "password": "x"},
        "consent": {"request": "A" * 200, "ticket": "x", "decision": "allow"},
    }


def encode(pairs: list[tuple[bytes, bytes]], *, raw: bool) -> bytes:
    """A form; percent-encoded, or as the bytes are."""
    if raw:
        return b"&".join(name + b"=" + value for name, value in pairs)
    return "&".join(f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in pairs).encode()


async def both_ways(deployment: Deployment, path: str, form: bytes, headers: list[tuple[bytes, bytes]]) -> list[Answer]:
    address = f"/demo/main/{path}"
    got = await call(deployment.app, "GET", address, form, headers)
    posted = await call(deployment.app, "POST", address, b"", [FORM, *headers], [form[:100], form[100:]])
    return [got, posted]


def fails_nowhere(answers: list[Answer], log: list[Any]) -> None:
    for answer in answers:
        is_clear(answer)
    assert [] == [line for line in log if line["log_level"] in ("error", "critical")]
    log.clear()


@UNHURRIED
@given(
    path=st.sampled_from(sorted(good_requests())),
    changes=st.lists(st.tuples(st.sampled_from(NAMES), some_value), max_size=4),
    raw=st.booleans(),
)
async def test_a_sound_request_with_some_parameters_changed_is_answered_clearly(
    deployment: Deployment, log: list[Any], path: str, changes: list[tuple[str, bytes]], raw: bool
) -> None:
    sound = {name.encode(): value.encode() for name, value in good_requests()[path].items()}
    changed = {name.encode(): value for name, value in changes}
    once = encode(list({**sound, **changed}.items()), raw=raw)
    twice = encode([*sound.items(), *changed.items()], raw=raw)
    for form in (once, twice):
        fails_nowhere(await both_ways(deployment, path, form, []), log)


@UNHURRIED
@given(path=st.sampled_from(sorted(good_requests())), form=st.binary(max_size=400))
async def test_random_bytes_are_answered_clearly(
    deployment: Deployment, log: list[Any], path: str, form: bytes
) -> None:
    fails_nowhere(await both_ways(deployment, path, form, []), log)


@UNHURRIED
@given(
    path=st.sampled_from(sorted(ROUTES)),
    method=st.sampled_from(METHODS),
    headers=st.lists(
        st.tuples(
            st.sampled_from(HEADERS).map(str.encode),
            st.one_of(st.sampled_from(CREDENTIALS), st.binary(max_size=40), st.sampled_from(NASTY)),
        ),
        max_size=4,
    ),
)
async def test_random_methods_and_headers_are_answered_clearly(
    deployment: Deployment, log: list[Any], path: str, method: str, headers: list[tuple[bytes, bytes]]
) -> None:
    printable = [(name, value.translate(None, b"\r\n\0")) for name, value in headers]
    form = encode([(name.encode(), value.encode()) for name, value in good_requests().get(path, {}).items()], raw=False)
    answer = await call(deployment.app, method, f"/demo/main/{path}", form, printable, [form])
    fails_nowhere([answer], log)


@UNHURRIED
@given(path=st.text(max_size=60), prefix=st.sampled_from(["/", "/demo/", "/demo/main/", "/.well-known/", ""]))
async def test_random_addresses_are_answered_clearly(
    deployment: Deployment, log: list[Any], path: str, prefix: str
) -> None:
    fails_nowhere([await call(deployment.app, "GET", prefix + path)], log)


@UNHURRIED
@given(
    unknown=st.lists(
        st.tuples(st.binary(max_size=12), some_value).filter(lambda pair: pair[0].decode("latin-1") not in NAMES),
        max_size=6,
    ),
    raw=st.booleans(),
)
async def test_unknown_parameters_are_ignored_whatever_they_hold(
    deployment: Deployment, unknown: list[tuple[bytes, bytes]], raw: bool
) -> None:
    sound = encode([(name.encode(), value.encode()) for name, value in attempt_of().query.items()], raw=False)
    extra = encode([*unknown, *unknown], raw=raw).replace(b"#", b"")
    known = {name.encode() for name in NAMES}
    if any(part.split(b"=")[0] in known for part in extra.split(b"&")) or len(extra) > 7000 or b"%" in extra * raw:
        return
    answer = await call(deployment.app, "GET", "/demo/main/oauth2/authorize", sound + b"&" + extra)
    assert (200, True) == (answer.status, b'name="password"' in answer.body)


@pytest.mark.parametrize("seed", range(4))
async def test_a_bounded_random_run_fails_nowhere(deployment: Deployment, log: list[Any], seed: int) -> None:
    dice = random.Random(seed)
    browser = deployment.browser()
    await browser.tokens()
    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items()).encode()
    for _ in range(300):
        path = dice.choice(sorted(good_requests()))
        pairs = [(name.encode(), value.encode()) for name, value in good_requests()[path].items()]
        for _ in range(dice.randrange(4)):
            value = dice.choice([dice.choice(NASTY), dice.randbytes(dice.randrange(50)), NOTES.encode()])
            pairs.insert(dice.randrange(len(pairs) + 1), (dice.choice(NAMES).encode(), value))
        if dice.random() < 0.3:
            pairs.pop(dice.randrange(len(pairs)))
        headers = [(b"cookie", cookies)] if dice.random() < 0.7 else [(b"cookie", dice.randbytes(30))]
        if dice.random() < 0.3:
            headers.append((b"authorization", dice.choice(CREDENTIALS)))
        fails_nowhere(await both_ways(deployment, path, encode(pairs, raw=dice.random() < 0.3), headers), log)


@pytest.mark.parametrize("path", sorted(ROUTES))
@pytest.mark.parametrize("byte", [b"a", b"=", b"&", b"%", b"\x00", b"\xff", b"\n"])
async def test_a_body_of_one_mebibyte_is_answered_clearly(
    deployment: Deployment, log: list[Any], path: str, byte: bytes
) -> None:
    whole = byte * 1_048_576
    chunks = [whole[:65_536]] * 16
    for headers in ([FORM], [FORM, (b"content-length", b"1048576")], []):
        answer = await call(deployment.app, "POST", f"/demo/main/{path}", b"", headers, chunks)
        fails_nowhere([answer], log)
    fails_nowhere([await call(deployment.app, "GET", f"/demo/main/{path}", whole)], log)
