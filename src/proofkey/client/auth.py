"""Sending a person's access token with httpx2, to the API it is for and nowhere else (RFC 6750 §2.1, RFC 9449 §7).

1. Only requests to the given origins carry a token; httpx2 takes it off again where a redirect leads to another origin.
2. A token about to expire is renewed first; one that the API calls `invalid_token` is renewed once, and the request
   sent again where its body can be.
   Only the API's own answer is judged: where it redirected to another origin, what that one says changes nothing here.
3. A bound token goes with a proof made for this request; the API's nonce is kept for the next one (RFC 9449 §9).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, TypeAlias

import httpx2

from proofkey.protocol.challenge import read_errors
from proofkey.protocol.issuer import is_safe_address

if TYPE_CHECKING:
    from proofkey.client.sign_in import SignIn

Origin: TypeAlias = tuple[str, str, int | None]
_PORTS = {"https": 443, "http": 80}


class TokenAuth(httpx2.Auth):
    """`auth=` for `httpx2.Client` and `AsyncClient`: the token of *sign_in* for requests to *origins*, none for others.

    Without *origins* it is the API that the sign-in is for: the resource it names, else the audiences its access token names.
    Raises `ValueError` for an origin that is neither https nor this machine, or where there is none.

    >>> import httpx2
    >>> me = login(ISSUER, CLIENT_ID, scope="openid notes:read", resource=AUDIENCE, store=MemoryStore())
    >>> httpx2.get(API_URL, auth=me.auth()).status_code
    200
    """

    def __init__(self, sign_in: SignIn, *origins: str) -> None:
        named = origins or tuple(filter(is_safe_address, sign_in.audiences))
        if not named or not all(is_safe_address(origin) for origin in named):
            raise ValueError(
                "say to which origins the token may go, in auth(…) or login(resource=…): https, or http here"
            )
        self._sign_in = sign_in
        self._origins = frozenset(origin_of(httpx2.URL(origin)) for origin in named)
        self._nonces: dict[Origin, str] = {}

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send *request* with a token, and where it has to be once more."""
        if origin_of(request.url) not in self._origins:
            yield request
            return
        token = self._sign_in.access_token()
        response = yield self._authorized(request, token)
        if self._takes_nonce(request, response):
            response = yield self._authorized(request, token)
        if _is_refused(request, response, "invalid_token"):
            token = self._sign_in.access_token(rejected=token)
            response = yield self._authorized(request, token)
        self._takes_nonce(request, response)

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """`sync_auth_flow` for an event loop."""
        if origin_of(request.url) not in self._origins:
            yield request
            return
        token = await self._sign_in.access_token_async()
        response = yield self._authorized(request, token)
        if self._takes_nonce(request, response):
            response = yield self._authorized(request, token)
        if _is_refused(request, response, "invalid_token"):
            token = await self._sign_in.access_token_async(rejected=token)
            response = yield self._authorized(request, token)
        self._takes_nonce(request, response)

    def _authorized(self, request: httpx2.Request, token: str) -> httpx2.Request:
        request.headers["authorization"] = f"{self._sign_in.token_type} {token}"
        nonce = self._nonces.get(origin_of(request.url))
        proof = self._sign_in.prove(request.method, str(request.url), access_token=token, nonce=nonce)
        if proof is not None:
            request.headers["dpop"] = proof
        return request

    def _takes_nonce(self, request: httpx2.Request, response: httpx2.Response) -> bool:
        """Keep the nonce that *response* brings; whether the request is to be sent again with it."""
        nonce = response.headers.get("dpop-nonce")
        if nonce is None or not _is_own_answer(request, response):
            return False
        self._nonces[origin_of(request.url)] = nonce
        return _is_refused(request, response, "use_dpop_nonce")


def origin_of(url: httpx2.URL) -> Origin:
    """Scheme, host and port: what browsers call an origin (RFC 6454 §4)."""
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme)


def _is_own_answer(request: httpx2.Request, response: httpx2.Response) -> bool:
    """Whether *response*, to which redirects may have led, comes from where *request* went."""
    return origin_of(response.request.url) == origin_of(request.url)


def _is_refused(request: httpx2.Request, response: httpx2.Response, error: str) -> bool:
    """Whether *response* is a 401 for *error*, and *request* can be sent again: a body that was streamed is gone."""
    if response.status_code != 401 or not _is_own_answer(request, response):
        return False
    if error not in read_errors(response.headers.get_list("www-authenticate")):
        return False
    try:
        return request.content is not None
    except httpx2.RequestNotRead:
        return False
