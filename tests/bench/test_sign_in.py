"""bench/sign_in.py fills in a page's first form as a person would."""

from __future__ import annotations

from bench.sign_in import Browser, FirstForm
from bench.wire import Answer, Connection

LOGIN = b"""<form method="post" action="/acme/main/login">
<input type="hidden" name="request" value="sealed">
<input name="username" value=""><input type="password" name="password">
<button>Sign in</button></form><form action="/elsewhere"><input name="other" value="x"></form>"""
CONSENT = b"""<form method="post" action="consent"><input type="hidden" name="ticket" value="t">
<button name="decision" value="deny">Deny</button><button name="decision" value="allow">Allow</button></form>"""


def browser() -> Browser:
    return Browser(Connection("http://127.0.0.1:1"), "alice", "correct horse")


def test_only_the_first_form_counts() -> None:
    assert {"request": "sealed", "username": "", "password": ""} == FirstForm(LOGIN.decode()).fields


def test_the_sign_in_form_gets_name_and_password() -> None:
    target, fields = browser().fill_in(
        "http://127.0.0.1:1/acme/main/oauth2/authorize", Answer(b"HTTP/1.1 200 OK", LOGIN)
    )
    assert "http://127.0.0.1:1/acme/main/login" == target
    assert {"request": "sealed", "username": "alice", "password": "correct horse"} == fields


def test_consent_is_allowed() -> None:
    _, fields = browser().fill_in("http://127.0.0.1:1/acme/main/login", Answer(b"HTTP/1.1 200 OK", CONSENT))
    assert {"ticket": "t", "decision": "allow"} == fields


def test_cookies_are_kept_and_removed_ones_forgotten() -> None:
    visitor = browser()
    visitor.keep_cookies(Answer(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/; HttpOnly\r\nset-cookie: b=2", b""))
    assert "a=1; b=2" == visitor.cookie
    visitor.keep_cookies(Answer(b"HTTP/1.1 200 OK\r\nset-cookie: a=; Max-Age=0", b""))
    assert "b=2" == visitor.cookie
