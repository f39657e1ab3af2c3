"""The authorization request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1, RFC 9700 §2.1).

1. Two doors for two kinds of failure: before `find_return_address` succeeds nothing may be redirected; after it, all is.
2. A request says what was asked, never what was proven.
3. S256 or nothing: what a client's `pkce` mode demands is checked here; a challenge that is sent is enforced in every mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from proofkey.protocol import pkce
from proofkey.protocol.claims_request import ClaimsRequest, parse_claims
from proofkey.protocol.errors import (
    InvalidRequest,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    Unanswerable,
    UnauthorizedClient,
    UnsupportedResponseType,
)
from proofkey.protocol.parameters import Parameters
from proofkey.protocol.record import record
from proofkey.protocol.records import SECOND, Client, CodeChallenge, Workspace
from proofkey.protocol.redirect_uri import ReturnAddress, find_redirect_uri
from proofkey.protocol.resource import check_access, merge_audience
from proofkey.protocol.scope import check_scope

KNOWN = frozenset(
    "response_type client_id redirect_uri scope state nonce code_challenge code_challenge_method response_mode prompt"
    " max_age login_hint acr_values ui_locales claims id_token_hint resource audience display request request_uri"
    " registration".split()
)
ResponseMode: TypeAlias = Literal["query", "fragment", "form_post"]
RESPONSE_MODES = get_args(ResponseMode)
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_MAX_AGE_DIGITS = 9


@record(frozen=True, slots=True)
class Reply:
    """Where and how an answer goes: a proven address, and what the client gave us to carry back."""

    address: ReturnAddress
    response_mode: ResponseMode
    state: str | None


@record(frozen=True, slots=True)
class AuthorizeRequest:
    """What was asked. `id` names the request, `asked_at` is when it was sealed, `browser` the hash of the browser's cookie."""

    id: bytes
    asked_at: int
    browser: bytes
    client_id: str
    reply: Reply
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    challenge: CodeChallenge | None
    nonce: str | None
    prompt: frozenset[str]
    max_age_for: int | None
    login_hint: str | None
    claims: ClaimsRequest
    hinted_subject: str | None


def find_client_id(params: Parameters) -> str:
    """The client the request names, or `Unanswerable`: without one there is nobody to answer."""
    _unanswerable_if_faulty(params, "client_id")
    client_id = params.values.get("client_id")
    if client_id is None:
        raise Unanswerable("authorize_client_id_missing", "client_id is required")
    return client_id


def check_registered(client: Client | None) -> Client:
    """The client, or `Unanswerable`: an unknown one has no proven address."""
    if client is None:
        raise Unanswerable("authorize_client_unknown", "client_id is not registered here")
    return client


def find_return_address(params: Parameters, client: Client) -> ReturnAddress:
    """Everything that must hold before a single byte may go to redirect_uri (RFC 9700 §4.1)."""
    _unanswerable_if_faulty(params, "redirect_uri")
    asks_openid = "openid" in params.values.get("scope", "").split(" ")
    return find_redirect_uri(params.values.get("redirect_uri"), client, is_openid=asks_openid)


def _unanswerable_if_faulty(params: Parameters, name: str) -> None:
    fault = params.faults.get(name)
    if fault is not None:
        raise Unanswerable(
            "authorize_parameter_faulty", "Must be sent once, in UTF-8 and within its length", parameters=[name]
        )


def parse_reply(params: Parameters, address: ReturnAddress) -> Reply:
    """How to answer. A faulty response_mode is answered by query; `parse_authorize` refuses it."""
    mode = params.values.get("response_mode", "query")
    known: ResponseMode = mode if mode in RESPONSE_MODES else "query"  # type: ignore[assignment]
    return Reply(address, known, params.values.get("state"))


@record(frozen=True, slots=True)
class Asking:
    """The circumstances of a request that are not in its parameters."""

    id: bytes
    browser: bytes
    hinted_subject: str | None
    now: int


def parse_authorize(
    params: Parameters, reply: Reply, client: Client, workspace: Workspace, asking: Asking
) -> AuthorizeRequest:
    """Everything else that must hold; what fails from here on is answered at the proven address."""
    params.check()
    values = params.values
    _check_supported(values, client)
    scope, resources = _parse_access(params, client, workspace)
    challenge = pkce.parse_challenge(values)
    check_pkce_mode(challenge, values.get("nonce"), scope, client)
    return AuthorizeRequest(
        id=asking.id,
        asked_at=asking.now,
        browser=asking.browser,
        client_id=client.id,
        reply=reply,
        scope=scope,
        resources=resources,
        challenge=challenge,
        nonce=values.get("nonce"),
        prompt=_parse_prompt(values.get("prompt")),
        max_age_for=_parse_max_age(values.get("max_age")),
        login_hint=values.get("login_hint"),
        claims=parse_claims(values.get("claims"), client) if "openid" in scope else ClaimsRequest(),
        hinted_subject=asking.hinted_subject,
    )


def _check_supported(values: Mapping[str, str], client: Client) -> None:
    if "request" in values:
        raise RequestNotSupported("request_object_not_supported", "request is not supported: send plain parameters")
    if "request_uri" in values:
        raise RequestUriNotSupported("request_uri_not_supported", "request_uri is not supported: send plain parameters")
    if "registration" in values:
        raise RegistrationNotSupported("registration_not_supported", "registration is not supported")
    response_type = values.get("response_type")
    if response_type is None:
        raise InvalidRequest("response_type_missing", "response_type is required and must be code")
    if response_type != "code":
        raise UnsupportedResponseType("response_type_not_code", "response_type must be code")
    if "authorization_code" not in client.grant_types:
        raise UnauthorizedClient("authorization_code_not_allowed", "This client may not use response_type code")
    if values.get("response_mode", "query") not in RESPONSE_MODES:
        raise InvalidRequest("response_mode_unknown", "response_mode must be query, fragment or form_post")


def _parse_access(params: Parameters, client: Client, workspace: Workspace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    asked = params.values.get("scope")
    named = merge_audience(params.resources, params.values.get("audience"))
    return check_access(asked, check_scope(asked, client), named, client, workspace)


def check_pkce_mode(challenge: CodeChallenge | None, nonce: str | None, scope: tuple[str, ...], client: Client) -> None:
    """Refuse a request without a challenge, unless this confidential client is exempt (RFC 9700 §2.1.1)."""
    if challenge is not None:
        return
    if not client.is_public and client.pkce == "certification":
        return
    if not client.is_public and client.pkce == "or_nonce" and nonce is not None and "openid" in scope:
        return
    raise InvalidRequest("pkce_required", "code_challenge is required, with code_challenge_method S256")


def _parse_prompt(text: str | None) -> frozenset[str]:
    prompt = frozenset((text or "").split())
    if "none" in prompt and len(prompt) > 1:
        raise InvalidRequest("prompt_none_not_alone", "prompt must not combine none with another value")
    return prompt & PROMPTS


def _parse_max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_AGE_DIGITS):
        raise InvalidRequest("max_age_malformed", "max_age must be a whole number of seconds")
    return int(text) * SECOND
