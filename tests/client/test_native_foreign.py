"""The native client, unmodified, against issuers that are not ours: npm oidc-provider and django-oauth-toolkit."""

from __future__ import annotations

import json
import re
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest

from proofkey.client import (
    IdTokenRefused,
    LoginAbandoned,
    LoginOptions,
    MemoryStore,
    NotSignedIn,
    ResponseRefused,
    ServerRefused,
    SignIn,
    find_sign_in,
    login,
)
from proofkey.client.device import pause_after, read_device_authorization
from tests.dev_server import DevServer
from tests.providers.foreign import ForeignProvider
from tests.providers.person import ForeignPerson
from tests.visitor import come_back

RESOURCE = "https://notes.example"


def person_at(provider: ForeignProvider) -> Callable[[str], object]:
    """Alice at a browser, who comes back to the listener."""

    def browser(url: str) -> None:
        with ForeignPerson(provider.issuer) as person:
            come_back(person.visit(url))

    return browser


def sign_in_at(provider: ForeignProvider, **options: Any) -> SignIn:
    asked: LoginOptions = {"browser": person_at(provider), "store": MemoryStore(), "patience_for": 60_000, **options}  # type: ignore[typeddict-item]
    return login(provider.issuer, provider.clients["native"]["client_id"], **asked)


@pytest.fixture(params=["oidc_provider", "django_oauth_toolkit"])
def provider(request: pytest.FixtureRequest) -> ForeignProvider:
    found: ForeignProvider = request.getfixturevalue(request.param)
    return found


def test_a_person_signs_in_is_renewed_and_signs_out(provider: ForeignProvider) -> None:
    me = sign_in_at(provider, scope="openid profile email")
    assert me.claims["iss"] == provider.issuer
    first = me.access_token()
    second = me.access_token(rejected=first)
    userinfo = httpx2.get(provider.metadata["userinfo_endpoint"], auth=me.auth(provider.issuer), trust_env=False)
    assert (200, me.claims["sub"]) == (userinfo.status_code, str(userinfo.json()["sub"]))
    assert first != second
    assert me.logout().revoked
    assert find_sign_in(me.issuer, me.client_id, store=me._store) is None


def test_a_sign_in_that_was_revoked_there_is_over_here(provider: ForeignProvider) -> None:
    me = sign_in_at(provider)
    token = me.access_token()
    copy = SignIn(me._kept, MemoryStore())
    copy._store.save(me._kept)
    assert me.logout().revoked
    with pytest.raises(NotSignedIn, match="sign_in_ended"):
        copy.access_token(rejected=token)


def test_a_renewed_id_token_of_another_login_is_refused(oidc_provider: ForeignProvider) -> None:
    me = sign_in_at(oidc_provider)
    me.access_token(rejected=me.access_token())
    claims = me.claims
    assert claims["nonce"]
    me._store.save(replace(me._kept, claims={**claims, "nonce": "of another login"}))
    with pytest.raises(IdTokenRefused, match="id_token_nonce_of_another"):
        me.access_token(rejected=me.access_token())


def test_a_resource_ends_up_in_the_audience(oidc_provider: ForeignProvider) -> None:
    me = sign_in_at(oidc_provider, scope="openid notes:read", resource=RESOURCE)
    for token in (me.access_token(), me.access_token(rejected=me.access_token())):
        assert RESOURCE == claims_of(token)["aud"]


def test_with_offline_access_consent_is_asked_for_and_the_scope_granted(oidc_provider: ForeignProvider) -> None:
    assert "offline_access" in sign_in_at(oidc_provider, scope="openid offline_access").scope.split()


def test_tokens_are_bound_to_a_key_and_stay_bound(oidc_provider: ForeignProvider) -> None:
    me = sign_in_at(oidc_provider, dpop=True)
    userinfo = oidc_provider.metadata["userinfo_endpoint"]
    for _ in range(2):
        assert 200 == httpx2.get(userinfo, auth=me.auth(oidc_provider.issuer), trust_env=False).status_code
        me.access_token(rejected=me.access_token())
    stolen = {"authorization": f"Bearer {me.access_token()}"}
    assert "DPoP" == me.token_type
    assert 200 != httpx2.get(userinfo, headers=stolen, trust_env=False).status_code
    assert me.logout().revoked


