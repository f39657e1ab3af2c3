"""The addresses a sign-in owns, by the name they have beside the redirect URI: the whole table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from proofkey.client.web.addresses import Addresses
from proofkey.client.web.backchannel_logout import receive_logout
from proofkey.client.web.callback import finish_login
from proofkey.client.web.login import begin_login
from proofkey.client.web.logout import come_back, sign_out
from proofkey.client.web.message import Request, Response
from proofkey.client.web.request_endpoint import tell_request
from proofkey.client.web.session_endpoint import tell_session
from proofkey.client.web.site import Site

Endpoint: TypeAlias = Callable[[Site, Request], Awaitable[Response]]

ENDPOINTS: Mapping[str, Endpoint] = {
    "login": begin_login,
    "callback": finish_login,
    "session": tell_session,
    "logout": sign_out,
    "logged-out": come_back,
    "backchannel-logout": receive_logout,
    "request": tell_request,
}
"""`callback` stands for the redirect URI's own path, whatever its last part is called."""


def endpoints_at(addresses: Addresses) -> Mapping[str, Endpoint]:
    """The endpoints by their paths."""
    named = {addresses.path(name): endpoint for name, endpoint in ENDPOINTS.items() if name != "callback"}
    return {**named, addresses.callback: ENDPOINTS["callback"]}
