"""Tokens bound to a key, and the proof that whoever sends one holds it (RFC 7800 §3, RFC 9449 §7, RFC 8705 §3).

1. A token that names a confirmation method opens nothing unless that proof is asked for here and holds.
2. A bound token under another scheme is refused: otherwise whoever stole it would leave the proof out (RFC 9449 §7.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from proofkey.guard.access import Access, Headers, TokenRejected, TokenUnfitting
from proofkey.guard.request import BEARER, ApiRequest, Credentials
from proofkey.guard.steps import Steps


class Binding(Protocol):
    """One way to prove possession: DPoP, or the certificate of a mutual TLS connection.

    >>> bindings: list[Binding] = [Dpop(), CertificateBound()]
    >>> [(binding.confirmation, binding.scheme) for binding in bindings]
    [('jkt', 'DPoP'), ('x5t#S256', 'Bearer')]
    """

    @property
    def confirmation(self) -> str:
        """The member of `cnf` that holds the key's thumbprint: `jkt`, `x5t#S256`."""

    @property
    def scheme(self) -> str:
        """The Authorization scheme of tokens that are bound so: `DPoP`, `Bearer`."""

    @property
    def required(self) -> bool:
        """Whether tokens that are not bound so are refused."""

    @property
    def challenge(self) -> Mapping[str, str]:
        """What stands in the scheme's challenge, beside what every challenge holds."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Members of the protected resource's metadata (RFC 9728 §2)."""

    def check(self, request: ApiRequest, token: str, access: Access, bound_to: str, now: int) -> Steps[Headers]:
        """Refuse unless *request* proves the key whose thumbprint is *bound_to*. Raises `OAuthError`.

        Everything else about *token* holds by then; *access* says whose it is. Returns what the answer is to bring beside.
        """


def check_possession(
    request: ApiRequest, credentials: Credentials, access: Access, bindings: Mapping[str, Binding], now: int
) -> Steps[Access]:
    """*access*, unless a confirmation that the token names is not proven, or one that this API requires is not named.

    *bindings* are by the member of `cnf`. Raises `OAuthError`.
    """
    confirmed = access.claims.get("cnf")
    if confirmed is None:
        if credentials.scheme != BEARER:
            raise TokenRejected("access_token_unbound", "The access token is not bound to a key: send it as Bearer")
        confirmed = {}
    elif not isinstance(confirmed, dict) or not confirmed:
        raise TokenRejected("access_token_confirmation_malformed", "cnf of the access token is malformed")
    for binding in bindings.values():
        if binding.required and binding.confirmation not in confirmed:
            raise TokenRejected("access_token_binding_missing", "The access token must be bound to a key of the client")
    for member, bound_to in confirmed.items():
        binding = _fitting(bindings.get(member), bound_to, credentials)
        headers = yield from binding.check(request, credentials.token, access, bound_to, now)
        if headers:
            access = replace(access, answer_headers=(*access.answer_headers, *headers))
    return access


def _fitting(binding: Binding | None, bound_to: Any, credentials: Credentials) -> Binding:
    """The way to prove one confirmation, where it is known and the token came under its scheme."""
    if binding is None or not isinstance(bound_to, str):
        raise TokenUnfitting(
            "access_token_binding_unknown", "The access token is bound in a way that is not known here"
        )
    if binding.scheme != credentials.scheme:
        raise TokenRejected(
            "access_token_scheme_differs", "The access token is bound to a key: send it under its own scheme"
        )
    return binding
