"""ID tokens that Python and TypeScript both believe, or both refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proofkey import jose
from proofkey.client.id_token import IdTokenRefused, check_id_token
from proofkey.protocol.records import SECOND
from tests.protocol.vectors import VECTORS, cases

FILE = "id_token.json"
TOLD = json.loads((VECTORS / FILE).read_text(encoding="utf-8"))
KEYS = jose.KeySet.from_jwks({"keys": TOLD["keys"]})


def is_believed(id_token: str) -> bool:
    expected = TOLD["defaults"]
    try:
        check_id_token(
            jose.verify_jwt(id_token, KEYS, expected_typ=None),
            expected_issuer=expected["issuer"],
            expected_client_id=expected["client_id"],
            expected_nonce=expected["nonce"],
            now=expected["now"] * SECOND,
        )
    except (jose.TokenInvalid, IdTokenRefused):
        return False
    return True


@pytest.mark.parametrize("case", cases(FILE, "verifying"))
def test_an_id_token_is_believed_or_not(case: dict[str, Any]) -> None:
    assert case["believed"] == is_believed(case["id_token"])