def test_a_later_sign_in_with_another_key_is_taken_up(oidc_provider: ForeignProvider) -> None:
    store = MemoryStore()
    first = sign_in_at(oidc_provider, dpop=True, store=store)
    first.access_token(rejected=first.access_token())
    second = sign_in_at(oidc_provider, dpop=True, store=store)
    taken_up = first.access_token(rejected=first.access_token())
    assert second.access_token() == taken_up
    assert taken_up != first.access_token(rejected=taken_up)


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def device_options(provider: ForeignProvider, decision: str = "allow") -> tuple[dict[str, Any], list[str]]:
    """Options for a device login whose code somebody types at once, and what was said."""
    said: list[str] = []

    def say(words: str) -> None:
        said.append(words)
        address = re.search(r"open (\S+)\n.*code (\S+)", words)
        assert address, words

        def type_code() -> None:
            with ForeignPerson(provider.issuer, decision=decision) as person:
                person.enter_user_code(address[1], address[2])

        threading.Thread(target=type_code, daemon=True).start()

    return {"device": True, "say": say}, said


def test_the_device_grant_signs_in(oidc_provider: ForeignProvider) -> None:
    options, said = device_options(oidc_provider)
    me = sign_in_at(oidc_provider, scope="openid profile", **options)
    assert ("alice", 1) == (me.claims["sub"], len(said))
    assert me.access_token() != me.access_token(rejected=me.access_token())


def test_where_nobody_could_paste_the_device_grant_is_taken_by_itself(oidc_provider: ForeignProvider) -> None:
    options, said = device_options(oidc_provider)
    me = sign_in_at(oidc_provider, **{**options, "device": False, "browser": None, "paste": False})
    assert ("alice", True) == (me.claims["sub"], "On any device" in said[0])


def test_an_issuer_without_the_device_grant_is_said(dev: DevServer) -> None:
    with pytest.raises(ResponseRefused, match="device_grant_not_served"):
        login(dev.issuer, "native", device=True, store=MemoryStore())


