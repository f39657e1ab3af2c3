"""GET …/request: the issuer fetches the request that the browser's address only names (RFC 9101 §5.2; OpenID Connect §6.2).

1. An object is kept for as long as the login it belongs to, under a name nobody can guess, and no longer.
2. The issuer may fetch it more than once: it may ask the person to sign in before it goes on.
"""

from __future__ import annotations

import msgspec

from proofkey.client.protocol import PendingLogin
from proofkey.client.request_object import TYP, by_reference, request_object
from proofkey.client.web.message import Request, Response, not_allowed
from proofkey.client.web.site import Site
from proofkey.client.web.transaction import hash_cookie
from proofkey.protocol.base64url import encode_base64url


class Published(msgspec.Struct, frozen=True):
    """A request object, and until when it is kept."""

    token: str
    until: int


async def publish_request(site: Site, pending: PendingLogin) -> PendingLogin:
    """*pending* by reference, where the application chose so."""
    if not site.settings.request_by_reference:
        return pending
    metadata = await site.network.run(site.issuer.discover())
    name, jti, now = (*(encode_base64url(site.entropy(32)) for _ in range(2)), site.clock())
    token = request_object(pending, key=site.settings.request_key, now=now, jti=jti)
    await _keep(site, _row(name), Published(token, now + site.settings.transaction_for))
    return by_reference(pending, metadata.authorization_endpoint, f"{site.addresses.url('request')}?id={name}")


async def tell_request(site: Site, request: Request) -> Response:
    """The request object; 404 once the time of its login is over."""
    if request.method != "GET":
        return not_allowed("GET")
    row = _row(request.parameters.get("id", ""))
    sealed = await site.store.take_transaction(row, now=site.clock())
    published = None if sealed is None else site.sealing.open_transaction(row, sealed, Published)
    if published is None:
        return Response(404, ((b"cache-control", b"no-store"),))
    await _keep(site, row, published)
    headers = ((b"content-type", f"application/{TYP}".encode()), (b"cache-control", b"no-store"))
    return Response(200, headers, published.token.encode())


async def _keep(site: Site, row: bytes, published: Published) -> None:
    sealed = site.sealing.close_transaction(row, published)
    await site.store.keep_transaction(row, sealed, until=published.until, now=site.clock())


def _row(name: str) -> bytes:
    """Beside the rows of logins, never one of them: no cookie's value begins like this."""
    return hash_cookie(f"request object {name}")
