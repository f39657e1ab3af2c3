"""The claims parameter (OpenID Connect Core §5.5): which claims, where, and what is essential."""

from __future__ import annotations

import json
from collections.abc import Mapping

from proofkey.protocol.errors import InvalidRequest
from proofkey.protocol.record import record
from proofkey.protocol.records import Client, Json
from proofkey.protocol.scope import CLAIMS_BY_SCOPE


@record(frozen=True, slots=True)
class ClaimsRequest:
    """Claims asked for one by one. `subject` and `acrs` are demands that must be met, or the request fails."""

    userinfo: tuple[str, ...] = ()
    id_token: tuple[str, ...] = ()
    subject: str | None = None
    acrs: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As a grant keeps it: names for userinfo, a bar, names for the ID token; "" for none."""
        return f"{' '.join(self.userinfo)}|{' '.join(self.id_token)}" if self.userinfo or self.id_token else ""


def names_in(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names for userinfo and for the ID token that `ClaimsRequest.text` wrote."""
    userinfo, _, id_token = text.partition("|")
    return tuple(userinfo.split()), tuple(id_token.split())


def parse_claims(text: str | None, client: Client) -> ClaimsRequest:
    """Read the claims parameter. Claims that are not served, or of a scope this client may not have, are ignored (§5.5.1)."""
    if text is None:
        return ClaimsRequest()
    try:
        asked = json.loads(text)
        json.dumps(asked, ensure_ascii=False).encode()  # JSON's escapes can write lone surrogates, UTF-8 cannot
    except (ValueError, RecursionError):
        raise InvalidRequest("claims_not_json", "claims must be a JSON object") from None
    served = {name for scope in client.scopes for name in CLAIMS_BY_SCOPE.get(scope, ())}
    userinfo, id_token = _section(asked, "userinfo"), _section(asked, "id_token")
    return ClaimsRequest(
        userinfo=tuple(name for name in userinfo if name in served),
        id_token=tuple(name for name in id_token if name in served),
        subject=next((value for part in (id_token, userinfo) for value in _values(part.get("sub"))), None),
        acrs=_values(id_token.get("acr")) if _is_essential(id_token.get("acr")) else (),
    )


def _section(asked: Json, name: str) -> Mapping[str, Json]:
    section = asked.get(name) if isinstance(asked, dict) else asked
    if section is None and isinstance(asked, dict):
        return {}
    if not isinstance(section, dict) or not all(v is None or isinstance(v, dict) for v in section.values()):
        raise InvalidRequest("claims_malformed", "claims must hold objects of claim names")
    return section


def _is_essential(member: Mapping[str, Json] | None) -> bool:
    return member is not None and member.get("essential") is True


def _values(member: Mapping[str, Json] | None) -> tuple[str, ...]:
    if member is None:
        return ()
    listed = member.get("values")
    values = [member.get("value"), *(listed if isinstance(listed, list) else [])]
    return tuple(value for value in values if isinstance(value, str))
