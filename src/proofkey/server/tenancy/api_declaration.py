"""Declared APIs: an audience that can be a resource indicator (RFC 8707 §2), and scopes in words (RFC 6749 §3.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proofkey.protocol.records import Api
from proofkey.protocol.scope import OPENID_SCOPES
from proofkey.server.tenancy.contradiction import Path, contradict
from proofkey.server.tenancy.file_schema import ApiSchema

_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")


def declare_apis(schemas: Sequence[ApiSchema], here: Path) -> tuple[Api, ...]:
    """The workspace's APIs, the first of which is its default. Raises `Contradiction`."""
    apis: dict[str, Api] = {}
    for index, schema in enumerate(schemas):
        at: Path = (*here, index)
        if not _ABSOLUTE.fullmatch(schema.audience):
            contradict((*at, "audience"), "an absolute URI in ASCII without a fragment, as in https://api.example")
        if schema.audience in apis:
            contradict((*at, "audience"), f"the audience {schema.audience} stands here twice")
        for scope, words in schema.scopes.items():
            _check_scope(scope, words, (*at, "scopes", scope))
        apis[schema.audience] = Api(schema.audience, schema.name or schema.audience, dict(schema.scopes))
    return tuple(apis.values())


def _check_scope(scope: str, words: str, at: Path) -> None:
    if not _SCOPE.fullmatch(scope):
        contradict(at, "a scope is up to 128 visible ASCII characters without quotes and backslashes")
    if scope in OPENID_SCOPES:
        contradict(at, f"the scope {scope} belongs to OpenID Connect and cannot be an API's")
    if not words.strip():
        contradict(at, "say in words what the scope allows: people read it when they are asked to consent")
