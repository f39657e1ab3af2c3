"""The device grant where the issuer's keys cannot be had, and what a login shows of itself."""

from __future__ import annotations

import json

import pytest

from proofkey.client.conversation import advance
from proofkey.client.device import begin_device
from proofkey.client.issuer import Issuer
from proofkey.client.messages import HttpRequest, HttpResponse, NoAnswer, public_registration
from proofkey.client.native import _Login

ISSUER = "https://issuer.example"
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "device_authorization_endpoint": f"{ISSUER}/device",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "code_challenge_methods_supported": ["S256"],
}


@pytest.mark.parametrize("keys", [HttpResponse(404, {}, b"<html>"), NoAnswer("server_unreachable", "away")])
def test_nobody_is_shown_a_code_where_no_token_could_be_checked(keys: HttpResponse | NoAnswer) -> None:
    conversation = begin_device(Issuer(ISSUER, public_registration("native", "", None)), scope="openid")
    step = advance(conversation, None)
    while isinstance(step, HttpRequest) and "/.well-known/" in step.url:
        step = advance(conversation, HttpResponse(200, {}, json.dumps(METADATA).encode()))
    assert isinstance(step, HttpRequest)
    assert f"{ISSUER}/keys" == step.url
    with pytest.raises(NoAnswer):
        advance(conversation, keys)


def test_a_login_does_not_show_its_secret() -> None:
    assert "s3cret" not in repr(_Login(ISSUER, "native", client_secret="s3cret"))
