"""The steps of `proofkey flow`: the whole Authorization Code flow with PKCE, in the order of the RFCs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from proofkey import jose
from proofkey.cli.flow_steps import Show, Step, address_of, received_of, sent_of, token_of
from proofkey.client.http import Network
from proofkey.client.id_token import check_id_token, check_refreshed_id_token
from proofkey.client.messages import HttpRequest, Registration, ResponseRefused, ServerRefused
from proofkey.client.metadata import ServerMetadata, metadata_requests, read_metadata
from proofkey.client.protocol import (
    Callback,
    PendingLogin,
    Tokens,
    begin_login,
    introspection_request,
    read_callback,
    read_introspection,
    read_revocation,
    read_tokens,
    read_userinfo,
    refresh_request,
    revocation_request,
    token_request,
    userinfo_request,
)
from proofkey.protocol.errors import Refusal
from proofkey.protocol.pkce import challenge_for, encode_challenge

VISIT = {
    "discovery": "the issuer names itself to the byte, announces S256, and says where everything is",
    "proof_key": "the verifier stays here; the challenge is its SHA-256, from which nobody gets back",
    "authorization_request": "only the challenge travels with the browser: whoever reads it cannot redeem the code",
    "callback": "state belongs to this login and iss is the issuer it was sent to: no other login, no other server",
    "token_request": "the verifier hashes to the challenge: whoever began this login ends it",
    "keys": "these are the public keys the issuer signs with",
    "id_token": "signed by the issuer, for this client, for this login (nonce), and not out of date",
    "access_token": "signed by the issuer; an API checks signature, aud, exp and scope, and asks nobody",
    "opaque_access_token": "only the issuer can read this access token: an API asks it by introspection",
    "userinfo": "the access token opens userinfo, which speaks of the same person as the ID token",
    "refresh": "the refresh token buys new tokens without the person; a public client's is replaced each time",
    "introspection": "the issuer itself says what the access token is worth now",
    "revocation": "the client gave the tokens back",
    "refresh_after_revocation": "what was given back opens nothing any more",
}
NOTHING = "nothing: this was refused"
_REFUSED = (ResponseRefused, ServerRefused, jose.TokenInvalid)


@dataclass(slots=True)
class Walk:
    """One walk through the flow. *ask_person* takes the login to the person and returns the address they came back to."""

    issuer: str
    registration: Registration
    scope: str
    network: Network
    show: Show
    ask_person: Callable[[PendingLogin], str]
    entropy: Callable[[int], bytes]
    clock: Callable[[], int]

    def run(self) -> None:
        """Every step in turn. Raises `ResponseRefused`, `ServerRefused` or `jose.TokenInvalid` at the first that fails."""
        metadata = self._discover()
        callback = self._log_in(metadata)
        tokens = self._redeem(metadata, callback)
        keys = self._fetch_keys(metadata)
        subject = self._read_id_token(tokens, keys, callback)
        self._read_access_token(tokens, keys)
        self._ask_userinfo(metadata, tokens, subject)
        tokens = self._refresh(metadata, tokens, keys, subject)
        self._introspect(metadata, tokens)
        self._revoke(metadata, tokens)

    def _read(self, step: str, request: HttpRequest, read: Callable[[int, bytes], Any]) -> Any:
        """Send, read, and only then say what it proves."""
        response = self.network.send(request)
        try:
            answer = read(response.status, response.body)
        except _REFUSED as refused:
            self.show(Step(step, sent_of(request), received_of(response), NOTHING, refused=_words_of(refused)))
            raise
        self.show(Step(step, sent_of(request), received_of(response), VISIT[step]))
        return answer

    def _discover(self) -> ServerMetadata:
        first, second = metadata_requests(self.issuer)
        request = first if self.network.send(first).status == 200 else second

        def read(status: int, body: bytes) -> ServerMetadata:
            return read_metadata(status, body, expected_issuer=self.issuer)

        metadata: ServerMetadata = self._read("discovery", request, read)
        return metadata

    def _log_in(self, metadata: ServerMetadata) -> Callback:
        pending = begin_login(metadata, self.registration, scope=self.scope, entropy=self.entropy(96))
        made = {
            "code_verifier": pending.code_verifier,
            "code_challenge": encode_challenge(challenge_for(pending.code_verifier)),
            "state": pending.state,
            "nonce": pending.nonce,
        }
        self.show(Step("proof_key", None, made, VISIT["proof_key"]))
        sent = {"method": "GET", **address_of(pending.url)}
        self.show(Step("authorization_request", sent, None, VISIT["authorization_request"]))
        url = self.ask_person(pending)
        try:
            callback = read_callback(url, pending)
        except _REFUSED as refused:
            self.show(Step("callback", None, address_of(url), NOTHING, refused=_words_of(refused)))
            raise
        self.show(Step("callback", None, address_of(url), VISIT["callback"]))
        return callback

    def _redeem(self, metadata: ServerMetadata, callback: Callback) -> Tokens:
        request = token_request(metadata.token_endpoint, callback)
        tokens: Tokens = self._read("token_request", request, read_tokens)
        return tokens

    def _fetch_keys(self, metadata: ServerMetadata) -> jose.KeySet:
        if metadata.jwks_uri is None:
            return jose.KeySet(())
        request = HttpRequest("GET", metadata.jwks_uri, (("accept", "application/json"),))
        keys: jose.KeySet = self._read("keys", request, lambda _, body: jose.KeySet.from_jwks(jose.decode_claims(body)))
        return keys

    def _read_id_token(self, tokens: Tokens, keys: jose.KeySet, callback: Callback) -> str | None:
        if tokens.id_token is None:
            if "openid" in self.scope.split():
                raise ResponseRefused("id_token_missing", "The scope holds openid, but there is no id_token")
            return None
        claims = jose.verify_jwt(tokens.id_token, keys, expected_typ=None)
        subject = check_id_token(
            claims,
            expected_issuer=self.issuer,
            expected_client_id=self.registration.client_id,
            expected_nonce=callback.pending.nonce,
            now=self.clock(),
            access_token=tokens.access_token,
            alg=jose.parse_jwt(tokens.id_token).header.alg,
        )
        self.show(Step("id_token", None, token_of(tokens.id_token, claims), VISIT["id_token"]))
        return subject

    def _read_access_token(self, tokens: Tokens, keys: jose.KeySet) -> None:
        if tokens.access_token.count(".") != 2:
            self.show(Step("access_token", None, {"header": None, "claims": None}, VISIT["opaque_access_token"]))
            return
        claims = jose.verify_jwt(tokens.access_token, keys, expected_typ="at+jwt")
        if claims.get("iss") != self.issuer:
            raise ResponseRefused("access_token_not_of_issuer", "iss of the access token is another issuer")
        self.show(Step("access_token", None, token_of(tokens.access_token, claims), VISIT["access_token"]))

    def _ask_userinfo(self, metadata: ServerMetadata, tokens: Tokens, subject: str | None) -> None:
        if metadata.userinfo_endpoint is None or subject is None:
            return
        request = userinfo_request(metadata.userinfo_endpoint, tokens.access_token)
        self._read("userinfo", request, lambda status, body: read_userinfo(status, body, expected_subject=subject))

    def _refresh(self, metadata: ServerMetadata, tokens: Tokens, keys: jose.KeySet, subject: str | None) -> Tokens:
        """The tokens to go on with: the new ones, with the old refresh token where it is not replaced."""
        if tokens.refresh_token is None:
            return tokens
        request = refresh_request(metadata.token_endpoint, self.registration, tokens.refresh_token)
        fresh: Tokens = self._read("refresh", request, read_tokens)
        if fresh.id_token is not None and subject is not None:
            check_refreshed_id_token(
                jose.verify_jwt(fresh.id_token, keys, expected_typ=None),
                expected_issuer=self.issuer,
                expected_client_id=self.registration.client_id,
                expected_subject=subject,
                now=self.clock(),
            )
        return fresh if fresh.refresh_token is not None else replace(fresh, refresh_token=tokens.refresh_token)

    def _introspect(self, metadata: ServerMetadata, tokens: Tokens) -> None:
        if metadata.introspection_endpoint is None or self.registration.client_secret is None:
            return
        request = introspection_request(metadata.introspection_endpoint, self.registration, tokens.access_token)
        self._read("introspection", request, read_introspection)

    def _revoke(self, metadata: ServerMetadata, tokens: Tokens) -> None:
        if metadata.revocation_endpoint is None:
            return
        token = tokens.refresh_token or tokens.access_token
        request = revocation_request(metadata.revocation_endpoint, self.registration, token)
        self._read("revocation", request, read_revocation)
        if tokens.refresh_token is None:
            return
        again = refresh_request(metadata.token_endpoint, self.registration, tokens.refresh_token)
        self._read("refresh_after_revocation", again, _expect_refusal)


def _words_of(refused: Exception) -> str:
    return refused.error_description if isinstance(refused, Refusal) else str(refused)


def _expect_refusal(status: int, _body: bytes) -> None:
    if status == 200:
        raise ResponseRefused("revocation_ineffective", "The revoked refresh token still buys tokens")
