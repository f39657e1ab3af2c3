"""Sending to an API with the person's access token, and once more where the token or the proof was not good any more.

A token is renewed early only where the API calls it `invalid_token`, and not again for a minute where that did not help.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress

import httpx2

from proofkey.client.web.api import Api
from proofkey.client.web.forwarding import RawHeaders
from proofkey.client.web.recognise import Recognised
from proofkey.client.web.refresh import TokenRenewal
from proofkey.client.web.request_body import RequestBody
from proofkey.client.web.site import Site
from proofkey.client.web.turns import ApiUnreachable, Turns
from proofkey.protocol.challenge import read_errors
from proofkey.protocol.errors import Refusal
from proofkey.protocol.records import MINUTE, SECOND

MOST_NOTED = 10_000


class Upstream:
    """Connections to one API. Redirects are not followed, proxies of the environment not used.

    A request is built for the API's own address; what was asked for below it is its target, byte for byte.
    """

    def __init__(self, api: Api, renewal: TokenRenewal) -> None:
        self.api = api
        self._renewal = renewal
        self._nonce: str | None = None
        self._in_vain: dict[bytes, int] = {}
        self._turns = Turns(api.max_connections)
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(api.timeout_for / SECOND, connect=10),
            limits=httpx2.Limits(max_connections=api.max_connections),
            follow_redirects=False,
            trust_env=False,
        )
        self._client.headers = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "proofkey"}

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def send(
        self, site: Site, who: Recognised, method: str, url: str, headers: RawHeaders, body: RequestBody
    ) -> AsyncIterator[httpx2.Response]:
        """The API's answer, still to be read. Raises `ApiUnreachable`, `SessionEnded`, `TokensUnavailable`."""
        person = who.stored.subject_key
        async with (
            self._turns.turn(person, within=self.api.timeout_for / SECOND),
            self._answer(site, who, method, url, headers, body) as answer,
        ):
            is_stream = answer.headers.get("content-type", "").lower().startswith("text/event-stream")
            with self._turns.stream(person) if is_stream else nullcontext():
                yield answer

    @asynccontextmanager
    async def _answer(
        self, site: Site, who: Recognised, method: str, url: str, headers: RawHeaders, body: RequestBody
    ) -> AsyncIterator[httpx2.Response]:
        token = await self._token(site, who, None)
        answer = await self._try(site, token, method, url, headers, body)
        try:
            again = await self._token_for_another_try(site, who, token, answer) if body.can_be_sent else None
            if again is not None:
                await answer.aclose()
                answer = await self._try(site, again, method, url, headers, body)
                if again != token and "invalid_token" in _errors_of(answer):
                    self._note_in_vain(who.stored.key, site.clock())
            yield answer
        finally:
            await answer.aclose()

    async def _token(self, site: Site, who: Recognised, refused: str | None) -> str:
        return await self._renewal(site, who.stored.key, self.api.resource, scope=self.api.scope, refused=refused)

    async def _token_for_another_try(
        self, site: Site, who: Recognised, token: str, answer: httpx2.Response
    ) -> str | None:
        """None where the API's answer is the answer."""
        errors = _errors_of(answer)
        if "use_dpop_nonce" in errors and site.issuer.dpop_key is not None and "dpop-nonce" in answer.headers:
            return token
        if "invalid_token" not in errors or 0 <= site.clock() - self._in_vain.get(who.stored.key, 0) < MINUTE:
            return None
        return await self._other_token(site, who, token)

    def _note_in_vain(self, key: bytes, now: int) -> None:
        """The oldest are forgotten first."""
        self._in_vain.pop(key, None)
        self._in_vain[key] = now
        if len(self._in_vain) > MOST_NOTED:
            del self._in_vain[next(iter(self._in_vain))]

    async def _other_token(self, site: Site, who: Recognised, refused: str) -> str | None:
        """A token that is not the one refused; None where there is none: the API's own answer then says why."""
        with suppress(Refusal):
            return await self._token(site, who, refused)
        return None

    async def _try(
        self, site: Site, token: str, method: str, url: str, headers: RawHeaders, body: RequestBody
    ) -> httpx2.Response:
        authorized = [*headers, *body.length(), *self._authorization(site, token, method, url)]
        target = url.removeprefix(self.api.origin).encode("ascii") or b"/"
        request = self._client.build_request(
            method, self.api.url, headers=authorized, content=body.content(), extensions={"target": target}
        )
        try:
            answer = await self._client.send(request, stream=True)
        except httpx2.HTTPError as failure:
            detail = type(failure).__name__
            raise ApiUnreachable("api_unreachable", "The API does not answer", detail=detail) from None
        self._nonce = answer.headers.get("dpop-nonce", self._nonce)
        return answer

    def _authorization(self, site: Site, token: str, method: str, url: str) -> RawHeaders:
        key = site.issuer.dpop_key
        if key is None:
            return [(b"authorization", f"Bearer {token}".encode())]
        jti = site.entropy(16).hex()
        proof = key.proof(method, url, now=site.clock(), jti=jti, nonce=self._nonce, access_token=token)
        return [(b"authorization", f"DPoP {token}".encode()), (b"dpop", proof.encode())]


def _errors_of(answer: httpx2.Response) -> frozenset[str]:
    """What a 401 says is wrong with the token or its proof (RFC 9449 §9: a nonce is asked for by a 401 as well)."""
    return read_errors(answer.headers.get_list("www-authenticate")) if answer.status_code == 401 else frozenset()
