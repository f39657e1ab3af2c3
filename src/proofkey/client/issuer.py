"""One issuer as one client sees it: every exchange of the flow, each a conversation (RFC 6749, OpenID Connect Core §3.1).

1. Metadata and keys are kept for ten minutes; a key that is not known is looked for once more, and not twice in half a minute.
2. Tokens are handed out after the ID token was verified: signature, issuer, audience, nonce, times (§3.1.3.7). Where
   nobody is signed in by them, the refresh token goes back (RFC 7009).
3. A client with a `DpopKey` proves possession in each token request, and takes no token that is not bound to it (RFC 9449).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from proofkey import jose
from proofkey.client.conversation import Conversation
from proofkey.client.id_token import IdTokenRefused, check_auth_time, check_id_token, check_refreshed_id_token
from proofkey.client.kept import Kept
from proofkey.client.leeway import LEEWAY_FOR
from proofkey.client.messages import (
    Claims,
    HttpRequest,
    HttpResponse,
    NoAnswer,
    Registration,
    ResponseRefused,
    ServerRefused,
    read_object,
)
from proofkey.client.metadata import ServerMetadata, is_sparse, metadata_requests, read_either
from proofkey.client.protocol import (
    ENTROPY,
    Callback,
    PendingLogin,
    Tokens,
    TokenType,
    begin_login,
    check_signed_userinfo,
    read_revocation,
    read_tokens,
    read_userinfo,
    refresh_request,
    revocation_request,
    token_request,
    userinfo_request,
)
from proofkey.clock import wall_clock
from proofkey.protocol.challenge import read_errors
from proofkey.protocol.errors import Refusal
from proofkey.protocol.issuer import origin_of
from proofkey.protocol.records import MINUTE, SECOND

if TYPE_CHECKING:
    from proofkey.client.dpop import DpopKey

KEPT_FOR = 10 * MINUTE
COOL_DOWN_FOR = 30 * SECOND


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a code or a refresh token was traded for; `claims` are the verified ID token's, None where there is none.

    >>> issuer = Issuer(ISSUER, Registration(CLIENT_ID, REDIRECT_URI))
    >>> with Network(ISSUER) as network:
    ...     pending = network.run(issuer.begin(scope="openid profile"))
    ...     signed_in = network.run(issuer.redeem(read_callback(visit(pending.url), pending)))
    >>> signed_in.claims["preferred_username"]
    'alice'
    """

    tokens: Tokens
    claims: Claims | None


