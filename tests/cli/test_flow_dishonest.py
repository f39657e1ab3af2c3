"""`proofkey flow` at an issuer that does not keep its word: the walk stops at the step that shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from proofkey import jose
from proofkey.cli.flow_steps import Step
from proofkey.cli.flow_walk import Walk
from proofkey.client.http import MAX_RESPONSE, Network
from proofkey.client.messages import Registration, ResponseRefused
from proofkey.client.protocol import PendingLogin
from tests.listening import bind, listening, url_of
from tests.protocol.refusals import refused

NOON = 1_800_000_000_000
KEY = jose.SigningKey(jose.generate_key("ES256"), "ES256")
OTHER_KEY = jose.SigningKey(jose.generate_key("ES256"), "ES256")
REDIRECT_URI = "http://127.0.0.1:9/callback"


class DishonestIssuer:
    """Answers like an issuer, with whatever a test changes: `id_token` and `access_token` claims, whole answers by path."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = KEY
        self.nonce = ""
        self.revoked = False
        self.honours_revocation = True
        self.id_token: dict[str, Any] | None = {}
        self.access_token: dict[str, Any] = {}
        self.typ = "at+jwt"
        self.answers: dict[str, bytes] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"")
        status, answer = self.answer(scope["path"], dict(parse_qsl(body.decode())))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        if path in self.answers:
            return 200, self.answers[path]
        if path == "/revoke":
            self.revoked = self.honours_revocation
            return 200, b"{}"
        if path == "/token" and self.revoked:
            return 400, b'{"error": "invalid_grant"}'
        plain = {"/jwks": jose.jwk_set([KEY]), "/userinfo": {"sub": "alice"}, "/token": self.tokens(form)}
        return 200, json.dumps(plain.get(path, self.metadata())).encode()

    def metadata(self) -> dict[str, Any]:
        endpoints = {
            name: f"{self.issuer}/{name.partition('_')[0]}" for name in ("token_endpoint", "userinfo_endpoint")
        }
        return {
            **endpoints,
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "jwks_uri": f"{self.issuer}/jwks",
            "code_challenge_methods_supported": ["S256"],
        }

    def tokens(self, form: dict[str, str]) -> dict[str, Any]:
        claims = {"iss": self.issuer, "sub": "alice", "iat": NOON // 1_000, "exp": NOON // 1_000 + 300}
        tokens = {
            "token_type": "Bearer",
            "access_token": self.key.sign(self.typ, {**claims, "aud": "api", **self.access_token}),
            "refresh_token": "r",
        }
        if self.id_token is not None:
            about = {"aud": "native", "nonce": self.nonce} if form.get("code") else {"aud": "native"}
            tokens["id_token"] = self.key.sign("JWT", {**claims, **about, **self.id_token})
        return tokens

    def authorize(self, pending: PendingLogin) -> str:
        """What the person brings back."""
        asked = dict(parse_qsl(urlsplit(pending.url).query))
        self.nonce = asked["nonce"]
        return f"{REDIRECT_URI}?{urlencode({'code': 'c', 'state': asked['state']})}"


@pytest.fixture
def issuer() -> Iterator[DishonestIssuer]:
    listener = bind()
    dishonest = DishonestIssuer(url_of(listener))
    with listening(dishonest, listener):
        yield dishonest


def walk(issuer: DishonestIssuer, scope: str = "openid") -> list[str]:
    """The steps of a walk at *issuer*."""
    shown: list[Step] = []
    walk_before(shown, issuer, scope)
    return [step.step for step in shown]


def walk_before(shown: list[Step], issuer: DishonestIssuer, scope: str = "openid") -> None:
    registration = Registration("native", REDIRECT_URI)
    with Network(issuer.issuer) as network:
        Walk(
            issuer.issuer,
            registration,
            scope,
            network,
            shown.append,
            issuer.authorize,
            bytes,
            lambda: NOON,
        ).run()


def test_kept_words_lead_to_the_end(issuer: DishonestIssuer) -> None:
    assert walk(issuer)[-1] == "refresh_after_revocation"


def test_without_openid_nobody_asks_who_is_there(issuer: DishonestIssuer) -> None:
    issuer.id_token = None
    assert not {"id_token", "userinfo"} & set(walk(issuer, scope="notes:read"))


def test_an_id_token_that_was_asked_for_must_come(issuer: DishonestIssuer) -> None:
    issuer.id_token = None
    with refused(ResponseRefused, "id_token_missing"):
        walk(issuer)


def test_an_access_token_of_somebody_else_is_noticed(issuer: DishonestIssuer) -> None:
    issuer.access_token = {"iss": "https://evil.example"}
    with refused(ResponseRefused, "access_token_not_of_issuer"):
        walk(issuer)


def test_a_revocation_without_effect_is_noticed(issuer: DishonestIssuer) -> None:
    issuer.honours_revocation = False
    shown: list[Step] = []
    with refused(ResponseRefused, "revocation_ineffective"):
        walk_before(shown, issuer)
    assert ["refresh_after_revocation"] == [step.step for step in shown if step.refused]


def test_keys_that_are_none_prove_nothing(issuer: DishonestIssuer) -> None:
    issuer.answers["/jwks"] = b'{"keys": 7}'
    shown: list[Step] = []
    with pytest.raises(jose.TokenInvalid):
        walk_before(shown, issuer)
    assert ("keys", "nothing: this was refused") == (shown[-1].step, shown[-1].proves)


def test_an_answer_without_end_is_cut_off(issuer: DishonestIssuer) -> None:
    issuer.answers["/userinfo"] = b" " * (MAX_RESPONSE + 1)
    with refused(ResponseRefused, "response_too_long"):
        walk(issuer)


def test_tokens_of_an_unpublished_key_are_not_believed(issuer: DishonestIssuer) -> None:
    issuer.key = OTHER_KEY
    with pytest.raises(jose.UnknownKey):
        walk(issuer)


def test_an_access_token_without_its_type_is_not_believed(issuer: DishonestIssuer) -> None:
    issuer.typ = "JWT"
    with pytest.raises(jose.TokenInvalid, match="typ"):
        walk(issuer)


def test_a_replayed_id_token_is_not_believed(issuer: DishonestIssuer) -> None:
    issuer.id_token = {"nonce": "of another login"}
    with pytest.raises(ResponseRefused, match="id_token_nonce_differs"):
        walk(issuer)
