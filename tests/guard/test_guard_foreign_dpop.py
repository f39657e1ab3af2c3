"""Bound tokens of an issuer that is not ours, and proofs of a client that is not ours, at our guard."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from proofkey.client import Issuer, Network, read_callback
from proofkey.client.dpop import DpopKey
from proofkey.client.registration import register
from proofkey.guard import Dpop, Guard, Introspection, Nonces, ResourceServer, TrustedIssuer, access_of, require
from tests.guard.sample_issuer import SampleIssuer
from tests.listening import bind, listening, url_of
from tests.providers.foreign import ForeignProvider
from tests.providers.person import ForeignPerson

CALLBACK = "http://127.0.0.1:9/callback"
NODE = Path(__file__).parents[2] / ".venv" / "bin" / "node"


def now() -> int:
    """Milliseconds since 1970: the foreign sides have the machine's clock."""
    return time.time_ns() // 1_000_000


async def who_calls(scope: Any, _receive: Any, send: Any) -> None:
    body = json.dumps(access_of(scope).subject).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(params=["https://api.example/", "https://opaque.example/"], ids=["JWT", "opaque"])
def bound_token(request: pytest.FixtureRequest, oidc_provider: ForeignProvider) -> tuple[str, DpopKey, str]:
    """An access token that oidc-provider bound to a key, the key, and the resource it is for."""
    resource, key = request.param, DpopKey.generate()
    with Network("http://127.0.0.1") as network, ForeignPerson(oidc_provider.issuer) as alice:
        registered = network.run(register(oidc_provider.issuer, CALLBACK, public=True))
        issuer = Issuer(oidc_provider.issuer, registered.registration, dpop_key=key)
        pending = network.run(issuer.begin(scope="openid notes:read", resource=resource))
        signed_in = network.run(issuer.redeem(read_callback(alice.visit(pending.url), pending)))
    return signed_in.tokens.access_token, key, resource


def test_a_token_bound_by_oidc_provider_opens_for_its_key_alone(
    oidc_provider: ForeignProvider, bound_token: tuple[str, DpopKey, str]
) -> None:
    token, key, resource = bound_token
    listener = bind()
    url = url_of(listener)
    api = oidc_provider.clients["api"]
    asking = TrustedIssuer(
        oidc_provider.issuer, introspection=Introspection(api["client_id"], api["client_secret"], kept_for=0)
    )
    server = ResourceServer(asking, audience=resource, public_url=url, bindings=[Dpop(required=True)])
    with listening(Guard(who_calls, server, require("notes:read")), listener), httpx2.Client(trust_env=False) as http:

        def call(proof: str | None, scheme: str = "DPoP") -> tuple[int, str]:
            headers = {"authorization": f"{scheme} {token}"} | ({} if proof is None else {"dpop": proof})
            answer = http.get(f"{url}/notes?page=2", headers=headers)
            return answer.status_code, answer.text

        good = key.proof("GET", f"{url}/notes?page=2", now=now(), jti="1", access_token=token)
        assert (200, '"alice"') == call(good)
        stolen = DpopKey.generate().proof("GET", f"{url}/notes", now=now(), jti="2", access_token=token)
        for proof, reason in ((good, "dpop_replayed"), (stolen, "dpop_key_differs"), (None, "dpop_proof_missing")):
            status, text = call(proof)
            assert (401, True) == (status, f"[{reason}]" in text)
        assert 401 == call(None, "Bearer")[0]


@pytest.fixture
def issuer() -> Iterator[SampleIssuer]:
    listener = bind()
    sample = SampleIssuer(f"{url_of(listener)}/acme/main")
    with listening(sample, listener):
        yield sample


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "RS256", "PS256"])
@pytest.mark.parametrize("nonces", [None, Nonces(b"n" * 32)], ids=["without nonce", "with nonce"])
def test_a_client_that_is_not_ours_comes_in(issuer: SampleIssuer, alg: str, nonces: Nonces | None) -> None:
    listener = bind()
    url = url_of(listener)
    server = ResourceServer(
        issuer.issuer, audience="https://api.example", public_url=url, bindings=[Dpop(nonces=nonces)]
    )
    client = subprocess.Popen(
        [NODE, Path(__file__).with_name("foreign_dpop_client.mjs"), alg],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None
    with listening(Guard(who_calls, server), listener):
        token = issuer.token(now=now(), cnf={"jkt": client.stdout.readline().strip()})
        said, _ = client.communicate(json.dumps({"url": f"{url}/a%2Fb?c=d", "token": token}) + "\n", timeout=30)
    assert [200, 200, 200, 200] == json.loads(said)