class DeviceIssuer:
    """An issuer that serves the device grant alone, and answers the questions as told."""

    def __init__(self, *answers: dict[str, Any] | None, **device: Any) -> None:
        self.asked: list[float] = []
        self.forms: list[str] = []
        issuer = self

        class Visit(BaseHTTPRequestHandler):
            def answer(self) -> None:
                sent = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                issuer.forms += [sent] if sent else []
                told = issuer.tell(self.path, list(answers), device)
                if told is None:
                    self.close_connection = True
                    return
                body = json.dumps(told).encode()
                self.send_response(400 if "error" in told else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815 - the names http.server calls

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Visit)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def tell(self, path: str, answers: list[dict[str, Any] | None], device: dict[str, Any]) -> dict[str, Any] | None:
        here = self.issuer
        if path.startswith("/.well-known"):
            endpoints = {
                f"{name}_endpoint": f"{here}/{name}" for name in ("authorization", "token", "device_authorization")
            }
            return {"issuer": here, "code_challenge_methods_supported": ["S256"], **endpoints}
        if path == "/device_authorization":
            return {
                "device_code": "d",
                "user_code": "WDJB-MJHT",
                "verification_uri": f"{here}/device",
                "expires_in": 600,
                "interval": 1,
                **device,
            }
        self.asked.append(time.monotonic())
        return answers[len(self.asked) - 1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def ask_device_issuer(issuer: DeviceIssuer, **options: Any) -> SignIn:
    try:
        return login(
            issuer.issuer,
            "cli",
            scope="notes:read",
            device=True,
            store=MemoryStore(),
            say=lambda _words: None,
            **options,
        )
    finally:
        issuer.close()


PENDING, SLOWER = {"error": "authorization_pending"}, {"error": "slow_down"}
TOKENS = {"access_token": "at", "token_type": "Bearer", "expires_in": 60}


def test_it_is_asked_no_faster_than_allowed_and_more_slowly_when_told() -> None:
    issuer = DeviceIssuer(PENDING, SLOWER, TOKENS)
    me = ask_device_issuer(issuer)
    first, second, third = issuer.asked
    assert ("at", True, True) == (me.access_token(), 1.0 <= second - first, 6.0 <= third - second)


def test_a_question_without_an_answer_is_asked_again_more_slowly() -> None:
    issuer = DeviceIssuer(None, TOKENS)
    assert "at" == ask_device_issuer(issuer).access_token()
    first, second = issuer.asked
    assert 2.0 <= second - first


def test_a_server_that_has_a_problem_does_not_end_the_wait() -> None:
    issuer = DeviceIssuer({"error": "temporarily_unavailable"}, {"error": "server_error"}, TOKENS)
    assert "at" == ask_device_issuer(issuer).access_token()


def test_a_secret_that_is_none_goes_into_each_form_and_is_kept() -> None:
    issuer, store = DeviceIssuer({**TOKENS, "refresh_token": "rt"}, TOKENS), MemoryStore()
    try:
        asked: LoginOptions = {"scope": "notes:read", "device": True, "store": store, "say": lambda _words: None}
        login(issuer.issuer, "cli", client_secret="of every copy", **asked)
        found = find_sign_in(issuer.issuer, "cli", store=store)
        assert found is not None
        found.access_token(rejected="at")
    finally:
        issuer.close()
    assert 3 == len(issuer.forms)
    for form in issuer.forms:
        assert [("client_id", "cli"), ("client_secret", "of every copy")] == parse_qsl(form)[-2:]


def test_questions_that_came_to_nothing_slow_it_down_for_a_while() -> None:
    paused = [pause_after(5_000, lost) for lost in (0, 1, 2, 3, 100, 0)]
    assert [5_000, 10_000, 20_000, 30_000, 30_000, 5_000] == paused
    assert 40_000 == pause_after(40_000, 3), "never faster than allowed"


@pytest.mark.parametrize(
    ("told", "expected"), [("30", 30_000), (7, 7_000), (None, 5_000), ("soon", 5_000), (True, 5_000), (-1, 5_000)]
)
def test_an_interval_may_come_as_text(told: object, expected: int) -> None:
    answer = {"device_code": "d", "user_code": "u", "verification_url": "https://a.example/device", "interval": told}
    asked = read_device_authorization(200, json.dumps(answer).encode())
    assert (expected, "https://a.example/device") == (asked.interval_for, asked.verification_uri)


@pytest.mark.parametrize("code", ["access_denied", "expired_token", "invalid_grant"])
def test_a_refusal_ends_it_with_the_issuer_s_word(code: str) -> None:
    with pytest.raises(ServerRefused) as refused:
        ask_device_issuer(DeviceIssuer({"error": code, "error_description": "no"}))
    assert (code, "no") == (refused.value.code, refused.value.told)


def test_a_code_that_nobody_types_ends_it() -> None:
    with pytest.raises(LoginAbandoned, match="device_code_expired"):
        ask_device_issuer(DeviceIssuer(PENDING, PENDING, PENDING), patience_for=1_500)


@pytest.mark.parametrize(
    "member",
    [
        {"device_code": None},
        {"user_code": 7},
        {"verification_uri": "http://evil.example/device"},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri_complete": "file:///etc/passwd"},
        {"verification_uri_complete": 1},
    ],
)
def test_a_device_answer_that_is_none_is_refused(member: dict[str, Any]) -> None:
    good = {"device_code": "d", "user_code": "u", "verification_uri": "https://a.example", "expires_in": 1}
    assert "u" == read_device_authorization(200, json.dumps(good).encode()).user_code
    with pytest.raises(ResponseRefused, match="device_answer_malformed"):
        read_device_authorization(200, json.dumps(good | member).encode())


def test_a_code_fit_for_no_terminal_is_made_printable() -> None:
    answer = {"device_code": "d", "user_code": "\x1b[2JABC", "verification_uri": "https://a.example"}
    assert "[2JABC" == read_device_authorization(200, json.dumps(answer).encode()).user_code
