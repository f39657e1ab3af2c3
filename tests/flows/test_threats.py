"""What went wrong in servers like this one, class by class: each test bears the name of the class it rules out."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proofkey.protocol.records import MINUTE
from proofkey.server.app import create_app
from proofkey.server.flows import sign_in as sign_in_flow
from proofkey.server.store import open_store
from proofkey.server.tenancy.contradiction import Contradiction
from proofkey.server.tenancy.declaration import declare
from proofkey.server.tenancy.file_schema import ApplicationSchema, FileSchema, TenantSchema, WorkspaceSchema
from tests.attempt import form_with, s256, sent_back
from tests.engine import APP, ISSUER, NOON, PUBLIC_URL, SECRETS, Deployment, attempt_of, credentials, reasons


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hs256(header: dict[str, Any], payload: str, key: bytes) -> str:
    message = f"{encoded(json.dumps({**header, 'alg': 'HS256'}).encode())}.{payload}"
    return f"{message}.{encoded(hmac.digest(key, message.encode(), 'sha256'))}"


async def refused_at_client(deployment: Deployment, **changed: str | None) -> str:
    query = {name: value for name, value in {**attempt_of().query, **changed}.items() if value is not None}
    return sent_back(await deployment.browser().ask(query))["error_description"]


async def test_pkce_checked_only_if_the_verifier_comes(deployment: Deployment) -> None:
    attempt = attempt_of("web")
    code = await deployment.browser().code(attempt)
    form = {**attempt.redemption(code), **credentials("web")}
    for verifier in ("", None):
        sent = {name: value for name, value in {**form, "code_verifier": verifier}.items() if value is not None}
        answer = await deployment.token(sent)
        assert (400, True) == (answer.status_code, "[pkce_verifier_missing]" in answer.json()["error_description"])


async def test_pkce_downgrade(deployment: Deployment) -> None:
    nothing = {"code_challenge": None, "code_challenge_method": None}
    assert "[pkce_required]" in await refused_at_client(deployment, **nothing)
    assert "[pkce_method_missing]" in await refused_at_client(deployment, code_challenge_method=None)
    assert "[pkce_method_not_s256]" in await refused_at_client(deployment, code_challenge_method="plain")
    assert "[pkce_required]" in await refused_at_client(deployment, code_challenge="", code_challenge_method="")
    query = {name: v for name, v in attempt_of("old").query.items() if not name.startswith("code_challenge")}
    attempt = attempt_of("old")
    code = sent_back(await deployment.browser().go_through(query))["code"]
    assert "[pkce_unexpected]" in (await deployment.redeem(attempt, code)).json()["error_description"]


@pytest.mark.parametrize("late", [0, MINUTE], ids=["in time", "and expired"])
async def test_code_not_bound_to_the_client(deployment: Deployment, log: list[Any], late: int) -> None:
    attempt = attempt_of()
    code = await deployment.browser().code(attempt)
    deployment.clock.turn(late)
    for thief in ("both", "web"):
        assert 400 == (await deployment.token({**attempt.redemption(code), **credentials(thief)})).status_code
    assert ["code_of_another_client"] * 2 == reasons(log)


@pytest.mark.parametrize("late", [0, 40 * 24 * 60 * MINUTE], ids=["in time", "and expired"])
async def test_refresh_token_not_bound_to_the_client(deployment: Deployment, log: list[Any], late: int) -> None:
    token = (await deployment.browser().tokens(scope="openid offline_access"))["refresh_token"]
    deployment.clock.turn(late)
    for thief in ("both", "web", "native"):
        assert 400 == (await deployment.refresh(token, thief)).status_code
    assert ["refresh_of_another_client"] * 3 == reasons(log)


async def test_non_atomic_single_use(deployment: Deployment) -> None:
    attempt = attempt_of()
    codes = [await (browser := deployment.browser()).code(attempt), await browser.code(attempt)]
    answers = await asyncio.gather(*(deployment.redeem(attempt, code) for code in codes * 15))
    assert Counter({400: 28, 200: 2}) == Counter(answer.status_code for answer in answers)


async def test_replay_after_restart_and_revocation_not_honoured(deployment: Deployment, tmp_path: Path) -> None:
    attempt, other = attempt_of(), attempt_of()
    browser = deployment.browser()
    spent, unspent = await browser.code(attempt), await browser.code(other)
    tokens = (await deployment.redeem(attempt, spent)).json()
    revoked = await browser.tokens()
    await deployment.post("oauth2/revoke", {"token": revoked["refresh_token"], "client_id": "spa"})
    await deployment.store.close()
    config = deployment.app.engine.config
    deployment.store = open_store(config.database)
    await deployment.store.open()
    deployment.app = create_app(config, store=deployment.store, clock=deployment.clock)
    try:
        assert 400 == (await deployment.refresh(revoked["refresh_token"])).status_code
        assert {"active": False} == await deployment.introspect(revoked["access_token"])
        assert 200 == (await deployment.userinfo(tokens["access_token"])).status_code
        assert 200 == (await deployment.redeem(other, unspent)).status_code
        assert 400 == (await deployment.redeem(attempt, spent)).status_code
        assert 401 == (await deployment.userinfo(tokens["access_token"])).status_code
    finally:
        await deployment.store.close()


@pytest.mark.parametrize(
    "redirect_uri",
    [
        f"{APP}/callback2",
        f"{APP}/callback/..%2f",
        f"{APP}/CALLBACK",
        "HTTPS://app.example/callback",
        "https://APP.example/callback",
        "https://app.example:443/callback",
        "https://app.example./callback",
        "https://appXexample/callback",
        "https://app.example@evil.example/callback",
        "https://evil.example/https://app.example/callback",
        f"{APP}/callback\n",
        f"{APP}/callback%0a",
        f" {APP}/callback",
        f"{APP}//callback",
        f"{APP}/callback?",
        f"{APP}\\callback",
    ],
)
async def test_redirect_uri_matching(deployment: Deployment, redirect_uri: str) -> None:
    answer = await deployment.browser().ask({**attempt_of().query, "redirect_uri": redirect_uri})
    assert (400, None) == (answer.status_code, answer.headers.get("location"))


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://localhost:49152/callback",
        "http://127.0.0.2:49152/callback",
        "http://127.0.0.1:49152/callback/",
        "http://127.0.0.1.evil.example:1/callback",
        "https://127.0.0.1:49152/callback",
        "http://127.0.0.1:49152:1/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:049152/callback",
        "http://[::1]:1/other",
        "http://2130706433:1/callback",
        "com.example.demo:/callback?x",
        "com.example.DEMO:/callback",
    ],
)
async def test_redirect_uri_matching_of_native_clients(deployment: Deployment, redirect_uri: str) -> None:
    answer = await deployment.browser().ask({**attempt_of("native").query, "redirect_uri": redirect_uri})
    assert (400, None) == (answer.status_code, answer.headers.get("location"))


async def test_parameter_pollution(deployment: Deployment) -> None:
    attempt = attempt_of()
    code = await deployment.browser().code(attempt)
    form = "&".join(f"{name}={value}" for name, value in attempt.redemption(code).items())
    for name, value in attempt.redemption(code).items():
        answer = await deployment.token(f"{form}&{name}={value}".encode())
        assert f"Sent more than once: {name} [parameter_repeated]" == answer.json()["error_description"]
    answer = await deployment.post(f"oauth2/token?{form}", {"grant_type": "authorization_code"})
    assert "[client_id_missing]" in answer.json()["error_description"]
    assert 200 == (await deployment.token(form.encode())).status_code


async def test_response_mode_and_form_post_xss(deployment: Deployment) -> None:
    state = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>"
    query = {**attempt_of().query, "state": state, "response_mode": "form_post", "prompt": "none"}
    page = await deployment.browser().ask(query)
    form = form_with(page, "state")
    assert form is not None
    assert state == form.fields["state"]
    assert "<script>" not in page.text
    assert "<img" not in page.text
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]


async def test_open_redirect(deployment: Deployment) -> None:
    for changed in ({"redirect_uri": "https://evil.example/"}, {"redirect_uri": "//evil.example/"}):
        for more in ({}, {"response_type": "x"}, {"prompt": "none"}, {"response_mode": "form_post"}):
            answer = await deployment.browser().ask({**attempt_of().query, **changed, **more})
            assert (400, None) == (answer.status_code, answer.headers.get("location"))
            assert 'action="' not in answer.text
    logout = await deployment.client().get(
        "oauth2/logout", params={"post_logout_redirect_uri": "https://evil.example/"}
    )
    assert (200, None) == (logout.status_code, logout.headers.get("location"))
    assert "evil" not in logout.text


async def test_flow_restrictions_bypassed_by_tampering_with_state_kept_at_the_client(deployment: Deployment) -> None:
    browser = deployment.browser()
    page = await browser.ask({**attempt_of().query, "prompt": "login consent"})
    form = form_with(page, "password")
    assert form is not None
    text = form.fields["request"]
    more = {"prompt": "none", "response_type": "token", "code_challenge": "", "redirect_uri": "https://evil.example/"}
    again = await browser.submit(page, "password", username="alice", password="wrong", **more)
    assert form_with(again, "password") is not None
    for altered in (text[:-1], text[::-1], text[:200] + "AAAA" + text[204:]):
        assert 400 == (await browser.http.post("login", data={"request": altered})).status_code


async def test_client_assertion_replay(deployment: Deployment) -> None:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    form = {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": "a.b.c"}
    assert 400 == (await deployment.token(form)).status_code
    assert 401 == (await deployment.token({**form, "client_id": "service"})).status_code


async def test_jose_verification(deployment: Deployment) -> None:
    token = (await deployment.sign_in())["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    own = ec.generate_private_key(ec.SECP256R1())
    own_jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(own.public_key()))
    [published] = [
        key
        for key in (await deployment.client().get(".well-known/jwks.json")).json()["keys"]
        if key["kid"] == header["kid"]
    ]
    public = jwt.PyJWK(published).key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head, payload, signature = token.split(".")
    forged = [
        encoded(b'{"alg":"none","typ":"at+jwt"}') + f".{payload}.",
        f"{encoded(json.dumps({**header, 'alg': 'none'}).encode())}.{payload}.{signature}",
        jwt.encode(claims, own, "ES256", headers=header),
        jwt.encode(claims, own, "ES256", headers={**header, "jwk": own_jwk}),
        jwt.encode(claims, own, "ES256", headers={"typ": "at+jwt", "jku": "https://evil.example/jwks.json"}),
        hs256(header, payload, public),
        hs256(header, payload, json.dumps(published).encode()),
        hs256(header, payload, b""),
        f"{encoded(json.dumps({**header, 'crit': ['exp']}).encode())}.{payload}.{signature}",
        f"{head}.{payload}.{encoded(bytes(64))}",
        f"{head}.{payload}.{signature[:-2]}",
        f"{head}.{encoded(json.dumps({**claims, 'sub': 'bob'}).encode())}.{signature}",
        f"{head}.{payload}",
        f"{token}.x",
        f"{token}=",
    ]
    for text in forged:
        assert 401 == (await deployment.userinfo(text)).status_code, text
        assert {"active": False} == await deployment.introspect(text)
    assert 200 == (await deployment.userinfo(token)).status_code


async def test_opaque_token_parsing(deployment: Deployment) -> None:
    token = (await deployment.sign_in())["refresh_token"]
    for length in range(len(token)):
        assert 400 == (await deployment.refresh(token[:length] or "x")).status_code
    for text in (token + "A" * 4, token + "====", token.replace("-", "+").replace("_", "/") + "=", token * 2):
        assert 400 == (await deployment.refresh(text)).status_code
    assert 200 == (await deployment.refresh(token)).status_code


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://app.example/"]
)
def test_dynamic_registration_and_its_schemes(uri: str) -> None:
    application = ApplicationSchema(kind="native", redirect_uris=[uri], post_logout_redirect_uris=[uri])
    schema = FileSchema(tenants={"a": TenantSchema(workspaces={"b": WorkspaceSchema(applications={"c": application})})})
    with pytest.raises(Contradiction):
        declare(schema, resolve=str)


async def test_dynamic_registration_is_not_open(deployment: Deployment) -> None:
    answer = await deployment.client().post("oauth2/register", json={"redirect_uris": ["https://evil.example/"]})
    assert 404 == answer.status_code
    found = (await deployment.client().get(".well-known/openid-configuration")).json()
    assert "registration_endpoint" not in found


async def test_ssrf(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    monkeypatch.setattr("socket.create_connection", never)
    for name in ("request_uri", "request", "registration"):
        got = await refused_at_client(deployment, **{name: "http://169.254.169.254/latest/meta-data/"})
        assert "not_supported]" in got
    await refused_at_client(
        deployment, prompt="none", id_token_hint="http://127.0.0.1/", login_hint="http://127.0.0.1/"
    )


async def test_host_and_forwarded_headers_believed(deployment: Deployment) -> None:
    forged = {
        "host": "evil.example",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "http",
        "forwarded": "for=1.2.3.4;host=evil.example;proto=http",
        "x-original-url": "/evil",
        "x-forwarded-prefix": "/evil",
    }
    browser, attempt = deployment.browser(), attempt_of()
    browser.http.headers.update(forged)
    page = await browser.http.get(f"{ISSUER}/oauth2/authorize", params=attempt.query)
    assert "evil" not in page.text
    assert "evil" not in str(page.headers)
    assert "Secure" in page.headers["set-cookie"]
    posted = await browser.http.post(f"{ISSUER}/oauth2/authorize", data=attempt_of().query)
    assert "evil" not in str(posted.headers) + posted.text


async def test_login_flow_handed_to_a_victim(deployment: Deployment) -> None:
    attacker, victim = deployment.browser(), deployment.browser()
    handed = await attacker.ask(attempt_of().query)
    await victim.ask(attempt_of().query)
    assert 400 == (await victim.submit(handed, "password", username="alice", password="x")).status_code
    consent = await attacker.sign_in(handed, "bob")
    assert 400 == (await victim.decide(consent)).status_code


async def test_session_fixation(deployment: Deployment) -> None:
    attacker, victim = deployment.browser(), deployment.browser()
    await attacker.tokens(username="bob")
    planted = dict(attacker.http.cookies.items())
    for name, value in planted.items():
        victim.http.cookies.set(name, value, domain="login.example")
    deployment.clock.turn(1)
    await victim.sign_in(await victim.ask({**attempt_of().query, "prompt": "login"}), "alice")
    values = {cookie.value for cookie in victim.http.cookies.jar if "session" in cookie.name}
    assert not values <= set(planted.values())
    got = sent_back(await attacker.ask({**attempt_of().query, "prompt": "none"}))
    assert "login_required" == got["error"]


async def test_user_enumeration(deployment: Deployment) -> None:
    def seen(page: Any) -> tuple[Any, ...]:
        kept = [(name, value) for name, value in page.headers.items() if name != "content-length"]
        return page.status_code, kept, "do not match" in page.text

    browser = deployment.browser()
    page = await browser.ask(attempt_of().query)
    answers = {str(seen(await browser.sign_in(page, name, "wrong"))) for name in ("alice", "bob", "nobody", "x" * 400)}
    assert 1 == len(answers)


async def test_brute_force_protection_raced(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = 0
    verify = sign_in_flow.verify_password

    async def watched(password: str, password_hash: str | None) -> bool:
        nonlocal checked
        checked += 1
        return await verify(password, password_hash)

    monkeypatch.setattr(sign_in_flow, "verify_password", watched)
    browser = deployment.browser()
    page = await browser.ask(attempt_of().query)
    guesses = await asyncio.gather(*(browser.sign_in(page, "alice", f"guess {number}") for number in range(40)))
    assert (10, Counter({429: 30, 200: 10})) == (checked, Counter(answer.status_code for answer in guesses))


async def test_xss_in_error_pages_and_texts_of_clients(deployment: Deployment) -> None:
    attack = '"><script>alert(1)</script>'
    for name in ("client_id", "redirect_uri", "login_hint", "state", "ui_locales", "display"):
        page = await deployment.browser().ask({**attempt_of().query, name: attack})
        assert "<script>" not in page.text
    page = await deployment.browser().ask({**attempt_of().query, "redirect_uri": attack})
    assert "default-src 'none'" in page.headers["content-security-policy"]
    answer = await deployment.token({"grant_type": attack, "client_id": attack})
    assert ("application/json", "nosniff") == (answer.headers["content-type"], answer.headers["x-content-type-options"])
    assert "<script>" not in answer.text


async def test_scope_not_limited_to_what_the_client_may_have(deployment: Deployment) -> None:
    assert "[scope_not_allowed]" in await refused_at_client(deployment, scope="openid bills:read")
    token = (await deployment.browser().tokens(scope="openid notes:read"))["refresh_token"]
    for scope in ("openid notes:read notes:write", "bills:read", "offline_access"):
        assert "invalid_scope" == (await deployment.refresh(token, scope=scope)).json()["error"]
    form = {"grant_type": "client_credentials", "scope": "notes:read bills:read", **credentials("service")}
    assert "invalid_scope" == (await deployment.token(form)).json()["error"]


@pytest.mark.timeout(20)
async def test_denial_of_service_by_parsing(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.ask(attempt_of().query)
    deep = "[" * 4_000
    nested = '{"id_token":' * 300 + "1" + "}" * 300
    for claims in (deep, nested, '{"id_token":{' + ",".join(f'"c{n}":null' for n in range(300)) + "}}"):
        asked = {**attempt_of().query, "claims": claims[:4_096], "prompt": "none"}
        assert 303 == (await browser.http.post("oauth2/authorize", data=asked)).status_code
    big = ".".join(map(encoded, (b'{"alg":"ES256"}', b"[" * 40_000, bytes(64))))
    for token in (big, "." * 60_000, "a." * 30_000, encoded(deep.encode()) + "." + encoded(deep.encode()) + ".AA"):
        assert 401 == (await deployment.post("oauth2/userinfo", {"access_token": token})).status_code
    assert 400 == (await deployment.token(b"&".join(b"a=%d" % n for n in range(5_000)))).status_code
    assert 413 == (await deployment.token(b"code=" + b"%41" * 30_000)).status_code


async def test_self_verified_email_cannot_sign_in(deployment: Deployment) -> None:
    bob = await deployment.store.find_user("demo/main", "bob")
    assert bob is not None
    claims = {**bob.claims, "email": "alice@demo.example", "email_verified": True}
    await deployment.store.keep_user(replace(bob, claims=claims), ["bob"], NOON)
    browser = deployment.browser()
    page = await browser.ask(attempt_of().query)
    refused = await browser.sign_in(page, "alice@demo.example", SECRETS.passwords["bob"])
    assert "do not match" in refused.text


async def test_cors_with_credentials(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.tokens()
    for path in ("oauth2/authorize", "oauth2/userinfo", "oauth2/revoke", ".well-known/jwks.json", "oauth2/logout"):
        for origin in (APP, "https://evil.example"):
            answer = await browser.http.get(path, headers={"origin": origin})
            assert "access-control-allow-credentials" not in answer.headers
    form = {"grant_type": "authorization_code", "client_id": "spa", "code": "x"}
    answer = await browser.http.post("oauth2/token", data=form, headers={"origin": APP})
    assert "true" == answer.headers["access-control-allow-credentials"]
    assert "set-cookie" not in answer.headers


async def test_a_verifier_with_a_trailing_newline(deployment: Deployment) -> None:
    attempt = attempt_of()
    code = await deployment.browser().code(attempt)
    answer = await deployment.token({**attempt.redemption(code), "code_verifier": attempt.code_verifier + "\n"})
    assert "[parameter_control_character]" in answer.json()["error_description"]
    attempt.code_verifier = "A" * 42 + "\u00e9"
    assert "[pkce_verifier_malformed]" in (await deployment.redeem(attempt, code)).json()["error_description"]
    assert "[pkce_challenge_malformed]" in await refused_at_client(deployment, code_challenge=s256("x" * 43) + "\u2028")


async def test_an_answer_of_one_workspace_taken_for_another_s(deployment: Deployment) -> None:
    here = sent_back(await deployment.browser().go_through(attempt_of().query))
    there = sent_back(await deployment.browser(f"{PUBLIC_URL}/rival/main").go_through(attempt_of().query))
    assert (ISSUER, f"{PUBLIC_URL}/rival/main") == (here["iss"], there["iss"])
