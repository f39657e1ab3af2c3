"""What four well-known texts on PKCE tell their readers to do, done to the letter against `proofkey dev`."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlparse

import httpx2
import pytest

from proofkey.protocol.pkce import challenge_for, encode_challenge
from tests.attempt import s256
from tests.dev_server import DevServer
from tests.person import Person, form_with, sent_back
from tests.relying_party import RelyingParty

NODE = Path(sys.executable).with_name("node")


class TestThePythonTutorial:
    """A public client with `requests`, no state and no nonce; then its four pitfalls."""

    async def test_its_steps_end_with_tokens(self, dev: DevServer) -> None:
        client_id, redirect_uri = dev.application("spa")["client_id"], dev.application("spa")["redirect_uris"][0]
        code_verifier = secrets.token_urlsafe(32)
        digest = hashlib.sha256(code_verifier.encode("utf-8")).digest()
        code_challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("utf-8")
        authorization_url = (
            f"{dev.issuer}/authorize"
            "?response_type=code"
            f"&client_id={client_id}"
            f"&redirect_uri={redirect_uri}"
            "&scope=openid%20profile%20email"
            f"&code_challenge={code_challenge}"
            "&code_challenge_method=S256"
        )

        async with Person(dev) as alice:
            page = await alice.go_on(await alice.http.get(authorization_url))
            redirect_response = page.headers["location"]
        code = parse_qs(urlparse(redirect_response).query)["code"][0]
        response = httpx2.post(
            f"{dev.issuer}/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "client_id": client_id,
                "code_verifier": code_verifier,
            },
        )

        assert redirect_response.startswith(f"{redirect_uri}?")
        assert response.status_code == 200
        tokens = response.json()
        assert {"access_token", "refresh_token", "id_token"} <= set(tokens)
        assert set(tokens["scope"].split()) == {"openid", "profile", "email"}

    async def test_plain_goes_back_as_invalid_request(self, dev: DevServer) -> None:
        async with RelyingParty(dev) as spa, Person(dev) as alice:
            attempt = spa.begin()
            query = {**attempt.query, "code_challenge": attempt.code_verifier, "code_challenge_method": "plain"}
            response = await alice.open(query)
        assert response.headers["location"].startswith(f"{spa.redirect_uri}?")
        answer = sent_back(response)
        assert ("invalid_request", attempt.state, dev.issuer) == (answer["error"], answer["state"], answer["iss"])
        assert "code_challenge_method must be S256" in answer["error_description"]
        assert "code" not in answer

    @pytest.mark.parametrize(
        ("code_verifier", "slug"),
        [(secrets.token_urlsafe(32), "pkce_mismatch"), ("different-verifier", "pkce_verifier_malformed")],
        ids=["another one", "18 characters"],
    )
    async def test_another_verifier_is_invalid_grant(self, dev: DevServer, code_verifier: str, slug: str) -> None:
        async with RelyingParty(dev) as spa, Person(dev) as alice:
            attempt, code = await spa.code_for(alice)
            refused = await spa.token({**attempt.redemption(code), "code_verifier": code_verifier})
            mended = await spa.token(attempt.redemption(code))
        assert (400, "invalid_grant") == (refused.status_code, refused.json()["error"])
        assert f"[{slug}]" in refused.json()["error_description"]
        assert mended.status_code == 200

    async def test_without_its_redirect_uri_the_token_request_is_invalid(self, dev: DevServer) -> None:
        async with RelyingParty(dev) as spa, Person(dev) as alice:
            attempt, code = await spa.code_for(alice)
            sent = attempt.redemption(code)
            del sent["redirect_uri"]
            refused = await spa.token(sent)
            mended = await spa.token(attempt.redemption(code))
        assert (400, "invalid_request") == (refused.status_code, refused.json()["error"])
        assert "redirect_uri" in refused.json()["error_description"]
        assert mended.status_code == 200

    async def test_a_differing_redirect_uri_is_invalid_grant(self, dev: DevServer) -> None:
        async with RelyingParty(dev) as spa, Person(dev) as alice:
            attempt, code = await spa.code_for(alice)
            other = dev.application("spa")["redirect_uris"][1]
            refused = await spa.token({**attempt.redemption(code), "redirect_uri": other})
        assert (400, "invalid_grant") == (refused.status_code, refused.json()["error"])

    async def test_a_secret_in_a_public_client_is_invalid_client(self, dev: DevServer) -> None:
        async with RelyingParty(dev) as spa, Person(dev) as alice:
            attempt, code = await spa.code_for(alice)
            refused = await spa.token({**attempt.redemption(code), "client_secret": "your-client-secret"})
        assert (401, "invalid_client") == (refused.status_code, refused.json()["error"])
        assert refused.headers["www-authenticate"].startswith("Basic ")


class TestTheCurlSamples:
    """An authorization request without scope and state, and a token request that is not one."""

    async def test_the_authorize_call_shows_the_sign_in_page(self, dev: DevServer) -> None:
        query = _without_scope_and_state(dev, secrets.token_urlsafe(32))
        page = _curl_get(f"{dev.issuer}/oauth2/authorize", query)
        form = form_with(page, "password")
        assert form is not None
        assert form.method == "post"

    async def test_the_token_call_lists_what_is_missing_and_the_code_stays_usable(self, dev: DevServer) -> None:
        code_verifier = secrets.token_urlsafe(32)
        query = _without_scope_and_state(dev, code_verifier)
        async with Person(dev) as alice:
            answer = await alice.go_through(query)
        code = answer["code"]
        url = f"{dev.issuer}/oauth2/token"
        refused = httpx2.post(
            url,
            content=f"authorization_code={code}&code_verifier={code_verifier}",
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        corrected = {"grant_type": "authorization_code", "code": code, "code_verifier": code_verifier}
        mended = httpx2.post(
            url, data={**corrected, "client_id": query["client_id"], "redirect_uri": query["redirect_uri"]}
        )

        assert "state" not in answer
        assert (400, "invalid_request") == (refused.status_code, refused.json()["error"])
        description = refused.json()["error_description"]
        assert all(name in description for name in ("grant_type", "code", "client_id", "redirect_uri"))
        assert "code_verifier" not in description
        assert mended.status_code == 200
        assert mended.json()["scope"] == "notes:read"

    async def test_several_addresses_need_the_parameter(self, dev: DevServer) -> None:
        query = _without_scope_and_state(dev, secrets.token_urlsafe(32))
        del query["redirect_uri"]
        page = httpx2.get(f"{dev.issuer}/oauth2/authorize", params=query)
        assert page.status_code == 400
        assert "location" not in page.headers
        assert "redirect_uri" in page.text


def _without_scope_and_state(dev: DevServer, code_verifier: str) -> dict[str, str]:
    spa = dev.application("spa")
    return {
        "response_type": "code",
        "redirect_uri": spa["redirect_uris"][0],
        "client_id": spa["client_id"],
        "code_challenge": s256(code_verifier),
        "code_challenge_method": "S256",
    }


def _curl_get(url: str, query: dict[str, str]) -> httpx2.Response:
    """The call as printed, by curl where the machine has it."""
    if shutil.which("curl") is None:
        return httpx2.get(f"{url}?{urlencode(query)}", follow_redirects=True)
    encoded = [part for name, value in query.items() for part in ("--data-urlencode", f"{name}={value}")]
    command = ["curl", "--silent", "--show-error", "--fail", "--location", "--get", "--url", url, *encoded]
    done = subprocess.run(command, capture_output=True, timeout=30, check=True)
    return httpx2.Response(200, content=done.stdout, headers={"content-type": "text/html; charset=utf-8"})


class TestTheNodeFunctions:
    """A verifier and its challenge made by Node's crypto module."""

    async def test_they_make_the_challenge_we_expect(self, dev: DevServer) -> None:
        made = _node("let codeVerifier = base64URLEncode(crypto.randomBytes(32));")
        expected = encode_challenge(challenge_for(made["codeVerifier"]))
        assert expected == made["codeChallenge"]
        async with RelyingParty(dev) as spa, Person(dev) as alice:
            assert await spa.tokens_for(alice, code_verifier=made["codeVerifier"])

    async def test_the_known_answer_of_helloworld_holds_and_it_is_refused_as_a_verifier(self, dev: DevServer) -> None:
        made = _node("let codeVerifier = 'helloworld';")
        assert made["codeChallenge"] == "k2oYXKqiZrucvpgengXLeM1zKwsygOuURBK7b4-PB68"
        assert made["codeChallenge"] == encode_challenge(challenge_for("helloworld"))
        async with RelyingParty(dev) as spa, Person(dev) as alice:
            attempt, code = await spa.code_for(alice, code_verifier="helloworld")
            refused = await spa.token(attempt.redemption(code))
        assert (400, "invalid_grant") == (refused.status_code, refused.json()["error"])
        assert "43 to 128" in refused.json()["error_description"]


_ENCODE = """
const crypto = require('node:crypto');
function base64URLEncode(str) {
    return str.toString('base64').replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=/g, '');
}
"""
_CHALLENGE = """
let codeChallenge = base64URLEncode(crypto.createHash('sha256').update(codeVerifier).digest());
console.log(JSON.stringify({ codeVerifier, codeChallenge }));
"""


def _node(make_verifier: str) -> dict[str, str]:
    script = _ENCODE + make_verifier + _CHALLENGE
    done = subprocess.run([NODE, "-e", script], capture_output=True, timeout=60, check=True)
    made: dict[str, str] = json.loads(done.stdout)
    return made
