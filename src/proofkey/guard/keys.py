"""The issuer's public keys, fetched when needed and kept (RFC 8414, RFC 7517 §5).

1. One fetch at a time, and never two within the cool-down: no stream of unknown `kid`s makes a stream of fetches.
2. The issuer may be away: keys at hand serve up to 24 hours after they were fetched; without any, `IssuerUnavailable`.
3. The metadata must name the issuer to the byte; addresses are https, or http on loopback; sizes are bounded.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from proofkey import jose
from proofkey.guard.access import TokenRejected
from proofkey.guard.steps import Steps, run
from proofkey.protocol.errors import TemporarilyUnavailable
from proofkey.protocol.issuer import is_issuer, is_safe_address, metadata_addresses
from proofkey.protocol.records import HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    import httpx2

FRESH_FOR = 10 * MINUTE
STALE_FOR = 24 * HOUR
COOL_DOWN_FOR = 30 * SECOND
MAX_RESPONSE = 256 * 1_024
_HEADERS = {"accept": "application/json", "accept-encoding": "identity"}
_log = logging.getLogger("proofkey.guard")


class IssuerUnavailable(TemporarilyUnavailable):
    """The keys to judge a token by cannot be had now; worth another try after `retry_for` milliseconds."""

    description = "The issuer's keys cannot be fetched: try again later"

    def __init__(self, reason: str, *, retry_for: int) -> None:
        super().__init__(reason)
        self.retry_for = retry_for


class _UnusableError(Exception):
    """What the issuer answered is no metadata or no JWK Set of that issuer."""


def wall_clock() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


class IssuerKeys:
    """Verifies signatures of one issuer's access tokens; belongs to one event loop.

    *issuer* is compared byte for byte with the metadata's and the token's. *tls* holds the authorities to trust.
    Raises `ValueError` for an issuer that is neither https nor http on loopback.
    """

    def __init__(
        self, issuer: str, *, tls: ssl.SSLContext | None = None, clock: Callable[[], int] = wall_clock
    ) -> None:
        if not is_issuer(issuer):
            raise ValueError("issuer must be an https URL without query or fragment; http only on loopback")
        self.issuer = issuer
        self._tls = tls
        self._clock = clock
        self._keys: jose.KeySet | None = None
        self._fetched_at = 0
        self._failures = 0
        self._rest_until = 0
        self._fetch: asyncio.Task[None] | None = None

    async def verify(self, token: str) -> dict[str, Any]:
        """The claims of an access token that this issuer signed.

        Raises `TokenRejected`, or `IssuerUnavailable` where no key is at hand to judge by.
        """
        return await run(self.verification(token))

    def verification(self, token: str) -> Steps[dict[str, Any]]:
        """What `verify` does, as steps that wait only where the issuer must be asked."""
        keys = yield from self._current()
        try:
            return _verify(token, keys)
        except jose.UnknownKey:
            keys = yield from self._renewed(keys)
        try:
            return _verify(token, keys)
        except jose.UnknownKey:
            raise TokenRejected("access_token_key_unknown", "The access token is signed by an unknown key") from None

    def _current(self) -> Steps[jose.KeySet]:
        """Keys young enough to judge by; those past their freshness are renewed in the background."""
        age = self._clock() - self._fetched_at
        if self._keys is None or age >= STALE_FOR:
            self._keys = None
            yield self._fetched
        elif age >= FRESH_FOR and self._may_fetch():
            yield self._start_fetch
        if self._keys is None:
            raise IssuerUnavailable("issuer_unavailable", retry_for=self._rest_left())
        return self._keys

    def _renewed(self, seen: jose.KeySet) -> Steps[jose.KeySet]:
        """The keys after one more look, unless there was one just now."""
        if self._keys is seen and (self._fetch is not None or self._may_fetch()):
            yield self._fetched
        if self._keys is None or (self._keys is seen and self._failures):
            raise IssuerUnavailable("issuer_keys_not_renewed", retry_for=self._rest_left())
        return self._keys

    def _may_fetch(self) -> bool:
        return self._clock() >= self._rest_until

    def _rest_left(self) -> int:
        return max(SECOND, self._rest_until - self._clock())

    async def _fetched(self) -> None:
        task = self._begin_fetch()
        if task is not None:
            await asyncio.shield(task)

    async def _start_fetch(self) -> None:
        self._begin_fetch()

    def _begin_fetch(self) -> asyncio.Task[None] | None:
        """The fetch under way, begun where there is none; one that a fork or a closed loop has cut off does not count."""
        loop = asyncio.get_running_loop()
        if self._fetch is not None and self._fetch.get_loop() is not loop:
            self._fetch = None
        if self._fetch is None and self._may_fetch():
            self._fetch = loop.create_task(self._run_fetch())
        return self._fetch

    async def _run_fetch(self) -> None:
        import httpx2  # here and below: a tenth of a second that no start has to wait for

        try:
            self._keys = await self._ask_issuer()
        except (
            httpx2.HTTPError,
            httpx2.InvalidURL,
            jose.TokenInvalid,
            _UnusableError,
            OSError,
            TimeoutError,
        ) as failure:
            self._failures += 1
            rest_for = min(COOL_DOWN_FOR, SECOND << min(self._failures - 1, 8))
            _log.warning("keys of %s not fetched: %s %s", self.issuer, type(failure).__name__, failure)
        else:
            self._failures, self._fetched_at, rest_for = 0, self._clock(), COOL_DOWN_FOR
        finally:
            self._fetch = None
        self._rest_until = self._clock() + rest_for

    async def _ask_issuer(self) -> jose.KeySet:
        import httpx2

        verify: ssl.SSLContext | bool = True if self._tls is None else self._tls
        client = httpx2.AsyncClient(verify=verify, timeout=5.0, trust_env=not self.issuer.startswith("http:"))
        async with asyncio.timeout(15), client:
            metadata = await self._read_metadata(client)
            jwks_uri = metadata.get("jwks_uri")
            if not isinstance(jwks_uri, str) or not is_safe_address(jwks_uri):
                raise _UnusableError("jwks_uri is missing, or neither https nor loopback")
            jwks = await _read_json(client, jwks_uri)
            if jwks is None:
                raise _UnusableError("jwks_uri does not answer 200")
            return jose.KeySet.from_jwks(jwks)

    async def _read_metadata(self, client: httpx2.AsyncClient) -> dict[str, Any]:
        for address in metadata_addresses(self.issuer):
            metadata = await _read_json(client, address)
            if metadata is None:
                continue
            if metadata.get("issuer") != self.issuer:
                raise _UnusableError("the metadata name another issuer (RFC 8414 section 3.3)")
            return metadata
        raise _UnusableError("there are no metadata under the issuer")


def _verify(token: str, keys: jose.KeySet) -> dict[str, Any]:
    try:
        return jose.verify_jwt(token, keys, expected_typ="at+jwt")
    except jose.UnknownKey:
        raise
    except jose.TokenInvalid as invalid:
        raise TokenRejected(
            "access_token_unverifiable",
            "The access token is malformed or not signed by the issuer",
            detail=str(invalid),
        ) from None


async def _read_json(client: httpx2.AsyncClient, url: str) -> dict[str, Any] | None:
    """The JSON object at *url*; None where it is not there. Redirects are not followed."""
    async with client.stream("GET", url, headers=_HEADERS) as answer:
        if answer.status_code != 200:
            return None
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > MAX_RESPONSE:
                raise _UnusableError("the answer is too large")
    return jose.decode_claims(bytes(body))
