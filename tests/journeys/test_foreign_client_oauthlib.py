"""oauthlib, which is beneath requests-oauthlib and many others: it compares scopes strictly and repeats them at refresh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from oauthlib.oauth2 import InvalidGrantError, WebApplicationClient

from tests.attempt import ALL_SCOPES
from tests.dev_server import DevServer
from tests.visitor import sign_in


class Session:
    """Sends what oauthlib says, and has oauthlib read the answer."""

    def __init__(self, dev: DevServer, name: str) -> None:
        self.at = f"{dev.issuer}/oauth2"
        application = dev.application(name)
        self.redirect_uri = application["redirect_uris"][0]
        self.secret = application.get("client_secret")
        self.oauth = WebApplicationClient(application["client_id"])
        self.http = httpx2.Client(trust_env=False)

    def ask_tokens(self, body: str) -> dict[str, Any]:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = self.http.post(f"{self.at}/token", content=body, headers=headers)
        tokens: dict[str, Any] = self.oauth.parse_request_body_response(answer.text, scope=ALL_SCOPES.split())
        return tokens

    def refresh(self, token: str) -> dict[str, Any]:
        secret = {"client_secret": self.secret} if self.secret else {}
        body = self.oauth.prepare_refresh_body(
            refresh_token=token, scope=ALL_SCOPES, client_id=self.oauth.client_id, **secret
        )
        return self.ask_tokens(body)


@pytest.fixture(params=["spa", "native", "web"])
def session(request: pytest.FixtureRequest, dev: DevServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    opened = Session(dev, request.param)
    yield opened
    opened.http.close()


def test_oauthlib_signs_in_and_refreshes(session: Session, dev: DevServer) -> None:
    oauth = session.oauth
    verifier = oauth.create_code_verifier(64)
    url = oauth.prepare_request_uri(
        f"{session.at}/authorize",
        redirect_uri=session.redirect_uri,
        scope=ALL_SCOPES,
        state="a state: with / marks",
        code_challenge=oauth.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
    )
    address = sign_in(url, "alice", dev.password_of("alice"))
    answer = oauth.parse_request_uri_response(address, state="a state: with / marks")
    secret = {"client_secret": session.secret} if session.secret else {}
    body = oauth.prepare_request_body(
        code=answer["code"], redirect_uri=session.redirect_uri, code_verifier=verifier, **secret
    )
    tokens = session.ask_tokens(body)
    assert set(ALL_SCOPES.split()) == set(tokens["scope"])
    fresh = session.refresh(tokens["refresh_token"])
    uri, headers, _ = oauth.add_token(f"{session.at}/userinfo", headers={})
    assert "alice@demo.example" == session.http.get(uri, headers=headers).json()["email"]
    assert fresh["access_token"] != tokens["access_token"]
    with pytest.raises(InvalidGrantError):
        session.refresh("never-issued")
