"""A person's sign-in that is kept: hands out access tokens, renews them, and ends (RFC 6749 §6, RFC 7009).

1. Who renews is alone: the lock is held from reading what is kept until the new tokens are on disk.
2. Whoever waited reads what the other one wrote, and asks the issuer nothing.
3. No answer is no refusal: the same refresh token is sent again, within the issuer's leeway for that, and kept where nobody
   answers at all. Only the issuer's `invalid_grant` ends a sign-in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofkey.client.leeway import LEEWAY_FOR
from proofkey.client.refused import NotSignedIn
from proofkey.client.token_store.contract import StoredSignIn, TokenStore
from proofkey.client.token_store.own_store import OwnStore
from proofkey.clock import wall_clock
from proofkey.protocol.audience import read_audiences
from proofkey.protocol.base64url import decode_base64url
from proofkey.protocol.records import SECOND

if TYPE_CHECKING:
    from proofkey.client.auth import TokenAuth
    from proofkey.client.dpop import DpopKey
    from proofkey.client.issuer import Issuer, SignedIn

USABLE_FOR = 30 * SECOND
"""How long a token that is handed out lives at least, or for a third of its life where that is shorter."""

_RENEWED_WITHIN = 20.0
"""Seconds that one answer may take."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """How a logout went: whether the issuer has ended the sign-in too, and if not, why. Here it is over in any case.

    >>> me = login(ISSUER, CLIENT_ID, store=MemoryStore())
    >>> me.logout()
    Farewell(revoked=True, why=None)
    """

    revoked: bool
    why: str | None = None


class SignIn:
    """A person who is signed in. Made by `login` and `find_sign_in`; may be used by many threads at once.

    >>> me = login(ISSUER, CLIENT_ID, scope="openid profile", store=MemoryStore())
    >>> me.claims["name"]
    'Alice Adler'
    >>> me.access_token() == me.access_token()
    True
    """

    def __init__(
        self,
        kept: StoredSignIn,
        store: TokenStore,
        *,
        clock: Callable[[], int] = wall_clock,
        leeway_for: int = LEEWAY_FOR,
    ) -> None:
        self._kept = kept
        self._store = store
        self._clock = clock
        self._leeway_for = leeway_for
        self._known_issuer: tuple[object, Issuer] | None = None

    def __repr__(self) -> str:
        """Whose sign-in it is, and no token."""
        return f"<SignIn of {self.client_id!r} at {self.issuer!r}>"

    @property
    def issuer(self) -> str:
        """Who vouches for the person."""
        return self._kept.issuer

    @property
    def client_id(self) -> str:
        """Whom the person signed in to."""
        return self._kept.client_id

    @property
    def scope(self) -> str:
        """What was granted, separated by spaces."""
        return self._kept.scope

    @property
    def resource(self) -> str | None:
        """The API that the access token was asked for, None where the issuer chose."""
        return self._kept.resource

    @property
    def audiences(self) -> tuple[str, ...]:
        """The APIs that the access token is for: the resource asked for, else what the token names; none if it is opaque.

        The token is read unverified: this only says where it may be sent.
        """
        return (self.resource,) if self.resource else _audiences_of(self._kept.access_token)

    @property
    def claims(self) -> Mapping[str, Any]:
        """Who the person is: the claims of the verified ID token; empty where `openid` was not asked for."""
        return self._kept.claims or {}

    @property
    def token_type(self) -> str:
        """`Bearer`, or `DPoP` for a token that takes a proof beside it."""
        return self._kept.token_type

    def prove(self, method: str, url: str, *, access_token: str, nonce: str | None = None) -> str | None:
        """The `DPoP` header of one request with *access_token* (RFC 9449 §7.1); None where the token is not bound."""
        key = _key_of(self._kept)
        if key is None:
            return None
        jti = os.urandom(16).hex()
        return key.proof(method, url, now=self._clock(), jti=jti, nonce=nonce, access_token=access_token)

    @property
    def access_token_until(self) -> int | None:
        """When the access token expires, in milliseconds since 1970; None where the issuer did not say."""
        return self._kept.access_token_until

    def access_token(self, *, usable_for: int = USABLE_FOR, rejected: str | None = None) -> str:
        """An access token that lives for at least *usable_for* milliseconds, renewed where it has to be.

        One whose whole life is short counts as usable for two thirds of it: else each call would renew it. *rejected* is a
        token that an API did not take: another one is handed out. Raises `NotSignedIn` once the sign-in is over,
        `ResponseRefused` where the issuer cannot be reached, `StoreRefused` where tokens cannot be kept.
        """
        if self._is_usable(self._kept, usable_for, rejected):
            return self._kept.access_token
        with self._store.lock(self.issuer, self.client_id):
            kept = self._store.load(self.issuer, self.client_id)
            if kept is None:
                raise NotSignedIn("sign_in_removed", "Somebody signed out here: sign in again")
            if self._is_somebody_else(kept):
                raise NotSignedIn("sign_in_replaced", "Somebody else has signed in here: look the sign-in up again")
            if not self._is_usable(kept, usable_for, rejected):
                kept = self._renew(kept)
            self._kept = kept
        return kept.access_token

    async def access_token_async(self, *, usable_for: int = USABLE_FOR, rejected: str | None = None) -> str:
        """`access_token` for an event loop, which goes on meanwhile."""
        if self._is_usable(self._kept, usable_for, rejected):
            return self._kept.access_token
        import asyncio  # a command that only prints a token needs none of it

        return await asyncio.to_thread(self.access_token, usable_for=usable_for, rejected=rejected)

    def auth(self, *origins: str) -> TokenAuth:
        """Authentication for httpx2, sync and async, that sends the token to *origins* alone; else to its `audiences`."""
        from proofkey.client.auth import TokenAuth

        return TokenAuth(self, *origins)

    def logout(self) -> Farewell:
        """Give the tokens back to the issuer and forget them here, which happens in any case."""
        from proofkey.client.messages import ResponseRefused, ServerRefused

        with self._store.lock(self.issuer, self.client_id):
            kept = self._store.load(self.issuer, self.client_id) or self._kept
            is_replaced = self._is_somebody_else(kept)
            try:
                self._revoke(self._kept if is_replaced else kept)
            except (ResponseRefused, ServerRefused) as refused:
                return Farewell(False, refused.error_description)
            finally:
                if not is_replaced:
                    self._store.remove(self.issuer, self.client_id)
        return Farewell(True)

    async def logout_async(self) -> Farewell:
        """`logout` for an event loop."""
        import asyncio

        return await asyncio.to_thread(self.logout)

    def _is_somebody_else(self, kept: StoredSignIn) -> bool:
        """Whether another person has signed in meanwhile: their token must not serve what was begun for this one.

        Where nothing says who it is, another sign-in is somebody else's.
        """
        subject = self.claims.get("sub")
        is_other_sign_in = subject is None and kept.signed_in_at != self._kept.signed_in_at
        return is_other_sign_in or (kept.claims or {}).get("sub") != subject

    def _is_usable(self, kept: StoredSignIn, usable_for: int, rejected: str | None) -> bool:
        if kept.access_token == rejected:
            return False
        if kept.access_token_until is None:
            return True
        margin = min(usable_for, (kept.access_token_until - kept.access_token_at) // 3)
        return self._clock() + margin < kept.access_token_until

    def _renew(self, kept: StoredSignIn) -> StoredSignIn:
        """New tokens, kept before anybody gets them."""
        from proofkey.client.messages import ServerRefused

        if kept.refresh_token is None:
            raise NotSignedIn("sign_in_expired", "The access token has expired and nothing renews it: sign in again")
        self._store.save(kept)  # who cannot keep what comes (a full disk) must not ask: it would be lost
        try:
            signed_in = self._ask(kept, kept.refresh_token)
        except ServerRefused as refused:
            if refused.code != "invalid_grant":
                raise
            self._store.remove(self.issuer, self.client_id)
            raise NotSignedIn("sign_in_ended", "The issuer has ended the sign-in: sign in again") from refused
        renewed = renewed_by(kept, signed_in, self._clock())
        self._store.save(renewed)
        return renewed

    def _ask(self, kept: StoredSignIn, refresh_token: str) -> SignedIn:
        from proofkey.client.http import Network

        issuer, claims = self._issuer(kept), kept.claims or {}
        told: dict[str, Any] = {"subject": claims.get("sub"), "nonce": claims.get("nonce"), "resource": kept.resource}
        with Network(kept.issuer, ca_file=_path(kept.ca_file), timeout=_RENEWED_WITHIN) as network:
            network.run_patiently(issuer.prepare)
            return network.run_patiently(lambda: issuer.refresh(refresh_token, **told))

    def _revoke(self, kept: StoredSignIn) -> None:
        from proofkey.client.http import Network

        with Network(kept.issuer, ca_file=_path(kept.ca_file), timeout=5.0) as network:
            network.run(self._issuer(kept).revoke(kept.refresh_token or kept.access_token))

    def _issuer(self, kept: StoredSignIn) -> Issuer:
        """The issuer, whose metadata and keys are remembered from one renewal to the next."""
        from proofkey.client.issuer import Issuer
        from proofkey.client.messages import public_registration

        known_by = kept.dpop_key, kept.client_secret
        if self._known_issuer is None or self._known_issuer[0] != known_by:
            registration = public_registration(kept.client_id, "", kept.client_secret)
            issuer = Issuer(
                kept.issuer,
                registration,
                dpop_key=_key_of(kept),
                leeway_for=self._leeway_for,
                s256_announced=False,
            )
            self._known_issuer = known_by, issuer
        return self._known_issuer[1]


def _audiences_of(token: str) -> tuple[str, ...]:
    """`aud` of a JWT, which is a string or a list of them (RFC 7519 §4.1.3)."""
    with suppress(ValueError, IndexError, AttributeError, RecursionError):
        audience = json.loads(decode_base64url(token.split(".")[1])).get("aud")
        return tuple(one for one in read_audiences(audience) if isinstance(one, str))
    return ()


def _key_of(kept: StoredSignIn) -> DpopKey | None:
    if kept.dpop_key is None:
        return None
    from proofkey.client.dpop import DpopKey

    return DpopKey.from_bytes(kept.dpop_key)


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def renewed_by(kept: StoredSignIn, signed_in: SignedIn, now: int) -> StoredSignIn:
    """*kept* with the tokens of *signed_in*, which came at *now*.

    A renewed ID token need not hold the nonce; the next one is held to it all the same. `auth_time` stays that of the
    sign-in, whatever a renewed ID token makes of it (OpenID Connect Core §12.2).
    """
    tokens, claims = signed_in.tokens, signed_in.claims
    first = {name: said for name, said in (kept.claims or {}).items() if name in {"nonce", "auth_time"}}
    return replace(
        kept,
        scope=tokens.scope or kept.scope,
        claims=kept.claims if claims is None else {**claims, **first},
        token_type=tokens.token_type,
        access_token=tokens.access_token,
        access_token_at=now,
        access_token_until=None if tokens.expires_in is None else now + tokens.expires_in * SECOND,
        refresh_token=tokens.refresh_token,
    )


def find_sign_in(
    issuer: str | None = None,
    client_id: str | None = None,
    *,
    store: TokenStore | None = None,
    leeway_for: int = LEEWAY_FOR,
) -> SignIn | None:
    """The sign-in that is kept for *issuer* and *client_id*; without them, the only one that fits. None where none does.

    *leeway_for* is what clocks may differ by where the times of ID tokens are checked, in milliseconds.

    Raises `StoreRefused` where what is kept must not be trusted, `NotSignedIn` where several fit.

    >>> find_sign_in(ISSUER, CLIENT_ID) is None
    True
    >>> me = login(ISSUER, CLIENT_ID)
    >>> find_sign_in().claims["sub"] == me.claims["sub"]
    True
    """
    store = store or OwnStore()
    if issuer is None or client_id is None:
        fitting = [pair for pair in store.find_all() if issuer in (None, pair[0]) and client_id in (None, pair[1])]
        if not fitting:
            return None
        if len(fitting) > 1:
            listed = "\n".join(f"{ours} as {program}" for ours, program in sorted(fitting))
            raise NotSignedIn(
                "sign_in_ambiguous", "There are several sign-ins: say which issuer and client", detail=listed
            )
        [(issuer, client_id)] = fitting
    kept = store.load(issuer, client_id)
    return None if kept is None else SignIn(kept, store, leeway_for=leeway_for)
