"""What a client reads in its callback: the cases that the Python and the TypeScript client share."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proofkey.client.messages import Registration
from proofkey.client.protocol import PendingLogin, read_callback
from proofkey.protocol.errors import Refusal
from tests.protocol.refusals import refused
from tests.protocol.vectors import VECTORS, cases

DEFAULTS = json.loads((VECTORS / "callback.json").read_text(encoding="utf-8"))["defaults"]


@pytest.mark.parametrize("case", cases("callback.json", "reading"))
def test_callback(case: dict[str, Any]) -> None:
    begun = {**DEFAULTS, **case}
    pending = PendingLogin(
        url="https://auth.example/demo/main/oauth2/authorize?…",
        issuer=begun["issuer"],
        iss_required=begun["iss_required"],
        registration=Registration("spa", begun["redirect_uri"]),
        scope="openid",
        state=begun["state"],
        nonce="n-0S6_WzA2Mj",
        code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    )
    if case["refused"] is None:
        assert case["code"] == read_callback(case["url"], pending).code
    else:
        with refused(Refusal, case["refused"]):
            read_callback(case["url"], pending)