class Issuer:
    """Conversations of the client *registration* with *issuer*. May be used by many logins at once.

    *dpop_key* makes every token of this client bound to that key. *s256_announced* false accepts an issuer whose metadata
    do not say that it knows PKCE; the challenge is sent all the same.

    >>> issuer = Issuer(ISSUER, Registration(CLIENT_ID, REDIRECT_URI))
    >>> with Network(ISSUER) as network:
    ...     metadata = network.run(issuer.discover())
    >>> metadata.issuer == ISSUER
    True
    """

    def __init__(
        self,
        issuer: str,
        registration: Registration,
        *,
        dpop_key: DpopKey | None = None,
        clock: Callable[[], int] = wall_clock,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        leeway_for: int = LEEWAY_FOR,
        s256_announced: bool = True,
    ) -> None:
        self.issuer = issuer
        self.registration = registration
        self.dpop_key = dpop_key
        self._clock = clock
        self._entropy = entropy
        self._leeway_for = leeway_for
        self._s256_announced = s256_announced
        self._metadata = Kept(self._fetch_metadata, clock=clock)
        self._keys = Kept(self._fetch_keys, clock=clock)
        self._nonces: dict[str, str] = {}

    def discover(self) -> Conversation[ServerMetadata]:
        """The issuer's metadata. Raises `ResponseRefused`."""
        return self._metadata.read(KEPT_FOR)

    def _fetch_metadata(self) -> Conversation[ServerMetadata]:
        first, second = metadata_requests(self.issuer)
        read = partial(read_either, expected_issuer=self.issuer, s256_announced=self._s256_announced)
        response = yield first
        if not is_sparse(response, expected_issuer=self.issuer):
            return read(response, response)
        try:
            other = yield second
        except NoAnswer:
            with suppress(ResponseRefused):
                return read(response, response)
            raise
        return read(response, other)

    def prepare(self, scope: str = "openid") -> Conversation[None]:
        """Fetch metadata and keys now, so that nothing can fail between the tokens of an exchange and their check."""
        metadata = yield from self.discover()
        if metadata.jwks_uri is not None and "openid" in scope.split():
            yield from self._keys.read(KEPT_FOR)

    def begin(
        self, *, scope: str, resource: str | None = None, extra: Mapping[str, str] | None = None
    ) -> Conversation[PendingLogin]:
        """A new login: send the person to its `url`, and keep the rest until the answer comes."""
        metadata = yield from self.discover()
        entropy = self._entropy(ENTROPY)
        return begin_login(metadata, self.registration, scope=scope, entropy=entropy, resource=resource, extra=extra)

    def redeem(self, callback: Callback, *, max_age: int | None = None) -> Conversation[SignedIn]:
        """Trade the code and its verifier for tokens, and verify who is there, signed in within *max_age* seconds.

        Raises `ServerRefused`, `ResponseRefused`, and `IdTokenRefused` for an ID token that is not about this login.
        """
        scope, nonce = callback.pending.scope, callback.pending.nonce
        metadata = yield from self.discover()
        tokens = yield from self.ask_tokens(token_request(metadata.token_endpoint, callback))
        return (yield from self.believe(tokens, scope=scope, nonce=nonce, max_age=max_age))

    def believe(
        self, tokens: Tokens, *, scope: str, nonce: str | None, max_age: int | None = None
    ) -> Conversation[SignedIn]:
        """Who signed in with *tokens*, which are given back where nobody did. Raises as `read_person` does."""
        try:
            claims = yield from self.read_person(tokens, scope=scope, nonce=nonce)
            if max_age is not None:
                check_auth_time(claims or {}, max_age=max_age, now=self._clock(), leeway_for=self._leeway_for)
        except Refusal:
            if tokens.refresh_token is not None:
                with suppress(ResponseRefused, ServerRefused):  # the refusal is the word
                    yield from self.revoke(tokens.refresh_token)
            raise
        return SignedIn(tokens, claims)

    def read_person(self, tokens: Tokens, *, scope: str, nonce: str | None) -> Conversation[Claims | None]:
        """Who is there, by the ID token that *scope* with openid brings; None without. *nonce* as sent, None: none was.

        Raises `IdTokenRefused`.
        """
        if "openid" not in scope.split():
            return None
        if tokens.id_token is None:
            raise IdTokenRefused("id_token_not_given", "openid was asked for, but the token response holds no ID token")
        return (yield from self._read_id_token(tokens, partial(check_id_token, expected_nonce=nonce)))

    def refresh(
        self,
        refresh_token: str,
        *,
        subject: str | None,
        nonce: str | None = None,
        scope: str | None = None,
        resource: str | None = None,
    ) -> Conversation[SignedIn]:
        """New tokens without the person; *subject* is who signed in, *nonce* what the ID token held then.

        The old refresh token stays where none came anew.

        `claims` are those of a new ID token, which must be about *subject*; None where none came. Raises as `redeem` does.
        """
        metadata = yield from self.discover()
        request = refresh_request(
            metadata.token_endpoint, self.registration, refresh_token, scope=scope, resource=resource
        )
        tokens = yield from self.ask_tokens(request)
        tokens = tokens if tokens.refresh_token else replace(tokens, refresh_token=refresh_token)
        if tokens.id_token is None or subject is None:
            return SignedIn(tokens, None)
        check = partial(check_refreshed_id_token, expected_subject=subject, expected_nonce=nonce)
        return SignedIn(tokens, (yield from self._read_id_token(tokens, check)))

    def _read_id_token(self, tokens: Tokens, check: Callable[..., object]) -> Conversation[Claims]:
        id_token = tokens.id_token or ""
        claims = yield from self.verify(id_token)
        header = jose.parse_jwt(id_token).header
        if (header.typ or "").lower().endswith("+jwt"):  # RFC 8725 §3.11: typed to be nothing else
            raise IdTokenRefused("id_token_is_something_else", "typ says that it is a token of another kind")
        check(
            claims,
            expected_issuer=self.issuer,
            expected_client_id=self.registration.client_id,
            now=self._clock(),
            access_token=tokens.access_token,
            alg=header.alg,
            leeway_for=self._leeway_for,
        )
        return claims

    def read_userinfo(self, tokens: Tokens, *, subject: str) -> Conversation[Claims]:
        """What the issuer says now of *subject*. Raises where it has no userinfo, refuses, or speaks of somebody else."""
        metadata = yield from self.discover()
        endpoint = _required(metadata.userinfo_endpoint, "userinfo_endpoint")
        request = userinfo_request(endpoint, tokens.access_token)
        if self.dpop_key is not None:
            request = _with(request, authorization=f"DPoP {tokens.access_token}")
        response = yield from self._prove(request, access_token=tokens.access_token)
        if response.status != 200 or not _is_jwt(response):
            return read_userinfo(response.status, response.body, expected_subject=subject)
        claims = yield from self._verify(response.body.decode("ascii", "replace"), None, jose.SIGNATURE_ALGORITHMS)
        client_id = self.registration.client_id
        return check_signed_userinfo(
            claims, expected_issuer=self.issuer, expected_client_id=client_id, expected_subject=subject
        )

    def revoke(self, token: str) -> Conversation[None]:
        """Give *token* back; a refresh token takes with it everything that came of it (RFC 7009 §2.1)."""
        metadata = yield from self.discover()
        endpoint = _required(metadata.revocation_endpoint, "revocation_endpoint")
        response = yield revocation_request(endpoint, self.registration, token)
        read_revocation(response.status, response.body)

    def verify(self, token: str, *, typ: str | None = None) -> Conversation[Claims]:
        """The claims of a JWT that this issuer signed as it signs ID tokens; nothing else is checked.

        Raises `IdTokenRefused`.
        """
        alg = self.registration.id_token_signed_response_alg
        known = jose.SIGNATURE_ALGORITHMS
        return self._verify(token, typ, known if alg is None else known & {alg})

    def _verify(self, token: str, typ: str | None, algorithms: frozenset[str]) -> Conversation[Claims]:
        keys = yield from self._keys.read(KEPT_FOR)
        try:
            return _verified(token, keys, typ, algorithms)
        except jose.UnknownKey:
            keys = yield from self._keys.read(COOL_DOWN_FOR)
        try:
            return _verified(token, keys, typ, algorithms)
        except jose.UnknownKey:
            raise IdTokenRefused(
                "id_token_key_unknown", "A token is signed by a key the issuer does not have"
            ) from None

    def _fetch_keys(self) -> Conversation[jose.KeySet]:
        metadata = yield from self.discover()
        endpoint = _required(metadata.jwks_uri, "jwks_uri")
        response = yield HttpRequest("GET", endpoint, (("accept", "application/json"),))
        published = (
            response.body if response.status == 200 else b""
        )  # an error there is no word about any request of ours
        try:
            return jose.KeySet.from_jwks(read_object(response.status, published))
        except jose.TokenInvalid as invalid:
            raise ResponseRefused("keys_malformed", "The issuer's keys are no JWK Set", detail=str(invalid)) from None

    def ask_tokens(self, request: HttpRequest) -> Conversation[Tokens]:
        """The tokens that *request* to the token endpoint brings, of the type this client takes."""
        response = yield from self._prove(request)
        expected: TokenType = "Bearer" if self.dpop_key is None else "DPoP"
        return read_tokens(response.status, response.body, expected_type=expected)

    def _prove(self, request: HttpRequest, access_token: str | None = None) -> Conversation[HttpResponse]:
        """The answer to *request*, with proof where there is a key, and once more where a nonce is asked for (§8)."""
        response = yield self._with_proof(request, access_token)
        if self.dpop_key is None:
            return response
        self._keep_nonce(request, response)
        if _takes_nonce(response):
            response = yield self._with_proof(request, access_token)
            self._keep_nonce(request, response)
        return response

    def _keep_nonce(self, request: HttpRequest, response: HttpResponse) -> None:
        """Each server has nonces of its own; userinfo may be another one than the token endpoint (§8.2, §9)."""
        nonce = response.headers.get("dpop-nonce")
        if nonce is not None:
            self._nonces[origin_of(request.url)] = nonce

    def _with_proof(self, request: HttpRequest, access_token: str | None) -> HttpRequest:
        if self.dpop_key is None:
            return request
        jti, now = self._entropy(16).hex(), self._clock()
        proof = self.dpop_key.proof(
            request.method,
            request.url,
            now=now,
            jti=jti,
            nonce=self._nonces.get(origin_of(request.url)),
            access_token=access_token,
        )
        return _with(request, dpop=proof)


