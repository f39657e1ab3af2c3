"""One sign-in of one web application: its settings, and what every endpoint of it works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, get_args

from proofkey.client.http import AsyncNetwork
from proofkey.client.issuer import Issuer
from proofkey.client.leeway import LEEWAY_FOR
from proofkey.client.web.addresses import Addresses
from proofkey.client.web.cookie import Cookie
from proofkey.client.web.sealing import Sealing
from proofkey.client.web.session import ABSOLUTE_FOR, IDLE_FOR
from proofkey.client.web.store.contract import SessionStore
from proofkey.client.web.transaction import TransactionCookies
from proofkey.jose import SigningKey
from proofkey.protocol.records import MINUTE, SECOND

if TYPE_CHECKING:
    from proofkey.client.web.refresh import TokenRenewal

SWEEP_EVERY = MINUTE
SWEPT = 500
"""How many things of each kind one sweep removes at most."""

ResponseMode: TypeAlias = Literal["query", "form_post"]
"""How the issuer brings the answer: in the address, or as a form that submits itself."""


class Options(TypedDict, total=False):
    """What an application may choose beside its registration. Durations are milliseconds.

    `scope` must hold openid; `resource` is the API of the first access token (RFC 8707). `userinfo` asks the issuer for
    more claims at sign-in. `leeway_for` is how far the issuer's clock may be from this one. After sign-out the person
    comes to the path `after_logout`, by way of `post_logout_redirect_uri`, which must be registered: by default
    `…/logged-out` beside the redirect URI. `request_by_reference` keeps the request out of the browser: the issuer
    fetches it at `…/request`, signed under `request_key` where there is one (RFC 9101).
    """

    scope: str
    resource: str | None
    response_mode: ResponseMode
    userinfo: bool
    post_logout_redirect_uri: str | None
    after_logout: str
    idle_for: int
    absolute_for: int
    transaction_for: int
    leeway_for: int
    request_by_reference: bool
    request_key: SigningKey | None


@dataclass(frozen=True, slots=True)
class Settings:
    """`Options` with every choice made."""

    scope: str = "openid profile email"
    resource: str | None = None
    response_mode: ResponseMode = "query"
    userinfo: bool = False
    post_logout_redirect_uri: str | None = None
    after_logout: str = "/"
    idle_for: int = IDLE_FOR
    absolute_for: int = ABSOLUTE_FOR
    transaction_for: int = 15 * MINUTE
    leeway_for: int = LEEWAY_FOR
    request_by_reference: bool = False
    request_key: SigningKey | None = None

    def __post_init__(self) -> None:
        """Raise `ValueError` for choices that cannot be."""
        if not isinstance(self.scope, str) or "openid" not in self.scope.split():
            raise ValueError("scope must be one text with spaces that holds openid: a session is about a person")
        if self.response_mode not in get_args(ResponseMode):
            raise ValueError(f"response_mode must be one of {', '.join(get_args(ResponseMode))}")
        if not self.after_logout.startswith("/") or self.after_logout.startswith("//"):
            raise ValueError("after_logout must be a path of this origin: /…")
        for name, shortest in (("idle_for", MINUTE), ("absolute_for", MINUTE), ("transaction_for", SECOND)):
            if getattr(self, name) < shortest:
                raise ValueError(f"{name} is milliseconds, at least {shortest}")
        if self.leeway_for < 0:
            raise ValueError("leeway_for must not be negative")


class Sweeper:
    """Removes what ended, now and then, on the occasion of a sign-in: no process of its own is needed."""

    def __init__(self) -> None:
        self._next_at = 0

    async def sweep(self, store: SessionStore, now: int) -> None:
        """Once a minute, and again at the next sign-in while there is more: nobody begins logins faster than they go."""
        if now >= self._next_at:
            self._next_at = now + SWEEP_EVERY
            if await store.purge(now, SWEPT) >= SWEPT:
                self._next_at = now


@dataclass(frozen=True, slots=True)
class Site:
    """An application's sign-in, opened: one issuer, one store, one network."""

    settings: Settings
    addresses: Addresses
    issuer: Issuer
    store: SessionStore
    sealing: Sealing = field(repr=False)
    network: AsyncNetwork
    clock: Callable[[], int]
    entropy: Callable[[int], bytes]
    renewal: TokenRenewal
    sweeper: Sweeper = field(default_factory=Sweeper)

    @property
    def session_cookie(self) -> Cookie:
        """The cookie that is the session."""
        return Cookie.named(f"proofkey_session_{self.addresses.mark}", secure=self.addresses.is_secure)

    @property
    def transaction_cookies(self) -> TransactionCookies:
        """The cookies of begun logins. A form comes as a cross-site POST, which carries no Lax cookie."""
        same_site: Literal["Lax", "None"] = "None" if self.settings.response_mode == "form_post" else "Lax"
        return TransactionCookies(self.addresses.mark, secure=self.addresses.is_secure, same_site=same_site)

    @property
    def post_logout_redirect_uri(self) -> str:
        """Where the issuer sends the person after sign-out."""
        return self.settings.post_logout_redirect_uri or self.addresses.url("logged-out")
