"""The client's side of the Authorization Code flow, as pairs of request and reading (RFC 6749 §4.1, RFC 7636, RFC 9207).

1. Nothing here waits, reads a clock or throws dice: entropy comes in, requests go out, answers are read.
2. An answer counts once its address, `state` and `iss` are those of this login; only a `Callback` can be exchanged.
3. The verifier is always there, always S256.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode

from proofkey.client.messages import (
    Claims,
    HttpRequest,
    Registration,
    ResponseRefused,
    ServerRefused,
    form_request,
    read_object,
)
from proofkey.client.metadata import ServerMetadata
from proofkey.protocol.audience import read_audiences
from proofkey.protocol.base64url import encode_base64url
from proofkey.protocol.pkce import challenge_for, encode_challenge

MAX_EXPIRES_IN = 10 * 366 * 24 * 3600
"""Seconds; no access token lives for longer than ten years."""
TokenType: TypeAlias = Literal["Bearer", "DPoP"]
ENTROPY = 96
"""How many random bytes one login takes."""


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A login that was begun: `url` is where the person goes, the rest is for whoever comes back with an answer.

    >>> registration = Registration(CLIENT_ID, REDIRECT_URI)
    >>> pending = begin_login(METADATA, registration, scope="openid", entropy=bytes(range(96)))
    >>> len(pending.code_verifier), pending.code_verifier in pending.url
    (43, False)
    """

    url: str
    issuer: str
    iss_required: bool
    registration: Registration
    scope: str
    state: str
    nonce: str
    code_verifier: str = field(repr=False)
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """An answer that belongs to its login. Only `read_callback` and `read_form_post` make one.

    >>> registration = Registration(CLIENT_ID, REDIRECT_URI)
    >>> pending = begin_login(METADATA, registration, scope="openid", entropy=bytes(range(96)))
    >>> callback = read_callback(visit(pending.url), pending)
    >>> callback.pending is pending
    True
    """

    code: str = field(repr=False)
    pending: PendingLogin


class CallbackRefused(ResponseRefused):
    """An answer that must not be believed."""


class NotThisLogin(CallbackRefused):
    """An answer that is none to this login: the right one may still come."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A token response (RFC 6749 §5.1); `expires_in` in seconds, `scope` None where it is what was asked for.

    A token of type DPoP opens nothing without the key that proved itself to get it (RFC 9449 §5).

    >>> read_tokens(200, b'{"access_token": "secret", "token_type": "Bearer", "expires_in": 300}')
    Tokens(expires_in=300, scope=None, token_type='Bearer')
    """

    access_token: str = field(repr=False)
    expires_in: int | None
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    scope: str | None
    token_type: TokenType = "Bearer"


def begin_login(
    metadata: ServerMetadata,
    registration: Registration,
    *,
    scope: str,
    entropy: bytes,
    resource: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> PendingLogin:
    """A new login with its own verifier, state and nonce, made of `ENTROPY` random bytes that are used for nothing else.

    *resource* is the API that the access token is for, as its absolute URI (RFC 8707 §2).
    *extra* are further parameters (`prompt`, `login_hint` …); they cannot replace those of the flow.

    >>> import secrets
    >>> registration = Registration(CLIENT_ID, REDIRECT_URI)
    >>> pending = begin_login(METADATA, registration, scope="openid profile", entropy=secrets.token_bytes(96))
    >>> pending.url.startswith(METADATA.authorization_endpoint)
    True
    """
    if len(entropy) != ENTROPY:
        raise ValueError(f"entropy must be {ENTROPY} random bytes")
    code_verifier, state, nonce = (encode_base64url(entropy[at : at + 32]) for at in (0, 32, 64))
    parameters = {
        **(extra or {}),
        "response_type": "code",
        "client_id": registration.client_id,
        "redirect_uri": registration.redirect_uri,
        "scope": scope,
        "state": state,
        "nonce": nonce,
        "code_challenge": encode_challenge(challenge_for(code_verifier)),
        "code_challenge_method": "S256",
        **_named("resource", resource),
    }
    endpoint = metadata.authorization_endpoint
    return PendingLogin(
        url=f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}",
        issuer=metadata.issuer,
        iss_required=metadata.names_itself,
        registration=registration,
        scope=scope,
        state=state,
        nonce=nonce,
        code_verifier=code_verifier,
        resource=resource,
    )


