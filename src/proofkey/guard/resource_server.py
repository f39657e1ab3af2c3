"""The resource server (RFC 6749 §1.1): which tokens open this API, and what everybody else is told. Free of any framework.

1. Every adapter asks the same three questions here: `admit`, `challenge`, `metadata`. None decides anything itself.
2. A token is judged in one order: signature, issuer, audience, times, scopes, possession of the key, sign-in.
3. Nothing of the token is logged but what this API has to agree with: issuer and audience, where they are texts, its times, and
   the address of its proof, without the query.
4. What a wrong setting of the API causes as well is logged as a warning, now and then: strangers cause it, too.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from proofkey.clock import wall_clock
from proofkey.guard.access import (
    LEEWAY_FOR,
    Access,
    TokenUnfitting,
    check_access_token,
    check_authentication,
    check_scopes,
)
from proofkey.guard.binding import Binding, check_possession
from proofkey.guard.challenge import Answer, Challenges, render_refusal
from proofkey.guard.metadata import is_resource, metadata_path, render_metadata
from proofkey.guard.request import BEARER, ApiRequest, parse_credentials, scheme_of
from proofkey.guard.requirement import NOTHING, Requirement, require
from proofkey.guard.steps import Steps, run, run_blocking
from proofkey.guard.trust import Issuers, Trust
from proofkey.protocol.errors import DpopUrlDiffers, OAuthError
from proofkey.protocol.issuer import origin_of
from proofkey.protocol.records import MINUTE

TOLD_EVERY = MINUTE
_log = logging.getLogger("proofkey.guard")


class ResourceServer:
    """An API that takes access tokens of *issuers* for *audience*: one issuer or several, each a URL or a `TrustedIssuer`.

    *resource* is the API's identifier in its metadata and *public_url* what goes before a path as clients send it; both
    come from an *audience* that is a URL. *leeway_for* (milliseconds) is what clocks may differ by.
    Raises `ValueError` for what cannot work.

    >>> server = ResourceServer(ISSUER, audience=AUDIENCE)
    >>> request = ApiRequest("GET", API_URL, [(b"authorization", f"Bearer {ACCESS_TOKEN}".encode())])
    >>> import asyncio
    >>> asyncio.run(server.admit(request, require("notes:read"))).issuer == ISSUER
    True
    """

    def __init__(
        self,
        issuers: Issuers,
        *,
        audience: str,
        resource: str | None = None,
        public_url: str | None = None,
        scopes_supported: Collection[str] | str = (),
        realm: str | None = None,
        bindings: Iterable[Binding] = (),
        leeway_for: int = LEEWAY_FOR,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        if not audience:
            raise ValueError("audience must be named: it is what stands in the aud of this API's tokens")
        self._trust = Trust(issuers, tls=tls, clock=clock)
        self._audience = audience
        self.resource = resource or (audience if is_resource(audience) else None)
        if self.resource is not None and not is_resource(self.resource):
            raise ValueError("resource must be an https URL without fragment; http only on loopback")
        self._metadata_path = None if self.resource is None else metadata_path(self.resource)
        self._bindings = {binding.confirmation: binding for binding in bindings}
        self._public_url = self._choose_public_url(public_url)
        self._scopes_supported = require(scopes_supported).scopes
        self._leeway_for = leeway_for
        self._clock = clock
        self._told_at: dict[str, int] = {}
        self._challenges = Challenges(realm or audience, self._schemes(), self._metadata_url())

    async def admit(self, request: ApiRequest, required: Requirement = NOTHING) -> Access:
        """Who calls, where *request* has a token that opens this API and meets *required*. Raises `OAuthError`."""
        return await run(self.admission(request, required))

    def admit_blocking(self, request: ApiRequest, required: Requirement = NOTHING) -> Access:
        """`admit` for code that cannot await: from any thread, and in a process forked after this object was made."""
        return run_blocking(self.admission(request, required))

    def admission(self, request: ApiRequest, required: Requirement) -> Steps[Access]:
        """What `admit` does, as steps."""
        access = None if request.admitted is None else request.admitted.get(self)
        if access is None:
            access = yield from self._judge(request, required)
        else:
            check_scopes(access, required.scopes)
        check_authentication(access, required, now=self._clock(), leeway_for=self._leeway_for)
        return access

    def _judge(self, request: ApiRequest, required: Requirement) -> Steps[Access]:
        """Everything about the token, and the proof that goes with it. What holds is not asked again for this request."""
        credentials = parse_credentials(request, self._challenges.schemes)
        claims = yield from self._trust.verification(credentials.token)
        now = self._clock()
        access = check_access_token(
            claims,
            expected_issuer=claims["iss"],
            expected_audience=self._audience,
            required_scopes=required.scopes,
            now=now,
            leeway_for=self._leeway_for,
        )
        access = yield from check_possession(request, credentials, access, self._bindings, now)
        if request.admitted is not None:
            request.admitted[self] = replace(access, answer_headers=()) if access.answer_headers else access
        return access

    async def prefetch(self) -> None:
        """Fetch the issuers' keys before the first request comes. An issuer that is away is asked again then."""
        await self._trust.prefetch()

    def challenge(self, refusal: OAuthError, request: ApiRequest, required: Requirement = NOTHING) -> Answer:
        """The response to a *request* that `admit` refused; the reason is logged."""
        _log.log(self._weight_of(refusal), "refused: %s", f"{refusal.reason} {refusal.detail}".rstrip())
        return render_refusal(refusal, self._challenges, required, scheme_of(request))

    def _weight_of(self, refusal: OAuthError) -> int:
        """The level of a line in the log: an operator who set nothing up sees warnings alone."""
        now = self._clock()
        told_at = self._told_at.get(refusal.reason, -TOLD_EVERY)
        if not isinstance(refusal, TokenUnfitting | DpopUrlDiffers) or abs(now - told_at) < TOLD_EVERY:
            return logging.INFO
        self._told_at[refusal.reason] = now
        return logging.WARNING

    @property
    def issuers(self) -> tuple[str, ...]:
        """Whose tokens open this API."""
        return tuple(self._trust.issuers)

    def url_of(self, path: str) -> str:
        """The address a client used for *path* (percent-encoded, as sent). The Host header has no say in it."""
        return f"{self._public_url}{path}"

    @property
    def metadata_path(self) -> str | None:
        """Where this API's metadata belong on its host; None for an API whose identifier is no URL."""
        return self._metadata_path

    def metadata(self) -> Answer:
        """This API's metadata (RFC 9728), as a response. Raises `ValueError` for an API whose identifier is no URL."""
        if self.resource is None:
            raise ValueError("an API without a resource identifier has no metadata")
        further = {name: value for binding in self._bindings.values() for name, value in binding.metadata.items()}
        return render_metadata(
            self.resource, issuers=self._trust.issuers, scopes=self._scopes_supported, further=further
        )

    def _schemes(self) -> dict[str, dict[str, str]]:
        schemes: dict[str, dict[str, str]] = {BEARER: {}}
        for binding in self._bindings.values():
            schemes.setdefault(binding.scheme, {}).update(binding.challenge)
        if any(binding.required and binding.scheme != BEARER for binding in self._bindings.values()):
            del schemes[BEARER]
        return schemes

    def _choose_public_url(self, given: str | None) -> str:
        public_url = given or (origin_of(self.resource) if self.resource else "")
        if not public_url and any(binding.scheme != BEARER for binding in self._bindings.values()):
            raise ValueError("public_url is required: a DPoP proof names the address of the request")
        return public_url.rstrip("/")

    def _metadata_url(self) -> str | None:
        return None if self.resource is None else f"{origin_of(self.resource)}{metadata_path(self.resource)}"
