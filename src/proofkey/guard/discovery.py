"""Asking an issuer: its metadata, its keys, and what it knows of a token (RFC 8414, RFC 7517 §5, RFC 7662).

1. The metadata must name the issuer to the byte; addresses are https, or http on loopback where the issuer is there.
2. Answers are bounded in size and time, redirects are not followed, compression is not undone.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proofkey import jose
from proofkey.guard.fetched import AnswerUnusable
from proofkey.protocol.issuer import is_issuer, may_be_of, metadata_addresses

if TYPE_CHECKING:
    import httpx2

MAX_RESPONSE = 256 * 1_024
PATIENCE = 5.0
"""Seconds for all that one question takes. Threads of a synchronous server stand still meanwhile."""
_log = logging.getLogger("proofkey.guard")
_ACCEPT = {"accept": "application/json", "accept-encoding": "identity"}


class AnswerNotJson(AnswerUnusable):
    """There was an answer, in time, and it is no JSON object."""


class Discovery:
    """What *issuer* publishes. *tls* holds the authorities to trust, the system's where it is left out.

    Raises `ValueError` for an issuer that is neither https nor http on loopback.
    """

    def __init__(self, issuer: str, *, tls: ssl.SSLContext | None = None) -> None:
        if not is_issuer(issuer):
            raise ValueError("issuer must be an https URL without query or fragment; http only on loopback")
        self.issuer = issuer
        self._tls = tls

    async def read_endpoint(self, name: str) -> str:
        """The address of *name*, by the first metadata of the issuer that have it. Raises `AnswerUnusable`."""
        why = f"there are no metadata under the issuer that have {name}"
        for address in metadata_addresses(self.issuer):
            try:
                status, metadata = await self.ask("GET", address)
            except AnswerNotJson as page:  # many hosts answer every path with one
                why = str(page)
                continue
            if status != 200:
                continue
            if metadata.get("issuer") != self.issuer:  # must not be used, and so says nothing of the next
                named = ascii(metadata.get("issuer"))[:300]
                why = f"the metadata name another issuer, {named} (RFC 8414 section 3.3)"
                continue
            if name in metadata:
                return self._check_address(metadata[name], name)
        raise AnswerUnusable(why)

    def _check_address(self, address: Any, name: str) -> str:
        if not isinstance(address, str) or not may_be_of(address, self.issuer):
            raise AnswerUnusable(f"{name} is neither https nor on loopback, as the issuer is")
        return address

    async def read_keys(self) -> jose.KeySet:
        """The issuer's public keys; none, where it withdrew the last one. Raises `AnswerUnusable`."""
        status, jwks = await self.ask("GET", await self.read_endpoint("jwks_uri"))
        if status != 200:
            raise AnswerUnusable("jwks_uri does not answer 200")
        try:
            keys = jose.KeySet.from_jwks(jwks)
        except jose.TokenInvalid as invalid:
            raise AnswerUnusable(str(invalid)) from None
        if keys.is_empty:
            _log.warning("keys of %s: none verifies signatures", self.issuer)
        return keys

    async def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer; the object is empty unless the status is 200. Raises `AnswerUnusable`."""
        httpx2 = await asyncio.to_thread(_import_httpx2)  # a tenth of a second that neither start nor loop waits for
        try:
            if self._tls is None:
                self._tls = await asyncio.to_thread(httpx2.create_ssl_context)
            async with asyncio.timeout(PATIENCE), self._connect(httpx2) as client:
                return await _read(client, method, url, {**_ACCEPT, **(headers or {})}, body)
        except jose.TokenInvalid as failure:
            raise AnswerNotJson(str(failure)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as failure:
            raise AnswerUnusable(f"{type(failure).__name__} {failure}") from None

    def _connect(self, library: Any) -> httpx2.AsyncClient:
        """Proxies of the environment are for https alone: plain http stays on this machine."""
        client: httpx2.AsyncClient = library.AsyncClient(
            verify=self._tls, timeout=5.0, trust_env=not self.issuer.startswith("http:")
        )
        return client


def _import_httpx2() -> Any:
    import httpx2

    return httpx2


async def _read(
    client: httpx2.AsyncClient, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, Any]]:
    async with client.stream(method, url, headers=headers, content=body or None) as answer:
        if answer.status_code != 200:
            return answer.status_code, {}
        read = bytearray()
        async for chunk in answer.aiter_raw():
            read += chunk
            if len(read) > MAX_RESPONSE:
                raise AnswerUnusable("the answer is too large")
    return 200, jose.decode_claims(bytes(read))
