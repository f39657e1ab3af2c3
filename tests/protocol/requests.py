"""How the tables of this folder write an authorization request and read it."""

from __future__ import annotations

from urllib.parse import urlencode

from proofkey.protocol.authorize import (
    KNOWN,
    Asking,
    AuthorizeRequest,
    find_client_id,
    find_return_address,
    parse_authorize,
    parse_reply,
)
from proofkey.protocol.parameters import Parameters, parse
from proofkey.protocol.records import Client
from tests.protocol.facts import CHALLENGE, NOON, SPA, WORKSPACE

REQUEST_ID = b"Q" * 16
BROWSER = b"b" * 32
ASKING = Asking(REQUEST_ID, BROWSER, None, NOON)
GOOD = {
    "response_type": "code",
    "client_id": "spa",
    "redirect_uri": "https://app.example/callback",
    "scope": "openid notes:read",
    "state": "af0ifjsldkj",
    "nonce": "n-0S6_WzA2Mj",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def asked(**members: str | None) -> Parameters:
    """A good request, with some members changed, added or (None) left out, as the server reads it."""
    sent = {name: value for name, value in {**GOOD, **members}.items() if value is not None}
    return parse(urlencode(sent).encode(), KNOWN)


def read(params: Parameters, client: Client = SPA, asking: Asking = ASKING) -> AuthorizeRequest:
    """Through both doors."""
    find_client_id(params)
    address = find_return_address(params, client)
    return parse_authorize(params, parse_reply(params, address), client, WORKSPACE, asking)
