"""A person proving who they are, and choosing who they are here (OpenID Connect Core §3.1.2.3).

1. The attempt is counted before the password is looked at; unknown, disabled and wrong cost and look the same.
2. A sign-in makes a new cookie value, whatever the browser had before (session fixation).
3. The same person again renews the session's row, so that what other applications hold stays alive.
"""

from __future__ import annotations

from proofkey.protocol.interaction import ACR_PASSWORD
from proofkey.protocol.login_name import MAX_LOGIN_NAME, fold
from proofkey.protocol.record import record
from proofkey.protocol.records import Client, Session, SignedIn, User
from proofkey.server.cookie import hash_cookie
from proofkey.server.engine import Engine
from proofkey.server.entropy import mint_id, mint_secret
from proofkey.server.flows.authorize import Visitor, find_signed_in
from proofkey.server.identity import throttle
from proofkey.server.identity.password import MAX_PASSWORD, verify_password
from proofkey.server.issuer import Issuer
from proofkey.server.sealed import Ticket, opens, seal_ticket
from proofkey.server.store.contract import Throttled

CHOICE = "account"


@record(frozen=True, slots=True)
class SignInRefused:
    """A sentence for the person; `reason` is for the log, `until` is set where waiting helps."""

    reason: str
    problem: str
    until: int | None = None


@record(frozen=True, slots=True)
class SignInDone:
    """The session is written; `cookie` is its value, which exists nowhere else."""

    cookie: str


async def sign_in(
    username: str, password: str, client: Client, visitor: Visitor, issuer: Issuer, engine: Engine
) -> SignInDone | SignInRefused:
    """Check the password under the throttle, and write the session."""
    workspace_id = issuer.workspace.id
    name = fold(username) if len(username) <= MAX_LOGIN_NAME else ""  # folding more costs more than linear time
    limits = throttle.limits_for(engine.master_key, engine.config.throttle, workspace_id, name, visitor.address)
    counted = await engine.store.count_attempt(workspace_id, limits, engine.clock())
    if isinstance(counted, Throttled):
        problem = f"Too many attempts. Try again in {_in_words(counted.until - engine.clock())}."
        return SignInRefused("sign_in_throttled", problem, counted.until)
    user = await engine.store.find_user(workspace_id, name)
    usable = user if user is not None and user.disabled_at is None else None
    right = await verify_password(password[:MAX_PASSWORD], usable.password_hash if usable else None)
    if usable is None or not right or len(password) > MAX_PASSWORD:
        return SignInRefused("sign_in_wrong", "That name and password do not match. Please try again.")
    cookie = await _write_session(usable, client, visitor, issuer, engine)
    await engine.store.forgive_attempt(workspace_id, limits, engine.clock())
    return SignInDone(cookie)


def _in_words(wait_for: int) -> str:
    """Rounded up, so that waiting as long as it says is enough: seconds up to a minute, then minutes."""
    seconds = max(1, -(-wait_for // 1_000))
    number, unit = (seconds, "second") if seconds < 60 else (-(-seconds // 60), "minute")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


async def _write_session(user: User, client: Client, visitor: Visitor, issuer: Issuer, engine: Engine) -> str:
    now = engine.clock()
    before = await find_signed_in(visitor.session, client, issuer, engine)
    cookie = mint_secret(engine.entropy)
    if before is not None and before.user.id == user.id:
        renewed = _new_session(user, before.session.id, cookie, issuer, now)
        if await engine.store.renew_session(renewed, now):
            return cookie
    session = _new_session(user, mint_id(now, engine.entropy), cookie, issuer, now)
    await engine.store.start_session(session, before.session.id if before else None, now)
    return cookie


def _new_session(user: User, session_id: bytes, cookie: str, issuer: Issuer, now: int) -> Session:
    lifetimes = issuer.workspace.lifetimes
    return Session(
        workspace_id=user.workspace_id,
        id=session_id,
        cookie_hash=hash_cookie(cookie),
        user_id=user.id,
        user_epoch=user.epoch,
        authenticated_at=now,
        acr=ACR_PASSWORD,
        amr=("pwd",),
        idle_until=now + lifetimes.session_idle_for,
        expires_at=now + lifetimes.session_absolute_for,
    )


def account_ticket(signed_in: SignedIn, request_id: bytes, issuer: Issuer, engine: Engine) -> str:
    """The hidden field that binds "continue as" to the account that was shown, and to this request."""
    ticket = Ticket(CHOICE, signed_in.session.id, request_id)
    return seal_ticket(issuer.ticket_seal, ticket, issuer.workspace.id, engine.entropy)


async def choose_account(
    ticket: str | None, signed_in: SignedIn | None, request_id: bytes, issuer: Issuer, engine: Engine
) -> None:
    """Write that the person chose this session's account for that request: proof lives in the session's row.

    Somebody else signed in meanwhile, or another form: nothing was chosen, and the page comes again.
    """
    if signed_in is None:
        return
    session = signed_in.session
    if opens(issuer.ticket_seal, ticket, Ticket(CHOICE, session.id, request_id), session.workspace_id):
        await engine.store.choose_account(session.workspace_id, session.id, request_id, engine.clock())
