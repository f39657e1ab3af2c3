"""Giving a refresh token back to the issuer, as far as it takes it (RFC 7009 §2)."""

from __future__ import annotations

import asyncio
import logging

from proofkey.client.messages import ResponseRefused, ServerRefused
from proofkey.client.web.site import Site

REVOKED_WITHIN = 3.0
"""Seconds that somebody who signs out waits for it."""

_log = logging.getLogger("proofkey.client.web")


async def revoke(site: Site, refresh_token: str | None) -> None:
    """Try to: whatever comes of it is in the log. What hangs on the token at the issuer ends with it (RFC 7009 §2.1)."""
    if refresh_token is None:
        return
    try:
        async with asyncio.timeout(REVOKED_WITHIN):
            metadata = await site.network.run(site.issuer.discover())
            if metadata.revocation_endpoint is not None:
                await site.network.run(site.issuer.revoke(refresh_token))
    except (ResponseRefused, ServerRefused) as refusal:
        _log.warning("the refresh token was not given back: %s", refusal.reason)
    except TimeoutError:
        _log.warning("the refresh token was not given back: timeout")
