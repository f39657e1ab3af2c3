"""Signing a person in to a program on their own machine: browser, loopback listener, pasted address, device (RFC 8252).

1. The browser is the system's own, never one inside the program (§8.12); the listener is there before it opens.
2. Where no browser opens and no listener can be, the address is printed, and the one the person came back to is pasted.
   Both stay possible to the end: whichever answer comes first counts.
3. The device grant is the last resort: asked for, or where nobody could paste and the issuer serves it.
4. Nothing here prints a token.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypedDict, Unpack

from proofkey.client.answer import AnswerWait, Arrival, Browser, Say, called_off
from proofkey.client.browser import find_obstacle, open_browser
from proofkey.client.conversation import Conversation
from proofkey.client.device import AskAgain, DeviceAuthorization, ask_device, begin_device, pause_after
from proofkey.client.dpop import ALG as DPOP_ALG
from proofkey.client.dpop import DpopKey
from proofkey.client.http import Network
from proofkey.client.issuer import Issuer, SignedIn
from proofkey.client.leeway import LEEWAY_FOR
from proofkey.client.loopback import LoopbackListener, has_port, is_loopback_redirect_uri, with_port
from proofkey.client.messages import Registration, ResponseRefused, public_registration
from proofkey.client.refused import LoginAbandoned
from proofkey.client.sign_in import SignIn, renewed_by
from proofkey.client.terminal import is_person_there, is_terminal
from proofkey.client.token_store.contract import StoredSignIn, TokenStore
from proofkey.client.token_store.own_store import OwnStore
from proofkey.clock import wall_clock
from proofkey.protocol.records import MINUTE, SECOND

REDIRECT_URI = "http://127.0.0.1/callback"
"""What a native client registers: the port is of no account on 127.0.0.1 and [::1] (RFC 8252 §7.3)."""


class LoginOptions(TypedDict, total=False):
    """What `login` may be told beside issuer and client.

    >>> options: LoginOptions = {"scope": "openid email", "port": [8080, 8081, 0], "store": MemoryStore()}
    >>> login(ISSUER, CLIENT_ID, **options).scope
    'openid email'
    """

    scope: str
    """What to ask for, separated by spaces; `openid` unless told otherwise. With `offline_access`, consent is asked for."""
    only_supported: bool
    """Leave out of the scope what the issuer's metadata do not list, where they list any; for scopes that nobody asked for."""
    resource: str | None
    """The API that the access token is for, as its absolute URI (RFC 8707)."""
    redirect_uri: str
    """As registered. Without a port, on 127.0.0.1 or [::1], a port is chosen; with one, it is that port."""
    port: int | Sequence[int] | None
    """The port to listen on, or several to try in their order; None: a free one."""
    browser: Browser | None
    """Opens an address; may return the address the person came back to. None: no browser; the system's unless told."""
    paste: bool | None
    """Whether the answer may be pasted on stdin; None: where a person sits at a terminal."""
    device: bool
    """Sign in with a code at another device (RFC 8628)."""
    client_secret: str | None
    """For issuers that give one to programs which cannot keep it, as Google does (RFC 8252 §8.5); sent in the form."""
    dpop: bool
    """Bind the tokens to a new key, which is kept with them (RFC 9449)."""
    extra: Mapping[str, str]
    """Further parameters of the authorization request: `prompt`, `login_hint`, `acr_values`, `max_age` … None with `device`."""
    patience_for: int
    """How long to wait for the person, in milliseconds; ten minutes unless told otherwise."""
    ca_file: Path | None
    """The only authority to trust for https; None: the machine's."""
    store: TokenStore | None
    """Where to keep the sign-in; None: the account's own, `OwnStore`."""
    say: Say
    """Tells the person something; prints on stderr unless told otherwise."""
    s256_announced: bool
    """False accepts an issuer whose metadata do not say that it knows PKCE."""
    leeway_for: int
    """What clocks may differ by where the times of ID tokens are checked, in milliseconds; a minute unless told otherwise."""


def login(issuer: str, client_id: str, **options: Unpack[LoginOptions]) -> SignIn:
    """Sign a person in to this program, and keep the sign-in for the next run. `LoginOptions` says what can be told.

    Raises `LoginAbandoned` where nobody came back, `ServerRefused` where the issuer said no, `ResponseRefused` where its
    answer must not be believed, `StoreRefused` where tokens cannot be kept, `ValueError` for an `extra` that cannot be held to.

    >>> me = login(ISSUER, CLIENT_ID, scope="openid profile notes:read")
    >>> me.claims["name"]
    'Alice Adler'
    """
    return _Login(issuer, client_id, **options).run()


