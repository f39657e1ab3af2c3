"""GET or POST …/callback: the answer of the issuer becomes a session (RFC 6749 §4.1.2, OpenID Connect Core §3.1.3).

1. Without this browser's cookie for this `state` an answer is worth nothing (login CSRF, code injection).
2. A transaction is taken before its code is sent anywhere: an answer that comes twice is used once.
3. A session's id is made here, of fresh random bits; what the browser had before is ended (session fixation).
4. Where somebody signed in and no session comes of it, the refresh token goes back. So it is where the issuer ended the
   sign-in before it was a session (OpenID Connect Back-Channel Logout 1.0 §2.7).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from proofkey.client.issuer import SignedIn
from proofkey.client.messages import Claims, ResponseRefused
from proofkey.client.protocol import Callback, PendingLogin, read_callback, read_form_post
from proofkey.client.web.message import FormRefused, Request, Response, not_allowed, redirect
from proofkey.client.web.recognise import recognise, session_key
from proofkey.client.web.revoke import revoke
from proofkey.client.web.session import Contents, hold, session_key_of, without_sid
from proofkey.client.web.site import Site
from proofkey.client.web.store.contract import StoredSession, StoreUnavailable
from proofkey.client.web.transaction import RESTARTED, Transaction, hash_cookie, restart_key
from proofkey.protocol.base64url import encode_base64url
from proofkey.protocol.errors import Refusal

MAX_ANSWER = 16_384


class LoginRefused(ResponseRefused):
    """The answer cannot become a session."""

    code = "invalid_request"


@dataclass(frozen=True, slots=True)
class Answer:
    """The issuer's answer as it was sent, not believed yet."""

    state: str = field(repr=False)
    sent: str = field(repr=False)

    def read(self, site: Site, transaction: Transaction) -> Callback:
        """Hold it against the login it should answer. Raises `ResponseRefused` and `ServerRefused`."""
        pending = PendingLogin(
            url=transaction.url,
            issuer=site.issuer.issuer,
            iss_required=transaction.iss_required,
            registration=site.issuer.registration,
            scope=site.settings.scope,
            state=transaction.state,
            nonce=transaction.nonce,
            code_verifier=transaction.code_verifier,
            resource=site.settings.resource,
        )
        if site.settings.response_mode == "form_post":
            return read_form_post(self.sent.encode(), pending)
        return read_callback(f"{site.addresses.redirect_uri}?{self.sent}", pending)


async def finish_login(site: Site, request: Request) -> Response:
    """A redirect to where the person wanted to go, with a new session."""
    allowed = "POST" if site.settings.response_mode == "form_post" else "GET"
    if request.method != allowed:
        return not_allowed(allowed)
    answer = await _read_answer(request)
    cookie = site.transaction_cookies.of(answer.state)
    value = request.cookies.get(cookie.name)
    transaction = None if value is None else await _take(site, value)
    if transaction is None:
        return await _without_transaction(site, request, answer)
    return (await _redeem(site, request, answer, transaction)).adding(cookie.drop())


async def _read_answer(request: Request) -> Answer:
    try:
        sent = (await request.form_body()).decode("utf-8", "replace") if request.method == "POST" else request.query
        states = [value for name, value in parse_qsl(sent, max_num_fields=64) if name == "state"]
    except (FormRefused, ValueError):
        states, sent = [], ""
    if len(states) != 1 or len(sent) > MAX_ANSWER:
        raise LoginRefused("answer_without_state", "This is not the answer to a sign-in")
    return Answer(states[0], sent)


async def _take(site: Site, value: str) -> Transaction | None:
    key = hash_cookie(value)
    sealed = await site.store.take_transaction(key, now=site.clock())
    return None if sealed is None else site.sealing.open_transaction(key, sealed, Transaction)


async def _without_transaction(site: Site, request: Request, answer: Answer) -> Response:
    """An answer whose login is not this browser's, is over, or whose cookie was lost: begin again, once.

    That a login is a second attempt is remembered by its `state`: where cookies do not stay, no cookie can say so.
    """
    if await recognise(site, request) is not None:
        return redirect("/")
    if await site.store.take_transaction(restart_key(answer.state), now=site.clock()) is not None:
        raise LoginRefused("transaction_lost_twice", "The cookie of this sign-in was lost twice: are cookies blocked?")
    return redirect(f"{site.addresses.path('login')}?{RESTARTED}=1")


async def _redeem(site: Site, request: Request, answer: Answer, transaction: Transaction) -> Response:
    sent_at = site.clock()
    callback = answer.read(site, transaction)
    signed_in = await site.network.run(site.issuer.redeem(callback, max_age=transaction.max_age))
    try:
        return await _start(site, request, transaction, signed_in, sent_at)
    except (Refusal, StoreUnavailable):
        await revoke(site, signed_in.tokens.refresh_token)
        raise


async def _start(site: Site, request: Request, transaction: Transaction, signed_in: SignedIn, sent_at: int) -> Response:
    """The session of who signed in, with a code sent at that moment; every session the browser had before is over."""
    claims = await _read_claims(site, signed_in)
    now = site.clock()
    value = encode_base64url(site.entropy(32))
    contents = Contents(
        subject=claims["sub"],
        claims=dict(claims),
        created_at=now,
        scope=signed_in.tokens.scope or site.settings.scope,
        access={site.settings.resource or "": hold(signed_in.tokens, now)},
        refresh_token=signed_in.tokens.refresh_token,
        id_token=signed_in.tokens.id_token,
        asked_acr_values=transaction.acr_values,
        asked_max_age=transaction.max_age,
    )
    at_rest = _at_rest(site, hash_cookie(value), contents, sent_at, sid=(signed_in.claims or {}).get("sid"))
    for former in {transaction.replaces, session_key(site, request)} - {None}:
        await site.store.end_session(former)  # type: ignore[arg-type]
    if not await site.store.start_session(at_rest, now=now):
        raise LoginRefused("signed_out_meanwhile", "The issuer ended this sign-in before it was complete")
    return redirect(transaction.return_to).adding(site.session_cookie.set(value))


async def _read_claims(site: Site, signed_in: SignedIn) -> Claims:
    claims = signed_in.claims
    if claims is None:
        raise AssertionError("unreachable: the scope holds openid")
    if not site.settings.userinfo:
        return claims
    told = await site.network.run(site.issuer.read_userinfo(signed_in.tokens, subject=claims["sub"]))
    return {**told, **claims}


def _at_rest(site: Site, key: bytes, contents: Contents, sent_at: int, *, sid: object) -> StoredSession:
    """The session as it is kept; *sid* is the ID token's, which alone says which of the issuer's sessions it is."""
    issuer, until = site.issuer.issuer, contents.created_at + site.settings.absolute_for
    unnamed = without_sid(issuer, contents.subject)
    return StoredSession(
        key=key,
        sid_key=session_key_of(issuer, "sid", sid) if sid and isinstance(sid, str) else unnamed,
        subject_key=session_key_of(issuer, "sub", contents.subject),
        sealed=site.sealing.close_session(key, contents),
        idle_until=min(contents.created_at + site.settings.idle_for, until),
        until=until,
        signed_in_at=sent_at,
    )
