"""GET …/login: begin a login and send the browser to the issuer (RFC 6749 §4.1.1, RFC 9470 §4)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from proofkey.client.protocol import PendingLogin
from proofkey.client.web.message import Request, Response, not_allowed, redirect
from proofkey.client.web.recognise import session_key
from proofkey.client.web.request_endpoint import publish_request
from proofkey.client.web.site import Site
from proofkey.client.web.transaction import RESTARTED, Transaction, hash_cookie, mint_cookie_value, restart_key

_PASSED_ON = {
    "acr_values": re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*"),
    "max_age": re.compile(r"[0-9]{1,9}"),
    "prompt": re.compile(r"login|consent|select_account|create"),
    "login_hint": re.compile(r"[^\x00-\x1f\x7f]+"),
    "ui_locales": re.compile(r"[A-Za-z0-9-]+(?: [A-Za-z0-9-]+)*"),
}
MAX_PASSED_ON = 320


async def begin_login(site: Site, request: Request) -> Response:
    """A redirect to the issuer, with the cookie of this login. Raises `ResponseRefused` where the issuer cannot be had."""
    if request.method != "GET":
        return not_allowed("GET")
    asked = read_asked(request.parameters)
    mode = {"response_mode": "form_post"} if site.settings.response_mode == "form_post" else {}
    await site.sweeper.sweep(site.store, site.clock())
    conversation = site.issuer.begin(
        scope=site.settings.scope, resource=site.settings.resource, extra={**asked, **mode}
    )
    pending = await publish_request(site, await site.network.run(conversation))
    return await _send_away(site, request, pending, asked)


async def _send_away(site: Site, request: Request, pending: PendingLogin, asked: Mapping[str, str]) -> Response:
    now, cookies = site.clock(), site.transaction_cookies
    transaction = Transaction(
        url=pending.url,
        state=pending.state,
        nonce=pending.nonce,
        code_verifier=pending.code_verifier,
        iss_required=pending.iss_required,
        return_to=site.addresses.check_return_to(request.parameters.get("return_to")),
        max_age=int(asked["max_age"]) if "max_age" in asked else None,
        acr_values=asked.get("acr_values"),
        replaces=session_key(site, request),
    )
    value, until = mint_cookie_value(site.entropy(32), now), now + site.settings.transaction_for
    key = hash_cookie(value)
    await site.store.keep_transaction(key, site.sealing.close_transaction(key, transaction), until=until, now=now)
    if RESTARTED in request.parameters:
        await site.store.keep_transaction(restart_key(pending.state), "", until=until, now=now)
    mine = cookies.of(pending.state).set(value, max_age=site.settings.transaction_for // 1_000)
    return redirect(pending.url).adding(*cookies.make_room(request.cookies), mine)


def read_asked(parameters: Mapping[str, str]) -> dict[str, str]:
    """What the application may ask of this one login; what is malformed is left out."""
    return {
        name: value
        for name, shape in _PASSED_ON.items()
        if (value := parameters.get(name)) and len(value) <= MAX_PASSED_ON and shape.fullmatch(value)
    }