async def login_async(issuer: str, client_id: str, **options: Unpack[LoginOptions]) -> SignIn:
    """`login` for an event loop, which goes on meanwhile; cancelling it ends the wait.

    >>> import asyncio
    >>> me = asyncio.run(login_async(ISSUER, CLIENT_ID, scope="openid email"))
    >>> me.claims["email"]
    'alice@demo.example'
    """
    attempt = _Login(issuer, client_id, **options)
    try:
        return await asyncio.to_thread(attempt.run)
    except asyncio.CancelledError:
        attempt.cancel()
        raise


def _say_on_stderr(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


@dataclass(slots=True)
class _Login:
    """One login, from its options to the kept sign-in."""

    issuer: str
    client_id: str
    scope: str = "openid"
    only_supported: bool = False
    resource: str | None = None
    redirect_uri: str = REDIRECT_URI
    port: int | Sequence[int] | None = None
    browser: Browser | None = open_browser
    paste: bool | None = None
    device: bool = False
    client_secret: str | None = field(default=None, repr=False)
    dpop: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    patience_for: int = 10 * MINUTE
    ca_file: Path | None = None
    store: TokenStore | None = None
    say: Say = _say_on_stderr
    s256_announced: bool = True
    leeway_for: int = LEEWAY_FOR
    _arrivals: SimpleQueue[Arrival] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        """What could only end in a login that nobody waits for, or whose promise nobody checks, is refused at once."""
        if "response_mode" in self.extra:
            raise ValueError("response_mode is this login's own: the answer comes in the query")
        if self.device and self.extra:
            raise ValueError("extra is for the authorization request, which the device grant has none of")
        if not re.fullmatch("[0-9]{1,9}", self.extra.get("max_age", "0"), re.ASCII):
            raise ValueError("max_age is a number of seconds")

    def cancel(self) -> None:
        """End the wait for the person."""
        self._arrivals.put(Arrival("cancelled"))

    def run(self) -> SignIn:
        """Sign in and keep it."""
        store = self.store or OwnStore()
        with store.lock(self.issuer, self.client_id):
            pass  # a place that refuses says so before the person is asked for anything
        dpop_key = DpopKey.generate() if self.dpop else None
        with Network(self.issuer, ca_file=self.ca_file) as network:
            signed_in = self._sign_in(network, dpop_key)
        kept = self._to_keep(signed_in, dpop_key)
        with store.lock(self.issuer, self.client_id):
            store.save(kept)
        return SignIn(kept, store, leeway_for=self.leeway_for)

    def _sign_in(self, network: Network, dpop_key: DpopKey | None) -> SignedIn:
        reads_paste = is_person_there() if self.paste is None else self.paste
        obstacle = find_obstacle(os.environ) if self.browser is open_browser else None
        listener = self._listen()
        with listener or nullcontext():
            redirect_uri = listener.redirect_uri if listener else (*self._addresses(), self.redirect_uri)[0]
            issuer = self._issuer(public_registration(self.client_id, redirect_uri, self.client_secret), dpop_key)
            metadata = network.run(issuer.discover())
            if self.dpop and DPOP_ALG not in metadata.dpop_signing_alg_values_supported:
                raise ResponseRefused("dpop_not_served", "The issuer does not bind tokens to keys: sign in without")
            if self.only_supported and metadata.scopes_supported:
                listed = [scope for scope in self.scope.split() if scope in metadata.scopes_supported]
                self.scope = " ".join(listed) or self.scope
            nobody_could_answer = (obstacle is not None or self.browser is None) and not reads_paste and not self.extra
            if self.device or (nobody_could_answer and metadata.device_authorization_endpoint is not None):
                return self._sign_in_by_device(network, issuer)
            return self._sign_in_by_browser(network, issuer, listener, obstacle, reads_paste=reads_paste)

    def _issuer(self, registration: Registration, dpop_key: DpopKey | None) -> Issuer:
        return Issuer(
            self.issuer,
            registration,
            dpop_key=dpop_key,
            leeway_for=self.leeway_for,
            s256_announced=self.s256_announced,
        )

    def _listen(self) -> LoopbackListener | None:
        """A listener at the first address that is free; None where there can be none."""
        for redirect_uri in self._addresses():
            try:
                return LoopbackListener(redirect_uri)
            except OSError as failure:
                if failure.errno not in {errno.EADDRINUSE, errno.EACCES}:
                    raise
        return None

    def _addresses(self) -> Sequence[str]:
        """The redirect URIs to listen at, in their order; the first is used where none is free, to be pasted."""
        if self.device or not is_loopback_redirect_uri(self.redirect_uri):
            return ()
        if has_port(self.redirect_uri):
            return (self.redirect_uri,)
        ports = (self.port or 0,) if self.port is None or isinstance(self.port, int) else self.port
        return tuple(with_port(self.redirect_uri, port) for port in ports)

    def _sign_in_by_browser(
        self,
        network: Network,
        issuer: Issuer,
        listener: LoopbackListener | None,
        obstacle: str | None,
        *,
        reads_paste: bool,
    ) -> SignedIn:
        if listener is None and not reads_paste and self.browser in (None, open_browser):
            if self.redirect_uri.startswith("http://localhost") and not has_port(self.redirect_uri):
                raise LoginAbandoned(
                    "redirect_uri_without_port", "On localhost, redirect_uri has to name its port; 127.0.0.1 need not"
                )
            raise LoginAbandoned(
                "login_without_way_back",
                "The answer can neither be waited for nor pasted: choose another port, or paste on stdin",
                detail="".join(f"taken: {address}\n" for address in self._addresses()).rstrip(),
            )
        pending = network.run(issuer.begin(scope=self.scope, resource=self.resource, extra=self._extra()))
        self._say_until_when(self.patience_for)
        self.say(_invitation(pending.url, obstacle, is_opened=self.browser is not None, reads_paste=reads_paste))
        browser = None if obstacle else self.browser
        wait = AnswerWait(pending, listener, browser, reads_paste, self.say, self._arrivals)
        callback = wait.wait(self.patience_for)
        max_age = int(self.extra["max_age"]) if "max_age" in self.extra else None
        return network.run(issuer.redeem(callback, max_age=max_age))

    def _say_until_when(self, patience_for: int) -> None:
        """To a person at a terminal, whom nothing else tells that this is a wait."""
        if self.say is _say_on_stderr and is_terminal(sys.stderr):
            until = time.strftime("%H:%M", time.localtime((wall_clock() + patience_for) / SECOND))
            self.say(f"\nWaiting until {until}; Ctrl-C ends it.")

    def _extra(self) -> Mapping[str, str]:
        """Where offline_access is asked for, consent has to be (OpenID Connect Core §11)."""
        asked = {"prompt": "consent"} if "offline_access" in self.scope.split() else {}
        return {**asked, **self.extra}

    def _sign_in_by_device(self, network: Network, issuer: Issuer) -> SignedIn:
        authorization = network.run(begin_device(issuer, scope=self.scope, resource=self.resource))
        self._say_until_when(min(self.patience_for, authorization.expires_for))
        self.say(_device_invitation(authorization))
        interval_for, lost = authorization.interval_for, 0
        deadline = time.monotonic() + min(self.patience_for, authorization.expires_for) / SECOND
        while time.monotonic() < deadline:
            self._pause(pause_after(interval_for, lost))
            told = network.run(self._ask_device(issuer, authorization, interval_for))
            if isinstance(told, SignedIn):
                return told
            interval_for, lost = told.interval_for, lost + 1 if told.is_lost else 0
        raise LoginAbandoned("device_code_expired", "Nobody typed the code in time: start again")

    def _ask_device(
        self, issuer: Issuer, authorization: DeviceAuthorization, interval_for: int
    ) -> Conversation[SignedIn | AskAgain]:
        return ask_device(issuer, authorization, scope=self.scope, interval_for=interval_for, resource=self.resource)

    def _pause(self, interval_for: int) -> None:
        """Wait until the next question; calling the login off ends it."""
        try:
            self._arrivals.get(timeout=min(interval_for, self.patience_for) / SECOND)
        except Empty:
            return
        raise called_off()

    def _to_keep(self, signed_in: SignedIn, dpop_key: DpopKey | None) -> StoredSignIn:
        now = wall_clock()
        begun = StoredSignIn(
            issuer=self.issuer,
            client_id=self.client_id,
            scope=self.scope,
            resource=self.resource,
            claims=None,
            token_type="Bearer",
            access_token="",
            access_token_until=None,
            refresh_token=None,
            signed_in_at=now,
            client_secret=self.client_secret,
            dpop_key=None if dpop_key is None else dpop_key.to_bytes(),
            ca_file=None if self.ca_file is None else str(self.ca_file.absolute()),
        )
        return renewed_by(begun, signed_in, now)


def _invitation(url: str, obstacle: str | None, *, is_opened: bool, reads_paste: bool) -> str:
    if obstacle:
        first = f"Open this address in a browser ({obstacle}, so none was opened):"
    else:
        first = "Sign in in your browser. If none has opened, open this address:" if is_opened else "Open this address:"
    last = (
        "\nIf it ends at a page that does not load, paste the address of that page here, and press Enter:"
        if reads_paste
        else ""
    )
    return f"\n{first}\n\n{url}\n{last}"


def _device_invitation(authorization: DeviceAuthorization) -> str:
    complete = authorization.verification_uri_complete
    shorter = f"\nor open {complete}\nand compare the code.\n" if complete else ""
    return f"\nOn any device, open {authorization.verification_uri}\nand type the code {authorization.user_code}\n{shorter}"