def _named(name: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {name: value}


def read_callback(url: str, pending: PendingLogin) -> Callback:
    """The code in the address the browser came back to, once address, state and iss are those of *pending*.

    Raises `ResponseRefused` for what is not this login's answer, `ServerRefused` where the answer is a refusal.

    >>> registration = Registration(CLIENT_ID, REDIRECT_URI)
    >>> pending = begin_login(METADATA, registration, scope="openid", entropy=bytes(range(96)))
    >>> try:
    ...     read_callback(f"{REDIRECT_URI}?code=stolen&state=of-another-login", pending)
    ... except ResponseRefused as refused:
    ...     print(refused.reason)
    callback_state_differs
    """
    address, _, query = url.partition("#")[0].partition("?")
    if address != pending.registration.redirect_uri.partition("?")[0]:
        raise NotThisLogin("callback_address_differs", "The answer came to another address than redirect_uri")
    return _read_answer(query, pending)


def read_form_post(body: bytes, pending: PendingLogin) -> Callback:
    """`read_callback` for the body of `response_mode=form_post` (OAuth 2.0 Form Post Response Mode §2).

    >>> registration = Registration(CLIENT_ID, REDIRECT_URI)
    >>> posted = {"response_mode": "form_post"}
    >>> pending = begin_login(METADATA, registration, scope="openid", entropy=bytes(range(96)), extra=posted)
    >>> read_form_post(f"code=c&iss={ISSUER}&state={pending.state}".encode(), pending).code
    'c'
    """
    return _read_answer(body.decode("utf-8", "replace"), pending)


def _read_answer(form: str, pending: PendingLogin) -> Callback:
    try:
        sent = parse_qsl(form, keep_blank_values=True, max_num_fields=64)
    except ValueError:
        raise CallbackRefused("callback_too_long", "The answer says too many things") from None
    answer = dict(sent)
    if len(answer) != len(sent):
        raise NotThisLogin("callback_repeats", "The answer says something twice")
    if not hmac.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
        raise NotThisLogin("callback_state_differs", "state is not the one of this login: it belongs to another")
    _check_iss(answer.get("iss"), pending)
    if "error" in answer:
        raise ServerRefused("callback_refused", code=answer["error"], told=answer.get("error_description"))
    if not answer.get("code"):
        raise CallbackRefused("callback_code_missing", "The answer holds no code")
    return Callback(answer["code"], pending)


def _check_iss(iss: str | None, pending: PendingLogin) -> None:
    """RFC 9207 §2.4: the defence against an answer of another server (mix-up)."""
    if iss is None and pending.iss_required:
        raise CallbackRefused("callback_iss_missing", "iss is missing, although the issuer announces it")
    if iss is not None and iss != pending.issuer:
        raise CallbackRefused("callback_iss_differs", "iss is another issuer than the one this login was sent to")


def token_request(endpoint: str, callback: Callback) -> HttpRequest:
    """The exchange of code and verifier (RFC 6749 §4.1.3, RFC 7636 §4.5).

    >>> import secrets
    >>> registration = Registration(CLIENT_ID, REDIRECT_URI)
    >>> pending = begin_login(METADATA, registration, scope="openid", entropy=secrets.token_bytes(96))
    >>> response = send(token_request(METADATA.token_endpoint, read_callback(visit(pending.url), pending)))
    >>> read_tokens(response.status, response.body).token_type
    'Bearer'
    """
    registration = callback.pending.registration
    parameters = {
        "grant_type": "authorization_code",
        "code": callback.code,
        "redirect_uri": registration.redirect_uri,
        "code_verifier": callback.pending.code_verifier,
        **_named("resource", callback.pending.resource),
    }
    return form_request(endpoint, parameters, registration)


def refresh_request(
    endpoint: str,
    registration: Registration,
    refresh_token: str,
    *,
    scope: str | None = None,
    resource: str | None = None,
) -> HttpRequest:
    """The use of a refresh token (RFC 6749 §6); *scope* narrows, *resource* says which API it is for (RFC 8707 §2.2).

    >>> request = refresh_request(METADATA.token_endpoint, Registration(CLIENT_ID, REDIRECT_URI), "a-refresh-token")
    >>> b"grant_type=refresh_token" in request.body
    True
    """
    narrowed = {**_named("scope", scope), **_named("resource", resource)}
    parameters = {"grant_type": "refresh_token", "refresh_token": refresh_token, **narrowed}
    return form_request(endpoint, parameters, registration)


def read_tokens(status: int, body: bytes, *, expected_type: TokenType = "Bearer") -> Tokens:
    """The tokens of a token response. Raises `ServerRefused` or `ResponseRefused`.

    A client that proved possession expects DPoP and takes nothing less (RFC 9449 §5).

    >>> read_tokens(200, b'{"access_token": "secret", "token_type": "Bearer", "expires_in": 300}').access_token
    'secret'
    """
    answer = read_object(status, body, grants="access_token")
    if str(answer.get("token_type")).lower() != expected_type.lower():
        raise ResponseRefused("token_type_differs", "token_type is not the one this client can use and asked for")
    texts = {name: answer.get(name) for name in ("access_token", "refresh_token", "id_token", "scope")}
    expires_in = read_seconds(answer.get("expires_in"))
    counted = expires_in is not None or answer.get("expires_in") is None
    if not texts["access_token"] or not counted or not all(map(_is_sendable, texts.values())):
        raise ResponseRefused("tokens_malformed", "The token response lacks access_token or has a wrong type in it")
    given = {name: text or None for name, text in texts.items()}
    return Tokens(expires_in=expires_in, token_type=expected_type, **given)  # type: ignore[arg-type]


def read_seconds(told: object) -> int | None:
    """Whole seconds up to `MAX_EXPIRES_IN`, None for anything else. Widespread servers, Entra's, send them as text."""
    seconds = int(told) if isinstance(told, str) and re.fullmatch("[0-9]{1,10}", told, re.ASCII) else told
    return int(seconds) if type(seconds) in {int, float} and 0 <= seconds <= MAX_EXPIRES_IN else None  # type: ignore[operator, call-overload]


def _is_sendable(text: object) -> bool:
    """Absent, or visible ASCII (RFC 6749 appendix A): what else comes would end in a header or on a terminal."""
    return text is None or (isinstance(text, str) and text.isascii() and text.isprintable())


def userinfo_request(endpoint: str, access_token: str) -> HttpRequest:
    """Who the access token speaks for (OpenID Connect Core §5.3.1)."""
    return HttpRequest("GET", endpoint, (("accept", "application/json"), ("authorization", f"Bearer {access_token}")))


def read_userinfo(status: int, body: bytes, *, expected_subject: str) -> Claims:
    """The claims about *expected_subject*, the ID token's `sub` (OpenID Connect Core §5.3.2)."""
    return _check_subject(read_object(status, body), expected_subject)


def check_signed_userinfo(
    claims: Claims, *, expected_issuer: str, expected_client_id: str, expected_subject: str
) -> Claims:
    """The claims of a userinfo response that came as a JWT, once its signature holds (OpenID Connect Core §5.3.2, §5.3.4)."""
    if claims.get("iss", expected_issuer) != expected_issuer:
        raise ResponseRefused("userinfo_issuer_differs", "iss of the signed userinfo is another issuer")
    if expected_client_id not in read_audiences(claims.get("aud", expected_client_id)):
        raise ResponseRefused("userinfo_audience_differs", "aud of the signed userinfo is not this client")
    return _check_subject(claims, expected_subject)


def _check_subject(claims: Claims, expected_subject: str) -> Claims:
    if claims.get("sub") != expected_subject:
        raise ResponseRefused("userinfo_subject_differs", "userinfo is about another person than the ID token")
    return claims


def introspection_request(endpoint: str, registration: Registration, token: str) -> HttpRequest:
    """What the server says of a token now (RFC 7662 §2.1); takes a client with a secret."""
    return form_request(endpoint, {"token": token}, registration)


def read_introspection(status: int, body: bytes) -> Claims:
    """What the server says of the token; `active` is a boolean."""
    answer = read_object(status, body)
    if not isinstance(answer.get("active"), bool):
        raise ResponseRefused("introspection_malformed", "The introspection response lacks active")
    return answer


def revocation_request(endpoint: str, registration: Registration, token: str) -> HttpRequest:
    """The end of a token, and for a refresh token of everything it stands for (RFC 7009 §2.1)."""
    return form_request(endpoint, {"token": token}, registration)


def read_revocation(status: int, body: bytes) -> None:
    """Nothing, once the server has done it; a body says nothing (RFC 7009 §2.2)."""
    if status != 200:
        read_object(status, body)


def logout_url(endpoint: str, *, id_token_hint: str, post_logout_redirect_uri: str, state: str) -> str:
    """Where the browser goes to end the session at the issuer (OpenID Connect RP-Initiated Logout §2)."""
    parameters = {
        "id_token_hint": id_token_hint,
        "post_logout_redirect_uri": post_logout_redirect_uri,
        "state": state,
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"
