"""Tokens as others check them: PyJWT and joserfc, each by itself, against the published keys (RFC 9068 §4, OIDC Core §3.1.3)."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jwt
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from tests.dev_server import DevServer, StartDev
from tests.journeys.declaration import write_declaration
from tests.person import Person, client_of
from tests.relying_party import RelyingParty

TYPES = {"access_token": "at+jwt", "id_token": "JWT"}


async def metadata_of(server: DevServer) -> dict[str, Any]:
    """What discovery says."""
    async with client_of(server) as http:
        found: dict[str, Any] = (await http.get(f"{server.issuer}/.well-known/openid-configuration")).json()
        return found


def audience_of(server: DevServer, client: RelyingParty, kind: str) -> str:
    """Whom each kind of token is for."""
    audience: str = {"access_token": server.told["resource"]["audience"], "id_token": client.client_id}[kind]
    return audience


@pytest.mark.parametrize("kind", TYPES)
async def test_pyjwt_verifies(dev: DevServer, kind: str) -> None:
    metadata = await metadata_of(dev)
    async with RelyingParty(dev) as spa, Person(dev) as alice:
        tokens = [(await spa.tokens_for(alice))]
        tokens.append((await spa.refresh(tokens[0]["refresh_token"])).json())
    keys = jwt.PyJWKClient(metadata["jwks_uri"])
    for token in (each[kind] for each in tokens):
        required = ["exp", "iat", "iss", "sub", "aud"]
        claims = jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token),
            algorithms=metadata["id_token_signing_alg_values_supported"],
            audience=audience_of(dev, spa, kind),
            issuer=metadata["issuer"],
            options={"require": required},
        )
        assert TYPES[kind] == jwt.get_unverified_header(token)["typ"]
        assert 300 == claims["exp"] - claims["iat"]
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(
                forged(token), keys.get_signing_key_from_jwt(token), algorithms=["ES256"], audience=claims["aud"]
            )


@pytest.mark.parametrize("kind", TYPES)
async def test_joserfc_verifies(dev: DevServer, kind: str) -> None:
    metadata = await metadata_of(dev)
    async with RelyingParty(dev, "web") as web, Person(dev) as alice:
        tokens = await web.tokens_for(alice)
        keys = KeySet.import_key_set((await web.http.get(metadata["jwks_uri"])).json())
    token = joserfc_jwt.decode(tokens[kind], keys, algorithms=["ES256"])
    expected = {"iss": metadata["issuer"], "aud": audience_of(dev, web, kind)}
    essential: dict[str, Any] = {name: {"essential": True} for name in ("sub", "exp", "iat")}
    essential |= {name: {"essential": True, "value": value} for name, value in expected.items()}
    registry = JWTClaimsRegistry(**essential)
    registry.validate(token.claims)
    assert TYPES[kind] == token.header["typ"]
    with pytest.raises(BadSignatureError):
        joserfc_jwt.decode(forged(tokens[kind]), keys, algorithms=["ES256"])


def forged(token: str) -> str:
    """The same token with one bit of its claims changed."""
    header, claims, signature = token.split(".")
    raw = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)).replace(b'"exp":1', b'"exp":3')
    return ".".join([header, base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), signature])


async def test_the_id_token_belongs_to_its_sign_in_and_to_its_access_token(dev: DevServer) -> None:
    async with RelyingParty(dev) as spa, Person(dev) as alice:
        attempt, code = await spa.code_for(alice)
        tokens = (await spa.token(attempt.redemption(code))).json()
        told = (await spa.userinfo(tokens["access_token"])).json()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    access = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert attempt.nonce == claims["nonce"]
    assert base64.urlsafe_b64encode(half).rstrip(b"=").decode() == claims["at_hash"]
    assert {claims["sub"], access["sub"]} == {told["sub"]}
    assert (spa.client_id, tokens["scope"]) == (access["client_id"], access["scope"])


async def test_an_id_token_in_rs256_verifies_where_the_client_asked_for_it(start_dev: StartDev, tmp_path: Path) -> None:
    file = write_declaration(tmp_path)
    file.write_text(file.read_text().replace("kind: web", "kind: web\n            id_token_signed_response_alg: RS256"))
    server = start_dev("--config", str(file))
    metadata = await metadata_of(server)
    async with RelyingParty(server, "web") as web, Person(server) as alice:
        id_token = (await web.tokens_for(alice))["id_token"]
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(id_token)
    claims = jwt.decode(id_token, key, algorithms=["RS256"], audience=web.client_id, issuer=server.issuer)
    assert "Alice" == claims["name"]
