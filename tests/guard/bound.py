"""An API behind DPoP, a client with a key, and requests of it that can be wrong in every way."""

from __future__ import annotations

from typing import Any

from proofkey.client.dpop import DpopKey
from proofkey.guard import Access, Dpop, ResourceServer
from proofkey.guard.request import ApiRequest
from proofkey.protocol.errors import OAuthError
from tests.guard.sample_issuer import Clock, SampleIssuer

URL = "https://api.example/notes"


class BoundClient:
    """A client whose access token is bound to its key, and the API that it calls."""

    def __init__(self, issuer: SampleIssuer, binding: Dpop, clock: Clock, key: DpopKey | None = None) -> None:
        self.clock = clock
        self.key = key or DpopKey.generate()
        self.server = ResourceServer(issuer.issuer, audience="https://api.example", bindings=[binding], clock=clock)
        self.token = issuer.token(cnf={"jkt": self.key.jkt})
        self._made = 0

    def proof(self, method: str = "GET", url: str = URL, *, key: DpopKey | None = None, **changed: Any) -> str:
        """A fresh proof for a request with the token."""
        self._made += 1
        made = {"now": self.clock.now, "jti": f"jti-{self._made}", "access_token": self.token, **changed}
        return (key or self.key).proof(method, url, **made)

    async def send(
        self, *proofs: str, method: str = "GET", path: str = "/notes", scheme: str = "DPoP", token: str | None = None
    ) -> Access:
        """What the API says to a request with *proofs*."""
        return await self.server.admit(self.request(*proofs, method=method, path=path, scheme=scheme, token=token))

    def request(
        self, *proofs: str, method: str = "GET", path: str = "/notes", scheme: str = "DPoP", token: str | None = None
    ) -> ApiRequest:
        """A request as the guard sees it."""
        headers = [(b"authorization", f"{scheme} {token or self.token}".encode())]
        headers += [(b"dpop", proof.encode("latin-1")) for proof in proofs]
        return ApiRequest(method, self.server.url_of(path), headers)

    def answer(self, refusal: OAuthError, request: ApiRequest) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer to a refused request."""
        answer = self.server.challenge(refusal, request)
        return answer.status, dict(answer.headers)
