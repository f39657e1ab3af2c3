"""What userinfo says in a signed answer, and when an answer is one (OpenID Connect Core §5.3.2, RFC 9110 §8.3.1)."""

from __future__ import annotations

import pytest

from proofkey.client.issuer import Issuer
from proofkey.client.messages import Claims, HttpRequest, HttpResponse, NoAnswer, ResponseRefused
from proofkey.client.protocol import Tokens
from tests.client.test_issuer import HOME, KEY, METADATA, REGISTRATION, Clock, Script
from tests.protocol.refusals import refused

TOKENS = Tokens("the-access-token", 300, None, None, None)
SIGNED = KEY.sign("JWT", {"iss": HOME, "aud": "client", "sub": "alice", "name": "Alice"}).encode()


class Userinfo(Script):
    """An issuer whose userinfo is signed, under this status and media type."""

    def __init__(self, status: int, media_type: str) -> None:
        super().__init__()
        self.answers["/.well-known/openid-configuration"] = {**METADATA, "userinfo_endpoint": f"{HOME}/userinfo"}
        self._answer = HttpResponse(status, {"content-type": media_type}, SIGNED)

    def answer(self, request: HttpRequest) -> HttpResponse | ResponseRefused:
        return self._answer if request.url == f"{HOME}/userinfo" else super().answer(request)

    def read(self) -> Claims:
        return self.run(Issuer(HOME, REGISTRATION, clock=Clock()).read_userinfo(TOKENS, subject="alice"))


@pytest.mark.parametrize("media_type", ["application/jwt", "Application/JWT", "application/jwt ; charset=utf-8"])
def test_a_media_type_has_no_case(media_type: str) -> None:
    assert "Alice" == Userinfo(200, media_type).read()["name"]


@pytest.mark.parametrize(("status", "media_type"), [(401, "application/jwt"), (200, "application/jwt-of-another-kind")])
def test_only_an_answer_that_is_one_is_believed(status: int, media_type: str) -> None:
    with refused(NoAnswer, "response_unreadable"):
        Userinfo(status, media_type).read()