def _verified(token: str, keys: jose.KeySet, typ: str | None, algorithms: frozenset[str]) -> Claims:
    try:
        return jose.verify_jwt(token, keys, expected_typ=typ, algorithms=algorithms)
    except jose.UnknownKey:
        raise
    except jose.TokenInvalid as invalid:
        raise IdTokenRefused(
            "id_token_unverifiable", "A token is not signed by the issuer", detail=str(invalid)
        ) from None


def _is_jwt(response: HttpResponse) -> bool:
    """By its media type, which has no case (RFC 9110 §8.3.1)."""
    return response.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/jwt"


def _takes_nonce(response: HttpResponse) -> bool:
    """A refusal that asks for the nonce it brings (RFC 9449 §8, §9)."""
    if response.status not in {400, 401} or "dpop-nonce" not in response.headers:
        return False
    challenges = [response.headers.get("www-authenticate", "")]
    return b"use_dpop_nonce" in response.body or "use_dpop_nonce" in read_errors(challenges)


def _with(request: HttpRequest, **headers: str) -> HttpRequest:
    kept = tuple((name, value) for name, value in request.headers if name not in headers)
    return replace(request, headers=(*kept, *headers.items()))


def _required(endpoint: str | None, name: str) -> str:
    if endpoint is None:
        raise ResponseRefused("endpoint_not_served", "The issuer does not serve this", parameters=[name])
    return endpoint
